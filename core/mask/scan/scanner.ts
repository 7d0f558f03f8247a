import {LEADS, PAIRS} from '../utf8.ts';
import {moduleBase64} from './module.ts';

/** Read in one go. */
export const BLOCK_BYTES = 0x8000;
/** Bytes before a block in which a name may begin whose three letters are not all before it. */
export const BEFORE_BYTES = 16;

/** As in assembly.ts. */
const INPUT = 0x10000;
const STRETCHES = 0x20000;
const MARKERS = 0x28000;
const NAMES = 0x38000;
const DATA = 0x48000;
const STRETCH_COUNT = 0;
const MARKER_COUNT = 4;
const NAME_COUNT = 8;
const DATA_COUNT = 12;
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
  scan(length: number, isText: number): void;
}

const exports = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(moduleBase64, 'base64')))
  .exports as Exports;
/** Filled anew for each block: nothing in it outlives a call. */
const memory = new Uint8Array(exports.memory.buffer);
const integers = new Int32Array(exports.memory.buffer);
memory.set(LEADS, LEADS_AT);
memory.set(PAIRS, PAIRS_AT);

export interface Scanned {
  /** Start and end in turn of stretches of at least 12 digits and separators, and of one at the end however short. */
  readonly stretches: Int32Array;
  /** Where a card number may be that is not written plainly: backslashes before a `u`, per cent signs and the like. */
  readonly markers: Int32Array;
  /**
   * Three letters of each name of a verification code or PIN block. What began before the bytes has a negative place, and
   * may have been listed with them.
   */
  readonly names: Int32Array;
  /** The three letters `yDa` of `binaryData`, likewise. */
  readonly data: Int32Array;
}

/**
 * Says where in at most BLOCK_BYTES bytes it has to be looked closely. Indices are of `bytes`.
 *
 * @param before the BEFORE_BYTES bytes that came before
 * @param isText whether terminal sequences and line wraps are markers
 */
export function scan(bytes: Uint8Array, before: Uint8Array, isText: boolean): Scanned {
  memory.set(before, INPUT - BEFORE_BYTES);
  memory.set(bytes, INPUT);
  memory.fill(0, INPUT + bytes.length, INPUT + bytes.length + PADDING_BYTES);
  exports.scan(bytes.length, isText ? 1 : 0);
  return {
    stretches: numbers(STRETCHES, STRETCH_COUNT),
    markers: numbers(MARKERS, MARKER_COUNT),
    names: numbers(NAMES, NAME_COUNT),
    data: numbers(DATA, DATA_COUNT),
  };
}

function numbers(at: number, countAt: number): Int32Array {
  const count = integers[countAt >> 2] as number;
  return count === 0 ? NONE : integers.slice(at >> 2, (at >> 2) + count);
}
