import {MEANINGFUL} from './characters.ts';
import type {StreamWindow} from './window.ts';

/** 1 at the first bytes of the characters beyond ASCII that may be part of a card number. */
export const LEADS = new Uint8Array(256);
/** The same for their first two bytes: the low six bits of each, one behind the other. */
export const PAIRS = new Uint8Array(64 * 64);
for (const codePoint of MEANINGFUL) {
  const [lead, second] = Buffer.from(String.fromCodePoint(codePoint));
  if (lead === undefined || second === undefined) continue;
  LEADS[lead] = 1;
  PAIRS[place(lead, second)] = 1;
}

function place(lead: number, second: number): number {
  return ((lead & 0x3f) << 6) | (second & 0x3f);
}

/** Whether a character that begins with these bytes, the first one of LEADS, may be part of a card number. */
export function isPair(lead: number, second: number): boolean {
  return isContinuation(second) && PAIRS[place(lead, second)] === 1;
}

export type Utf8 =
  | {readonly kind: 'character'; readonly length: number; readonly codePoint: number}
  | {readonly kind: 'other'; readonly length: 1}
  | {readonly kind: 'incomplete'};

const OTHER: Utf8 = {kind: 'other', length: 1};
const INCOMPLETE: Utf8 = {kind: 'incomplete'};

/**
 * Reads the character (RFC 3629) at `index`, whose first byte is 0x80 or more, if it may be part of a card number.
 *
 * @param end where the received bytes end
 * @param final whether the stream ends there
 */
export function readUtf8(window: StreamWindow, index: number, end: number, final: boolean): Utf8 {
  const lead = window.byteAt(index);
  if (LEADS[lead] === 0) return OTHER;
  const unknown = final ? OTHER : INCOMPLETE;
  if (index + 1 >= end) return unknown;
  if (!isPair(lead, window.byteAt(index + 1))) return OTHER;
  const length = utf8Length(lead);
  let codePoint = lead & (0xff >> (length + 1));
  for (let at = index + 1; at < index + length; at++) {
    if (at >= end) return unknown;
    const byte = window.byteAt(at);
    if (!isContinuation(byte)) return OTHER;
    codePoint = (codePoint << 6) | (byte & 0x3f);
  }
  return {kind: 'character', length, codePoint};
}

/** How many bytes a character has that begins with this one, of 0xc2 or more. */
export function utf8Length(lead: number): number {
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
