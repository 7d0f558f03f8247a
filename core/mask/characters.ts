import {DIGIT_0, DOT, HYPHEN, isDigit, PLUS, SPACE} from './bytes.ts';

/**
 * How digits of one card number stand apart: by a space, a hyphen or the plus that is a space in forms, by a dot, or as
 * a terminal wraps a line.
 */
export type Separator = 'gap' | 'dot' | 'wrap';

/** What a character is to a card number. The invisible may stand anywhere in it, and says nothing. */
export type Meaning =
  | {readonly kind: 'digit'; readonly value: number}
  | {readonly kind: 'separator'; readonly separator: Separator}
  | {readonly kind: 'invisible'}
  | {readonly kind: 'other'};

/** The zeros of Unicode's decimal digits (general category Nd), ASCII's aside; the nine others follow each. */
const ZEROS = [
  ...[0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20],
  ...[0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0],
  ...[0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0],
  ...[0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50],
  ...[0x11d50, 0x11da0, 0x11de0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8],
  ...[0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0],
];

/** First and last code points of spaces of all widths, hyphens, dashes and minus signs, ASCII's aside. */
const GAPS = [
  ...[0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2010, 0x2015, 0x202f, 0x202f, 0x205f, 0x205f, 0x2212, 0x2212],
  ...[0x3000, 0x3000, 0xfe58, 0xfe58, 0xfe63, 0xfe63, 0xff0d, 0xff0d],
];
const DOTS = [0xff0e, 0xff0e];
/** Soft hyphen, joiners, zero-width spaces, marks of direction, variation selectors, the keycap, byte order mark. */
const INVISIBLE = [
  ...[0xad, 0xad, 0x34f, 0x34f, 0x61c, 0x61c, 0x180b, 0x180f, 0x200b, 0x200f, 0x202a, 0x202e, 0x2060, 0x206f],
  ...[0x20e3, 0x20e3, 0xfe00, 0xfe0f, 0xfeff, 0xfeff],
];

const OTHER: Meaning = {kind: 'other'};

const MEANINGS = new Map<number, Meaning>([
  [SPACE, {kind: 'separator', separator: 'gap'}],
  [PLUS, {kind: 'separator', separator: 'gap'}],
  [HYPHEN, {kind: 'separator', separator: 'gap'}],
  [DOT, {kind: 'separator', separator: 'dot'}],
]);
for (const zero of [DIGIT_0, ...ZEROS]) {
  for (let value = 0; value <= 9; value++) MEANINGS.set(zero + value, {kind: 'digit', value});
}
define(GAPS, {kind: 'separator', separator: 'gap'});
define(DOTS, {kind: 'separator', separator: 'dot'});
define(INVISIBLE, {kind: 'invisible'});

function define(ranges: readonly number[], meaning: Meaning): void {
  for (let index = 0; index < ranges.length; index += 2) {
    for (let codePoint = ranges[index] as number; codePoint <= (ranges[index + 1] as number); codePoint++) {
      MEANINGS.set(codePoint, meaning);
    }
  }
}

export function meaningOf(codePoint: number): Meaning {
  return MEANINGS.get(codePoint) ?? OTHER;
}

/** The first halves in UTF-16 of those beyond 16 bits. */
export const HIGH_SURROGATES: ReadonlySet<number> = new Set(
  [...MEANINGS.keys()].filter((codePoint) => codePoint > 0xffff).map((codePoint) => 0xd7c0 + (codePoint >> 10)),
);

/** All code points that are not `other`. */
export const MEANINGFUL: readonly number[] = [...MEANINGS.keys()];

/** Whether the text has as many digits as a card number has at least; each character beyond ASCII may be one. */
export function mayHaveDigits(text: string, atLeast: number): boolean {
  let digits = 0;
  for (let index = 0; index < text.length && digits < atLeast; index++) {
    const code = text.charCodeAt(index);
    if (isDigit(code) || code > 0x7f) digits++;
  }
  return digits === atLeast;
}
