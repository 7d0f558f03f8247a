import {ISSUER_RANGES} from './issuers.ts';

/** Fewest and most digits of a PAN (ISO/IEC 7812-1 allows up to 19; Maestro issues from 12). */
export const PAN_MINIMUM_DIGITS = 12;
export const PAN_MAXIMUM_DIGITS = 19;

/** Digits of the longest prefix in the issuer table. */
export const PAN_PREFIX_DIGITS = 8;

interface Range {
  /** Both are PAN_PREFIX_DIGITS long: the shortest prefixes are filled up with 0 and 9. */
  readonly low: number;
  readonly high: number;
  /** As bits. */
  readonly lengths: number;
  readonly longest: number;
}

const RANGES: readonly Range[] = ISSUER_RANGES.map(({low, high, lengths}) => ({
  low: Number(low.padEnd(PAN_PREFIX_DIGITS, '0')),
  high: Number(high.padEnd(PAN_PREFIX_DIGITS, '9')),
  lengths: lengths.reduce((bits, length) => bits | (1 << length), 0),
  longest: Math.max(...lengths),
}));

/** The ranges that hold numbers starting with these two digits. */
const RANGES_BY_FIRST_TWO: readonly (readonly Range[])[] = Array.from({length: 100}, (_, firstTwo) => {
  const unit = 10 ** (PAN_PREFIX_DIGITS - 2);
  return RANGES.filter(({low, high}) => low < (firstTwo + 1) * unit && high >= firstTwo * unit);
});

const STARTS = Uint8Array.from(RANGES_BY_FIRST_TWO, (ranges) => (ranges.length > 0 ? 1 : 0));

/** Whether a PAN can begin with these two digits (values 0 to 9). */
export function mayStartPan(first: number, second: number): boolean {
  return STARTS[first * 10 + second] === 1;
}

/** Whether `count` digits (values 0 to 9) from index `first` are a PAN: issuer range, length and Luhn check digit. */
export function isPan(digits: Uint8Array, first: number, count: number): boolean {
  if (count < PAN_MINIMUM_DIGITS || count > PAN_MAXIMUM_DIGITS) return false;
  return ((panLengths(digits, first) >> count) & 1) === 1 && passesLuhn(digits, first, count);
}

/** How many digits a PAN has that begins with the digits from index `first` on, of which eight are there: as bits. */
export function panLengths(digits: Uint8Array, first: number): number {
  const prefix = prefixOf(digits, first, PAN_PREFIX_DIGITS);
  const ranges = RANGES_BY_FIRST_TWO[Math.floor(prefix / 10 ** (PAN_PREFIX_DIGITS - 2))] ?? [];
  let bits = 0;
  for (const {low, high, lengths} of ranges) if (prefix >= low && prefix <= high) bits |= lengths;
  return bits;
}

/** The same for digits in a string. */
export function isPanText(text: string): boolean {
  return isPan(digitsOf(text), 0, text.length);
}

/**
 * Whether `count` digits from index `first` can be the start of a PAN of `atLeast` digits or more (the whole of it
 * when `atLeast` is `count`).
 */
export function mayBecomePan(digits: Uint8Array, first: number, count: number, atLeast: number): boolean {
  const known = Math.min(count, PAN_PREFIX_DIGITS);
  const unit = 10 ** (PAN_PREFIX_DIGITS - known);
  const low = prefixOf(digits, first, known) * unit;
  return RANGES.some((range) => range.longest >= atLeast && range.low < low + unit && range.high >= low);
}

/** The same for digits in a string, as the whole of the PAN or its start. */
export function mayBecomePanText(text: string): boolean {
  return mayBecomePan(digitsOf(text), 0, text.length, Math.min(text.length, PAN_MAXIMUM_DIGITS));
}

function digitsOf(text: string): Uint8Array {
  return Uint8Array.from(text, (digit) => digit.charCodeAt(0) - 0x30);
}

function prefixOf(digits: Uint8Array, first: number, count: number): number {
  let prefix = 0;
  for (let index = first; index < first + count; index++) prefix = prefix * 10 + (digits[index] as number);
  return prefix;
}

/** ISO/IEC 7812-1 annex B: every second digit from the right doubled, digits summed, divisible by ten. */
function passesLuhn(digits: Uint8Array, first: number, count: number): boolean {
  let sum = 0;
  for (let fromRight = 0; fromRight < count; fromRight++) {
    const digit = digits[first + count - 1 - fromRight] as number;
    const weighted = fromRight % 2 === 0 ? digit : digit * 2;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}
