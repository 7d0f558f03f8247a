import {BACKSLASH, HYPHEN, hexValue, isDigit, SPACE} from './bytes.ts';
import type {StreamWindow} from './window.ts';

/**
 * What stands at a backslash. `length` is in bytes.
 * - digit, separator: an escaped ASCII digit, space or hyphen (backslash, `u` and four hex digits; two backslashes
 *   where the JSON stands inside a JSON string).
 * - ambiguous: `\u4111` outside JSON, or nested, can be an escape (some letter) or a word before four digits.
 * - other: any other escape, or a backslash that escapes nothing.
 * - incomplete: the stream must go on before it is known; `open` says whether it can become a digit or separator.
 */
export type Escape =
  | {readonly kind: 'digit'; readonly length: number; readonly value: number}
  | {readonly kind: 'separator'; readonly length: number}
  | {readonly kind: 'ambiguous'; readonly length: number}
  | {readonly kind: 'other'; readonly length: number}
  | {readonly kind: 'incomplete'; readonly open: boolean};

const LOWER_U = 0x75;

/**
 * Reads the escape (RFC 8259 section 7) whose backslash is at `index`, the first of its backslashes.
 *
 * @param end where the received bytes end
 * @param final whether the stream ends there
 * @param json whether a single backslash can be nothing but a JSON escape
 */
export function readEscape(window: StreamWindow, index: number, end: number, final: boolean, json: boolean): Escape {
  let backslashes = 1;
  while (backslashes < 3 && index + backslashes < end && window.byteAt(index + backslashes) === BACKSLASH)
    backslashes++;
  // An escaped backslash, and what follows is an escape of its own.
  if (backslashes === 3) return {kind: 'other', length: 2};
  const notEscape: Escape = {kind: 'other', length: backslashes};
  const letter = index + backslashes;
  if (letter >= end) return final ? notEscape : {kind: 'incomplete', open: true};
  if (window.byteAt(letter) !== LOWER_U) return notEscape;
  const certain = json && backslashes === 1;
  let value = 0;
  let decimal = true;
  for (let position = 1; position <= 4; position++) {
    if (letter + position >= end) {
      const open = mayBeInCard(value, position - 1) || (decimal && !certain);
      return final ? notEscape : {kind: 'incomplete', open};
    }
    const byte = window.byteAt(letter + position);
    const nibble = hexValue(byte);
    if (nibble < 0) return notEscape;
    value = value * 16 + nibble;
    decimal &&= isDigit(byte);
  }
  const length = backslashes + 5;
  if (isDigit(value)) return {kind: 'digit', length, value: value - 0x30};
  if (value === SPACE || value === HYPHEN) return {kind: 'separator', length};
  return {kind: decimal && !certain && value > 0xff ? 'ambiguous' : 'other', length};
}

/** Whether an escape whose first `known` hex digits have this value can be a digit, a space or a hyphen. */
function mayBeInCard(value: number, known: number): boolean {
  return known < 3 ? value === 0 : value === 2 || value === 3;
}
