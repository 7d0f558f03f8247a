import {byteSet, DIGIT_0, DOT, HYPHEN, isDigit, PLUS, SPACE} from './bytes.ts';
import type {Markers} from './markers.ts';
import {mayStartPan, PAN_MINIMUM_DIGITS} from './pan.ts';

/** What candidates consist of that are written plainly: digits and separators. All else is at a marker. */
const CANDIDATE = byteSet('0123456789 +-.');

/** Looked at in one go. Of a longer stretch of such bytes, all are read closely that may begin a candidate. */
const STRETCH_MAXIMUM_BYTES = 32;

/**
 * Finds where to look closely: gives an index at or after `from` before which no candidate starts. A candidate may
 * start there, or the chunk ends before that can be told.
 *
 * @param markers of the chunk
 * @param from an index of the chunk that is neither after a digit of a candidate nor inside an escape
 */
export function nextCandidate(chunk: Buffer, markers: Markers, from: number): number {
  const end = markers.next(from);
  return nextPlain(chunk, from, end);
}

/**
 * The same up to `to`, where candidates may go on.
 *
 * As Boyer and Moore search: of the bytes that a candidate starting here would have, the last is looked at first, and
 * where it is none of a candidate's all of them are stepped over, so that mostly one byte of twelve is read.
 */
function nextPlain(chunk: Buffer, from: number, to: number): number {
  let clear = from;
  while (clear + PAN_MINIMUM_DIGITS <= to) {
    let at = clear + PAN_MINIMUM_DIGITS - 1;
    while (at >= clear && CANDIDATE[chunk[at] as number] === 1) at--;
    if (at >= clear) {
      clear = at + 1;
      continue;
    }
    const limit = Math.min(clear + STRETCH_MAXIMUM_BYTES, to);
    const end = stretchEnd(chunk, clear + PAN_MINIMUM_DIGITS, limit);
    if (end === limit ? hasDigit(chunk, clear, end) : isCandidate(chunk, clear, end)) return clear;
    clear = end;
  }
  let open = to;
  while (open > clear && CANDIDATE[chunk[open - 1] as number] === 1) open--;
  return open;
}

/** The end, not after `limit`, of the bytes around `from` that candidates consist of. */
function stretchEnd(chunk: Buffer, from: number, limit: number): number {
  let end = from;
  while (end < limit && CANDIDATE[chunk[end] as number] === 1) end++;
  return end;
}

function hasDigit(chunk: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (isDigit(chunk[at] as number)) return true;
  }
  return false;
}

/** Whether there is a group of digits in [start, end) with which a PAN can begin, and digits enough from there on. */
function isCandidate(chunk: Buffer, start: number, end: number): boolean {
  let digits = 0;
  for (let at = end - 1; at >= start; at--) {
    const byte = chunk[at] as number;
    if (isDigit(byte)) {
      digits++;
      if (digits < PAN_MINIMUM_DIGITS || (at > start && isDigit(chunk[at - 1] as number))) continue;
      const second = chunk[at + 1] as number;
      if (!isDigit(second) || mayStartPan(byte - DIGIT_0, second - DIGIT_0)) return true;
    } else if (isSeparator(chunk[at + 1])) digits = 0;
  }
  return false;
}

function isSeparator(byte: number | undefined): boolean {
  return byte === SPACE || byte === PLUS || byte === HYPHEN || byte === DOT;
}
