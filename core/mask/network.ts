import {DIGIT_0, isDigit} from './bytes.ts';
import {ISSUER_RANGES} from './issuers.ts';
import {readUnit} from './unit.ts';
import type {StreamWindow} from './window.ts';

/** The network that issues a card number: that of the narrowest range, as some lie inside of others. */
export function networkOf(pan: string): string | undefined {
  let network: string | undefined;
  let narrowest = Number.POSITIVE_INFINITY;
  for (const range of ISSUER_RANGES) {
    const prefix = pan.slice(0, range.low.length);
    if (prefix < range.low || prefix > range.high || !range.lengths.includes(pan.length)) continue;
    const width = (Number(range.high) - Number(range.low) + 1) / 10 ** range.low.length;
    if (width >= narrowest) continue;
    narrowest = width;
    network = range.network;
  }
  return network;
}

/** The same of the card number that stands at [start, end), as it stands or decoded. */
export function networkAt(window: StreamWindow, start: number, end: number, json: boolean): string | undefined {
  return networkOf(digitsAt(window, start, end, json, true)) ?? networkOf(digitsAt(window, start, end, json, false));
}

function digitsAt(window: StreamWindow, start: number, end: number, json: boolean, decoded: boolean): string {
  let digits = '';
  for (let at = start; at < end; ) {
    const byte = window.byteAt(at);
    if (isDigit(byte)) {
      digits += byte - DIGIT_0;
      at++;
      continue;
    }
    const unit = readUnit(window, at, end, true, json);
    const asItStands = unit.kind === 'known' ? unit : undefined;
    const read = decoded && unit.kind !== 'incomplete' ? (unit.decoded ?? asItStands) : asItStands;
    if (read?.meaning.kind === 'digit') digits += read.meaning.value;
    at += read?.length ?? 1;
  }
  return digits;
}
