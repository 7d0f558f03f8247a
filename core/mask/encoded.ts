import {byteSet, hexValue, isDigit, LINE_FEED, PERCENT} from './bytes.ts';
import {type Meaning, meaningOf} from './characters.ts';
import {LEADS, utf8Length} from './utf8.ts';
import type {StreamWindow} from './window.ts';

/**
 * A character in an encoding that is laid over the text; `length` is in bytes.
 * - nothing: it is none, or one that no card number has and that ends with no digit.
 * - incomplete: the stream must go on before it is known.
 */
export type Encoded =
  | {readonly kind: 'decoded'; readonly length: number; readonly meaning: Meaning}
  | {readonly kind: 'nothing'}
  | {readonly kind: 'incomplete'};

const NOTHING = {kind: 'nothing'} as const;
const INCOMPLETE = {kind: 'incomplete'} as const;
const OTHER: Meaning = {kind: 'other'};

const HASH = 0x23;
const SEMICOLON = 0x3b;
const BRACKET = 0x5b;
const UPPER_K = 0x4b;
const LOWER_M = 0x6d;
const LOWER_X = 0x78;

/** Digits of a character reference beyond which it is none of interest, and the digits are those of a number. */
const REFERENCE_MAXIMUM_DIGITS = 6;
/** The same of one parameter of a terminal sequence, and of all parameters. */
const PARAMETER_MAXIMUM_DIGITS = 3;
const PARAMETERS_MAXIMUM_BYTES = 20;

const PARAMETER_SEPARATOR = byteSet(';:');

/** Named character references (HTML 13.5) of what may stand between the groups of a card number. */
const NAMED = new Map([
  ...(['nbsp', 'ensp', 'emsp', 'thinsp', 'hairsp', 'numsp', 'puncsp', 'hyphen', 'dash', 'ndash', 'minus'] as const).map(
    (name): [string, Meaning] => [name, {kind: 'separator', separator: 'gap'}],
  ),
  ...(['shy', 'zwnj', 'zwj', 'lrm', 'rlm'] as const).map((name): [string, Meaning] => [name, {kind: 'invisible'}]),
  ['period', {kind: 'separator', separator: 'dot'}],
]);
const NAME_STARTS = new Set([...NAMED.keys()].flatMap((name) => [...name].map((_, index) => name.slice(0, index))));

/**
 * Reads the percent encoding (RFC 3986 section 2.1) of a character in UTF-8 at `index`, or of a byte that is of no
 * card, so that its second hex digit is not taken for a digit of the number behind it.
 */
export function readPercent(window: StreamWindow, index: number, end: number): Encoded {
  const lead = readTriple(window, index, end);
  if (typeof lead !== 'number') return lead;
  const other: Encoded = {kind: 'decoded', length: 3, meaning: OTHER};
  if (lead < 0x80) return decoded(3, lead) ?? other;
  if (LEADS[lead] === 0) return other;
  const bytes = utf8Length(lead);
  let codePoint = lead & (0xff >> (bytes + 1));
  for (let at = index + 3; at < index + 3 * bytes; at += 3) {
    const byte = readTriple(window, at, end);
    if (typeof byte !== 'number') return byte.kind === 'nothing' ? other : byte;
    if ((byte & 0xc0) !== 0x80) return other;
    codePoint = (codePoint << 6) | (byte & 0x3f);
  }
  return decoded(3 * bytes, codePoint) ?? other;
}

/** The byte that stands at `index` as a percent sign and two hex digits. */
function readTriple(window: StreamWindow, index: number, end: number): number | typeof NOTHING | typeof INCOMPLETE {
  if (index >= end) return INCOMPLETE;
  if (window.byteAt(index) !== PERCENT) return NOTHING;
  let value = 0;
  for (let at = index + 1; at < index + 3; at++) {
    if (at >= end) return INCOMPLETE;
    const nibble = hexValue(window.byteAt(at));
    if (nibble < 0) return NOTHING;
    value = value * 16 + nibble;
  }
  return value;
}

/**
 * Reads a character reference of HTML, numeric or named, with its semicolon.
 *
 * @param index where it starts
 * @param from the index after its ampersand, which may be an escape of JSON
 */
export function readEntity(window: StreamWindow, index: number, from: number, end: number): Encoded {
  if (from >= end) return INCOMPLETE;
  if (window.byteAt(from) === HASH) return readNumericReference(window, index, from + 1, end);
  let name = '';
  for (let at = from; ; at++) {
    if (at >= end) return INCOMPLETE;
    const byte = window.byteAt(at);
    if (byte === SEMICOLON) {
      const meaning = NAMED.get(name);
      return meaning === undefined ? NOTHING : {kind: 'decoded', length: at + 1 - index, meaning};
    }
    name += String.fromCharCode(byte);
    if (!NAME_STARTS.has(name) && !NAMED.has(name)) return NOTHING;
  }
}

function readNumericReference(window: StreamWindow, index: number, from: number, end: number): Encoded {
  if (from >= end) return INCOMPLETE;
  const isHex = (window.byteAt(from) | 0x20) === LOWER_X;
  const first = isHex ? from + 1 : from;
  let codePoint = 0;
  for (let at = first; at <= first + REFERENCE_MAXIMUM_DIGITS; at++) {
    if (at >= end) return INCOMPLETE;
    const byte = window.byteAt(at);
    if (byte === SEMICOLON && at > first) return decoded(at + 1 - index, codePoint) ?? NOTHING;
    const value = isHex || isDigit(byte) ? hexValue(byte) : -1;
    if (value < 0) return NOTHING;
    codePoint = codePoint * (isHex ? 16 : 10) + value;
  }
  return NOTHING;
}

/**
 * Reads a control sequence (ECMA-48 5.4) that changes how text looks (SGR) or erases what stood on the line before it
 * (EL); others move on the screen, so that what follows stands elsewhere.
 *
 * @param index where it starts
 * @param from the index after its escape character, which may be an escape of JSON
 */
export function readTerminalSequence(window: StreamWindow, index: number, from: number, end: number): Encoded {
  if (from >= end) return INCOMPLETE;
  if (window.byteAt(from) !== BRACKET) return NOTHING;
  let digits = 0;
  for (let at = from + 1; at <= from + 1 + PARAMETERS_MAXIMUM_BYTES; at++) {
    if (at >= end) return INCOMPLETE;
    const byte = window.byteAt(at);
    if (byte === LOWER_M || byte === UPPER_K) {
      return {kind: 'decoded', length: at + 1 - index, meaning: {kind: 'invisible'}};
    }
    if (PARAMETER_SEPARATOR[byte] === 1) digits = 0;
    else if (!isDigit(byte) || ++digits > PARAMETER_MAXIMUM_DIGITS) return NOTHING;
  }
  return NOTHING;
}

/** Reads a line break as terminals write it. */
export function readLineWrap(window: StreamWindow, index: number, end: number): Encoded {
  if (index + 1 >= end) return INCOMPLETE;
  if (window.byteAt(index + 1) !== LINE_FEED) return NOTHING;
  return {kind: 'decoded', length: 2, meaning: {kind: 'separator', separator: 'wrap'}};
}

function decoded(length: number, codePoint: number): Encoded | undefined {
  const meaning = meaningOf(codePoint);
  return meaning.kind === 'other' ? undefined : {kind: 'decoded', length, meaning};
}
