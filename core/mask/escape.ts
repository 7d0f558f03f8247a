import {BACKSLASH, hexValue, isDigit} from './bytes.ts';
import {HIGH_SURROGATES, MEANINGFUL} from './characters.ts';
import type {StreamWindow} from './window.ts';

/**
 * What stands at a backslash. `length` is in bytes.
 * - character: an escape. It is not certain outside JSON, or nested: `\u4111` can be some letter, or a word before
 *   four digits.
 * - other: any other escape, or a backslash that escapes nothing.
 * - incomplete: the stream must go on before it is known; `open` says whether it can become a part of a card number.
 */
export type Escape =
  | {readonly kind: 'character'; readonly length: number; readonly codePoint: number; readonly isDecimalWord: boolean}
  | {readonly kind: 'other'; readonly length: number}
  | {readonly kind: 'incomplete'; readonly open: boolean};

const LOWER_U = 0x75;

/** Backslashes of an escape of JSON in a string of JSON, three deep. */
const MAXIMUM_BACKSLASHES = 8;

/** Escapes of these begin what is encoded once more: an entity of HTML, a sequence of a terminal. */
const ENCODERS = [0x26, 0x1b];

/** All that the first hex digits of an escape of interest can be, as `known << 16 | value`. */
const OPEN = new Set(
  [...MEANINGFUL, ...HIGH_SURROGATES, ...ENCODERS].flatMap((codePoint) =>
    [0, 1, 2, 3].map((known) => prefix(known, codePoint >> (16 - 4 * known))),
  ),
);

function prefix(known: number, value: number): number {
  return (known << 16) | value;
}

/**
 * Reads the escape (RFC 8259 section 7) whose backslash is at `index`, the first of its backslashes: one, or two, four
 * or eight where the JSON stands inside strings of JSON.
 *
 * @param end where the received bytes end
 * @param final whether the stream ends there
 * @param json whether a single backslash can be nothing but a JSON escape
 */
export function readEscape(window: StreamWindow, index: number, end: number, final: boolean, json: boolean): Escape {
  let backslashes = 1;
  while (
    backslashes <= MAXIMUM_BACKSLASHES &&
    index + backslashes < end &&
    window.byteAt(index + backslashes) === BACKSLASH
  ) {
    backslashes++;
  }
  const letter = index + backslashes;
  // The backslashes before the last 1, 2, 4 or 8 are escaped ones, and what follows is an escape of its own.
  const escaped = 2 ** Math.floor(Math.log2(backslashes));
  if (backslashes > MAXIMUM_BACKSLASHES || (backslashes !== escaped && letter < end))
    return {kind: 'other', length: escaped};
  const notEscape: Escape = {kind: 'other', length: backslashes};
  if (letter >= end) return final ? notEscape : {kind: 'incomplete', open: true};
  if (window.byteAt(letter) !== LOWER_U) return notEscape;
  const certain = json && backslashes === 1;
  let value = 0;
  let decimal = true;
  for (let position = 1; position <= 4; position++) {
    if (letter + position >= end) {
      const open = OPEN.has(prefix(position - 1, value)) || (decimal && !certain);
      return final ? notEscape : {kind: 'incomplete', open};
    }
    const byte = window.byteAt(letter + position);
    const nibble = hexValue(byte);
    if (nibble < 0) return notEscape;
    value = value * 16 + nibble;
    decimal &&= isDigit(byte);
  }
  return {
    kind: 'character',
    length: backslashes + 5,
    codePoint: value,
    isDecimalWord: decimal && !certain && value > 0xff,
  };
}
