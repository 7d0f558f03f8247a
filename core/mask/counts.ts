import type {MaskCounts} from './masker.ts';

const detectors = ['PAN', 'TrackData', 'CardVerificationCode', 'Regex', 'Field'] as const;

/** What was masked, by detector; those that masked nothing are left out. */
export type MaskedValues = Readonly<Partial<Record<(typeof detectors)[number], number>>>;

export function maskedValues(counts: Readonly<MaskCounts>): MaskedValues {
  const values: Partial<Record<(typeof detectors)[number], number>> = {};
  for (const detector of detectors) {
    const count = counts[detector] ?? 0;
    if (count > 0) values[detector] = count;
  }
  return values;
}

/** @returns a copy that stays as it is while a masker goes on */
export function sumOf(all: Iterable<Readonly<MaskCounts>>): Readonly<MaskCounts> {
  const sum: MaskCounts = {PAN: 0};
  const fields = new Map<string, number>();
  for (const counts of all) {
    for (const detector of detectors) sum[detector] = (sum[detector] ?? 0) + (counts[detector] ?? 0);
    for (const [name, count] of counts.panFields ?? []) fields.set(name, (fields.get(name) ?? 0) + count);
  }
  return fields.size === 0 ? sum : {...sum, panFields: fields};
}

/** What a masker has counted in one stream. @param before copied when that began */
export function since(before: Readonly<MaskCounts>, counts: Readonly<MaskCounts>): Readonly<MaskCounts> {
  const result = sumOf([counts]) as MaskCounts;
  for (const detector of detectors) result[detector] = (result[detector] ?? 0) - (before[detector] ?? 0);
  return result;
}
