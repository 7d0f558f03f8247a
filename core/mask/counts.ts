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
export function foundIn(counts: Readonly<Partial<MaskCounts>>): number {
  if (counts instanceof UnitedCounts) return counts.found;
  const {PAN = 0, TrackData = 0, CardVerificationCode = 0, Regex = 0, Field = 0} = counts;
  return PAN + TrackData + CardVerificationCode + Regex + Field;
}

/** The sum of what several maskers count, at any time. */
export class UnitedCounts implements MaskCounts {
  readonly #all: Readonly<Partial<MaskCounts>>[];
  readonly #fields: () => MaskCounts['fields'];

  /** @param fields what all of them count by the names of members */
  constructor(all: readonly Readonly<Partial<MaskCounts>>[], fields: () => MaskCounts['fields'] = () => undefined) {
    this.#all = [...all];
    this.#fields = fields;
  }

  /** Counts what another masker does as well. */
  add(counts: Readonly<Partial<MaskCounts>>): void {
    this.#all.push(counts);
  }

  get found(): number {
    let found = 0;
    for (const counts of this.#all) found += foundIn(counts);
    return found;
  }

  get PAN(): number {
    return this.#sum('PAN');
  }

  get TrackData(): number {
    return this.#sum('TrackData');
  }

  get CardVerificationCode(): number {
    return this.#sum('CardVerificationCode');
  }

  get Regex(): number {
    return this.#sum('Regex');
  }

  get Field(): number {
    return this.#sum('Field');
  }

  get fields(): NonNullable<MaskCounts['fields']> {
    return this.#fields() ?? none;
  }

  #sum(detector: DetectorName): number {
    let sum = 0;
    for (const counts of this.#all) sum += counts[detector] ?? 0;
    return sum;
  }
}

/** What a masker has counted in one stream. @param before copied when that began */
export function since(before: Readonly<MaskCounts>, counts: Readonly<MaskCounts>): Readonly<MaskCounts> {
  const result = sumOf([counts]) as MaskCounts;
  for (const detector of detectors) result[detector] = (result[detector] ?? 0) - (before[detector] ?? 0);
  return result;
}
