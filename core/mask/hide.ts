import {ASTERISK, BACKSLASH, isDigit, PERCENT} from './bytes.ts';
import type {DigitPosition} from './digitrun.ts';
import type {StreamWindow} from './window.ts';

const HASH = 0x23;
const SEMICOLON = 0x3b;

/** The code of an asterisk in hex digits and in decimal digits, of which the last are used. */
const HEX = Buffer.from('0000002a');
const DECIMAL = Buffer.from('00000042');

/**
 * Overwrites a digit by an asterisk that is written as the digit is, or by several, so that no length changes. Gives
 * whether it was still to be seen.
 */
export function hideDigit(window: StreamWindow, {start, end}: DigitPosition): boolean {
  const first = window.byteAt(start);
  if (end - start > 1 && window.byteAt(end - 1) === SEMICOLON) return hideReference(window, start, end - 1);
  if (first === BACKSLASH) return hideEscapes(window, start, end);
  if (first === PERCENT) return hidePercent(window, start, end);
  let changed = false;
  for (let at = start; at < end; at++) changed = put(window, at, ASTERISK) || changed;
  return changed;
}

/** One escape, or both of a character that is two in UTF-16. */
function hideEscapes(window: StreamWindow, start: number, end: number): boolean {
  let backslashes = 1;
  while (window.byteAt(start + backslashes) === BACKSLASH) backslashes++;
  const length = backslashes + 5;
  const changed = write(window, HEX, end - 4, end);
  return end - start > length ? write(window, HEX, end - 4 - length, end - length) || changed : changed;
}

function hidePercent(window: StreamWindow, start: number, end: number): boolean {
  let changed = false;
  for (let at = start; at < end; at += 3) changed = write(window, HEX, at + 1, at + 3) || changed;
  return changed;
}

/** A numeric character reference, &#52; or &#x34;, without its semicolon. */
function hideReference(window: StreamWindow, start: number, end: number): boolean {
  let digits = end;
  while (digits > start && window.byteAt(digits - 1) !== HASH) digits--;
  if (isDigit(window.byteAt(digits))) return write(window, DECIMAL, digits, end);
  return write(window, HEX, digits + 1, end);
}

function write(window: StreamWindow, code: Buffer, start: number, end: number): boolean {
  let changed = false;
  for (let at = start; at < end; at++) changed = put(window, at, code[code.length - (end - at)] as number) || changed;
  return changed;
}

function put(window: StreamWindow, at: number, byte: number): boolean {
  if (window.byteAt(at) === byte) return false;
  window.overwrite(at, byte);
  return true;
}
