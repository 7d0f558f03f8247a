import type {Separator} from './characters.ts';
import {PAN_MAXIMUM_DIGITS} from './pan.ts';

/**
 * How people write card numbers in groups, so that rows of unrelated numbers are not read as one:
 * groups of one size with a shorter rest (4-4-4-4, 4-4-4-4-3, 5-5-5, 6-6-4, 8-8), fours with any rest (4-4-5, 4-12),
 * the issuer's six and the rest (6-10, 6-13), American Express and Diners (4-6-5, 4-6-4) and 4-8-4. Groups of three
 * digits or fewer count only where they are all that stands there (`4 1 1 1 ...`), see `isTight`.
 *
 * Dots count where all separators are dots and there are two of them: with one it is the fraction of a number. A line
 * is wrapped once in a number, and a number that is wrapped has another separator.
 */

/** Whether a number written in groups of these sizes, all complete, is written as people write card numbers. */
export function isCardGrouping(sizes: readonly number[], separators: readonly Separator[]): boolean {
  if (!mayBeSeparatedBy(sizes, separators)) return false;
  if (separators.some((separator) => separator !== 'gap') && sizes.length < 3) return false;
  const last = sizes.at(-1) ?? 0;
  const before = sizes.slice(0, -1);
  return before[0] === 8 ? before.length === 1 && last === 8 : last <= longestNextGroup(before);
}

/** How many digits the group after these complete groups can have in a card number, 0 where none can follow. */
export function longestNextGroup(complete: readonly number[]): number {
  const [first, second] = complete;
  if (first === undefined) return PAN_MAXIMUM_DIGITS;
  if (first === 4 && second === 8 && complete.length === 2) return 4;
  if (first === 4 && second === 6 && complete.length === 2) return PAN_MAXIMUM_DIGITS;
  if (!complete.every((size) => size === first)) return 0;
  if (first === 4 || (first === 6 && complete.length === 1)) return PAN_MAXIMUM_DIGITS;
  return first <= 6 || first === 8 ? first : 0;
}

/** Whether a number can begin with groups of these sizes and with these separators, one of which may be the last. */
export function mayBeSeparatedBy(sizes: readonly number[], separators: readonly Separator[]): boolean {
  const dots = separators.filter((separator) => separator === 'dot').length;
  const wraps = separators.filter((separator) => separator === 'wrap').length;
  if (dots === 0 && wraps === 0) return true;
  return !isTight(sizes[0] as number) && wraps <= 1 && (dots === 0 || dots === separators.length);
}

/** Whether groups of this size are so small that only a row of nothing but them can be a card. */
export function isTight(firstSize: number): boolean {
  return firstSize <= 3;
}
