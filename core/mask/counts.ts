import type {MaskCounts} from './masker.ts';

const detectors = ['PAN', 'TrackData', 'CardVerificationCode', 'Regex', 'Field'] as const;

type DetectorName = (typeof detectors)[number];

/** Names beyond which findings are counted without one: the record of a call has an end. */
export const MAXIMUM_NAMES = 32;

/** Of a stream in which nothing was found. */
export const nothingMasked: Readonly<MaskCounts> = Object.freeze({PAN: 0});

const none = Object.freeze({});

/** What was masked, by detector; those that masked nothing are left out. */
export type MaskedValues = Readonly<Partial<Record<DetectorName, number>>>;

/** The same by the name of the member that it stood in, as far as that is known. */
export type MaskedFields = Readonly<Partial<Record<DetectorName, Readonly<Record<string, number>>>>>;

export function maskedValues(counts: Readonly<MaskCounts>): MaskedValues {
  if (counts === nothingMasked) return none;
  const values: Partial<Record<DetectorName, number>> = {};
  for (const detector of detectors) {
    const count = counts[detector] ?? 0;
    if (count > 0) values[detector] = count;
  }
  return values;
}

export function maskedFields(counts: Readonly<MaskCounts>): MaskedFields {
  if (counts === nothingMasked) return none;
  const {fields = {}} = counts;
  const named: Partial<Record<DetectorName, Readonly<Record<string, number>>>> = {};
  for (const detector of detectors) {
    const byName = fields[detector];
    if (byName !== undefined && byName.size > 0) named[detector] = Object.fromEntries(byName);
  }
  return named;
}

/** @returns a copy that stays as it is while a masker goes on */
export function sumOf(all: readonly Readonly<MaskCounts>[]): Readonly<MaskCounts> {
  if (all.every((counts) => counts === nothingMasked)) return nothingMasked;
  const sum: MaskCounts = {PAN: 0};
  const fields: Partial<Record<DetectorName, Map<string, number>>> = {};
  for (const counts of all) {
    for (const detector of detectors) {
      sum[detector] = (sum[detector] ?? 0) + (counts[detector] ?? 0);
      const named = counts.fields?.[detector];
      if (named !== undefined) fields[detector] = addedTo(fields[detector] ?? new Map(), named);
    }
  }
  return {...sum, fields};
}

function addedTo(sum: Map<string, number>, counts: ReadonlyMap<string, number>): Map<string, number> {
  for (const [name, count] of counts) {
    const known = sum.get(name);
    if (known !== undefined || sum.size < MAXIMUM_NAMES) sum.set(name, (known ?? 0) + count);
  }
  return sum;
}

/** How many values were masked, whatever they were. */
export function foundIn(counts: Readonly<MaskCounts>): number {
  let found = 0;
  for (const detector of detectors) found += counts[detector] ?? 0;
  return found;
}

/** The sum of what several maskers count, at any time; what none counts is left out. */
export function unitedCounts(...all: readonly Readonly<Partial<MaskCounts>>[]): Readonly<MaskCounts> {
  const united = {};
  for (const detector of detectors) {
    const sum = (): number | undefined => {
      let total = detector === 'PAN' ? 0 : undefined;
      for (const counts of all) if (counts[detector] !== undefined) total = (total ?? 0) + counts[detector];
      return total;
    };
    Object.defineProperty(united, detector, {get: sum, enumerable: true});
  }
  return united as Readonly<MaskCounts>;
}

/** As those of a masker that may not be made yet. */
export function laterCounts(later: () => Readonly<MaskCounts> | undefined): Readonly<MaskCounts> {
  const counts = {};
  for (const detector of detectors) {
    Object.defineProperty(counts, detector, {get: () => later()?.[detector], enumerable: true});
  }
  return counts as Readonly<MaskCounts>;
}

/** What a masker has counted in one stream. @param before copied when that began */
export function since(before: Readonly<MaskCounts>, counts: Readonly<MaskCounts>): Readonly<MaskCounts> {
  const result = sumOf([counts]) as MaskCounts;
  for (const detector of detectors) result[detector] = (result[detector] ?? 0) - (before[detector] ?? 0);
  return result;
}
