import {AMPERSAND, BACKSLASH, CARRIAGE_RETURN, ESCAPE, PERCENT} from './bytes.ts';
import {HIGH_SURROGATES, type Meaning, meaningOf} from './characters.ts';
import {type Encoded, readEntity, readLineWrap, readPercent, readTerminalSequence} from './encoded.ts';
import {type Escape, readEscape} from './escape.ts';
import {readUtf8} from './utf8.ts';
import type {StreamWindow} from './window.ts';

/**
 * What stands at one place of the stream, in the one or two ways in which it can be read. Lengths are in bytes.
 * - known: what it means as it stands, and, where there is more in it when it is decoded, that with its own length.
 *   With `%34` that is no digit, one byte long, and a 4, three bytes long.
 * - word: a backslash, a letter and four digits, or, decoded, one character.
 * - incomplete: the stream must go on before it is known; `open` says whether it can become a part of a card number.
 */
export type Unit =
  | {readonly kind: 'known'; readonly length: number; readonly meaning: Meaning; readonly decoded?: Decoded | undefined}
  | {readonly kind: 'word'; readonly length: number; readonly decoded?: Decoded | undefined}
  | {readonly kind: 'incomplete'; readonly open: boolean};

export interface Decoded {
  readonly length: number;
  readonly meaning: Meaning;
}

const OTHER: Meaning = {kind: 'other'};
const NO_ESCAPE: Escape = {kind: 'other', length: 1};
const OPEN: Unit = {kind: 'incomplete', open: true};

/**
 * Reads what stands at `index`, which is neither a digit of ASCII nor a space, hyphen or dot.
 *
 * @param end where the received bytes end
 * @param final whether the stream ends there
 * @param json whether the stream is JSON
 */
export function readUnit(window: StreamWindow, index: number, end: number, final: boolean, json: boolean): Unit {
  const byte = window.byteAt(index);
  if (byte >= 0x80) return readCharacter(window, index, end, final);
  switch (byte) {
    case BACKSLASH:
      return readEscaped(window, index, end, final, json);
    case PERCENT:
      return unitOf(1, readPercent(window, index, end), final);
    case AMPERSAND:
      return unitOf(1, readEntity(window, index, index + 1, end), final);
    case ESCAPE:
      return unitOf(1, readTerminalSequence(window, index, index + 1, end), final);
    case CARRIAGE_RETURN:
      return unitOf(1, json ? {kind: 'nothing'} : readLineWrap(window, index, end), final);
    default:
      return {kind: 'known', length: 1, meaning: OTHER};
  }
}

function readCharacter(window: StreamWindow, index: number, end: number, final: boolean): Unit {
  const read = readUtf8(window, index, end, final);
  switch (read.kind) {
    case 'character':
      return {kind: 'known', length: read.length, meaning: meaningOf(read.codePoint)};
    case 'other':
      return {kind: 'known', length: read.length, meaning: OTHER};
    case 'incomplete':
      return OPEN;
  }
}

function readEscaped(window: StreamWindow, index: number, end: number, final: boolean, json: boolean): Unit {
  const read = readEscape(window, index, end, final, json);
  if (read.kind === 'incomplete') return read;
  if (read.kind === 'other') return {kind: 'known', length: read.length, meaning: OTHER};
  const {length, codePoint} = read;
  const meaning = meaningOf(codePoint);
  if (read.isDecimalWord)
    return {kind: 'word', length, decoded: meaning.kind === 'other' ? undefined : {length, meaning}};
  if (codePoint === AMPERSAND) return unitOf(length, readEntity(window, index, index + length, end), final);
  if (codePoint === ESCAPE) return unitOf(length, readTerminalSequence(window, index, index + length, end), final);
  if (HIGH_SURROGATES.has(codePoint)) return readSurrogates(window, index, length, codePoint, end, final, json);
  return {kind: 'known', length, meaning};
}

/** An escape of the first half in UTF-16 of a character, which has this length, and after it the second. */
function readSurrogates(
  window: StreamWindow,
  index: number,
  length: number,
  high: number,
  end: number,
  final: boolean,
  json: boolean,
): Unit {
  const next = index + length;
  if (next >= end && !final) return OPEN;
  const second: Escape =
    next < end && window.byteAt(next) === BACKSLASH ? readEscape(window, next, end, final, json) : NO_ESCAPE;
  if (second.kind === 'incomplete') return OPEN;
  const low = second.kind === 'character' && second.length === length ? second.codePoint - 0xdc00 : -1;
  if (low < 0 || low > 0x3ff) return {kind: 'known', length, meaning: OTHER};
  return {kind: 'known', length: 2 * length, meaning: meaningOf(0x10000 + ((high - 0xd800) << 10) + low)};
}

/** What means nothing as it stands. */
function unitOf(length: number, encoded: Encoded, final: boolean): Unit {
  if (encoded.kind === 'incomplete' && !final) return OPEN;
  if (encoded.kind !== 'decoded') return {kind: 'known', length, meaning: OTHER};
  return {kind: 'known', length, meaning: OTHER, decoded: encoded};
}
