import {BACKSLASH, byteSet, DIGIT_0, DOT, HYPHEN, hexValue, isDigit, SPACE} from './bytes.ts';
import {mayStartPan, PAN_MINIMUM_DIGITS} from './pan.ts';

/** What candidates consist of: digits, separators and the escapes of both. */
const CANDIDATE = byteSet('0123456789 -\\uUdD');

/** The shortest candidate in these bytes: the fraction of a number with an exponent (5.01812345678e11). */
const SHORTEST_CANDIDATE_BYTES = 11;

/** Looked at in one go. Of a longer stretch of such bytes, all are read closely that may begin a candidate. */
const STRETCH_MAXIMUM_BYTES = 32;

const LOWER_U = 0x75;

/**
 * Finds where to look closely: gives an index at or after `from` before which no candidate starts. A candidate may
 * start there, or the chunk ends before that can be told.
 *
 * As Boyer and Moore search: of the bytes that a candidate starting here would have, the last is looked at first, and
 * where it is none of a candidate's all of them are stepped over, so that mostly one byte of eleven is read.
 *
 * @param from an index of the chunk that is neither after a digit of a candidate nor inside an escape
 */
export function nextCandidate(chunk: Buffer, from: number): number {
  const {length} = chunk;
  let clear = from;
  while (clear + SHORTEST_CANDIDATE_BYTES <= length) {
    let at = clear + SHORTEST_CANDIDATE_BYTES - 1;
    while (at >= clear && CANDIDATE[chunk[at] as number] === 1) at--;
    if (at >= clear) {
      clear = at + 1;
      continue;
    }
    const limit = Math.min(clear + STRETCH_MAXIMUM_BYTES, length);
    const end = stretchEnd(chunk, clear + SHORTEST_CANDIDATE_BYTES, limit);
    const start = escapeStart(chunk, clear, from);
    if (start < clear || (end === limit ? hasDigit(chunk, clear, end) : isCandidate(chunk, clear, end))) return start;
    clear = end;
  }
  let open = length;
  while (open > clear && CANDIDATE[chunk[open - 1] as number] === 1) open--;
  return escapeStart(chunk, open, from);
}

/** The end, not after `limit`, of the bytes around `from` that candidates consist of. */
function stretchEnd(chunk: Buffer, from: number, limit: number): number {
  let end = from;
  while (end < limit && CANDIDATE[chunk[end] as number] === 1) end++;
  return end;
}

/** Whether a candidate can start in [start, end): with a digit, or the escape of one. */
function hasDigit(chunk: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = chunk[at] as number;
    if (isDigit(byte) || byte === BACKSLASH) return true;
  }
  return false;
}

/** Whether there is a group of digits in [start, end) with which a PAN can begin, and digits enough from there on. */
function isCandidate(chunk: Buffer, start: number, end: number): boolean {
  // The digits of a fraction do not count alone; what is before the chunk may be its dot.
  if (start === 0 || chunk[start - 1] === DOT) return true;
  let digits = 0;
  for (let at = end - 1; at >= start; at--) {
    const byte = chunk[at] as number;
    if (isDigit(byte)) {
      digits++;
      if (digits < PAN_MINIMUM_DIGITS || (at > start && isDigit(chunk[at - 1] as number))) continue;
      const second = chunk[at + 1] as number;
      if (!isDigit(second) || mayStartPan(byte - DIGIT_0, second - DIGIT_0)) return true;
    } else if (byte === BACKSLASH) {
      if (chunk[at + 1] === LOWER_U) return true;
      digits = 0;
    } else if (!isSeparator(byte) || isSeparator(chunk[at + 1])) digits = 0;
  }
  return false;
}

function isSeparator(byte: number | undefined): boolean {
  return byte === SPACE || byte === HYPHEN;
}

/**
 * Where `index` lies inside an escape that begins at or after `floor`, the first of its backslashes, so that the hex
 * digits of `\u2014` are not taken for digits of the text.
 */
function escapeStart(chunk: Buffer, index: number, floor: number): number {
  for (let letter = index; letter >= index - 4 && letter > floor; letter--) {
    const byte = chunk[letter];
    if (byte === LOWER_U && chunk[letter - 1] === BACKSLASH) return firstBackslash(chunk, letter - 1, floor);
    if (letter < index && hexValue(byte as number) < 0) break;
  }
  return firstBackslash(chunk, index, floor);
}

function firstBackslash(chunk: Buffer, index: number, floor: number): number {
  let first = index;
  while (first > floor && chunk[first - 1] === BACKSLASH) first--;
  return first;
}
