import {LEADS, PAIRS} from '../utf8.ts';
import {moduleBase64} from './module.ts';

/** Read in one go. */
export const BLOCK_BYTES = 0x8000;
/** Bytes before a block in which names are looked for too: no name is longer. */
export const BEFORE_BYTES = 32;

/** As in assembly.ts. */
const INPUT = 0x10000;
const STRETCHES = 0x20000;
const PLACES = 0x28000;
const PLACE_COUNT = 0;
const LEADS_AT = 0x100;
const PAIRS_AT = 0x1000;
/** What the code reads behind a block at most. */
const PADDING_BYTES = 64;

const NONE = new Int32Array(0);

/** What TypeScript's library has for browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => {readonly exports: unknown};
};

interface Exports {
  readonly memory: {readonly buffer: ArrayBuffer};
  candidates(length: number, isText: number): number;
  names(length: number): number;
}

const exports = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(moduleBase64, 'base64')))
  .exports as Exports;
/** Filled anew for each block: nothing in it outlives a call. */
const memory = new Uint8Array(exports.memory.buffer);
const integers = new Int32Array(exports.memory.buffer);
memory.set(LEADS, LEADS_AT);
memory.set(PAIRS, PAIRS_AT);

export interface Candidates {
  /** Start and end in turn of stretches of at least 12 digits and separators, and of one at the end however short. */
  readonly stretches: Int32Array;
  /** Where a card number may be that is not written plainly: backslashes before a `u`, per cent signs and the like. */
  readonly markers: Int32Array;
}

/** Says where in at most BLOCK_BYTES bytes it has to be looked for card numbers. Indices are of `bytes`. */
export function findCandidates(bytes: Uint8Array, isText: boolean): Candidates {
  fill(bytes);
  const stretches = exports.candidates(bytes.length, isText ? 1 : 0);
  return {stretches: numbers(STRETCHES, stretches), markers: numbers(PLACES, integers[PLACE_COUNT] as number)};
}

/**
 * Says where in at most BLOCK_BYTES bytes there may be a name of a verification code or PIN block: three of its letters.
 *
 * @param before the BEFORE_BYTES bytes that came before: places in them are negative
 */
export function findNames(bytes: Uint8Array, before: Uint8Array): Int32Array {
  memory.set(before, INPUT - BEFORE_BYTES);
  fill(bytes);
  return numbers(PLACES, exports.names(bytes.length));
}

function fill(bytes: Uint8Array): void {
  memory.set(bytes, INPUT);
  memory.fill(0, INPUT + bytes.length, INPUT + bytes.length + PADDING_BYTES);
}

function numbers(at: number, count: number): Int32Array {
  return count === 0 ? NONE : integers.slice(at >> 2, (at >> 2) + count);
}
