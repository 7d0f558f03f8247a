import {isAscii} from 'node:buffer';
import {AMPERSAND, BACKSLASH, byteSet, CARRIAGE_RETURN, ESCAPE, isDigit, PERCENT, SPACE} from './bytes.ts';
import {meaningOf} from './characters.ts';
import {readUnit} from './unit.ts';
import {isPair, LEADS} from './utf8.ts';
import type {StreamWindow} from './window.ts';

/** Looked through in one go for a byte beyond ASCII. */
const BLOCK_BYTES = 2048;

/** After every chunk. An integer, as what is compared with it stays one then, which is three times as fast. */
const NONE = 0x3fffffff;

type Find = (chunk: Buffer, from: number) => number;

const FINDS: readonly Find[] = [
  findPair(PERCENT, '0123456789abcdefABCDEF'),
  findPair(AMPERSAND, '#dehlmnprstz'),
  findEscape,
  findBeyondAscii,
];

/**
 * The places of a chunk at which a card number can go on or begin that is not written plainly: escapes, encodings,
 * characters beyond ASCII. They are rare, and each kind is found by a search of the whole chunk that is native, so
 * that the bytes between need be read for digits only.
 */
export class Markers {
  readonly #window: StreamWindow;
  readonly #json: boolean;
  readonly #finds: readonly Find[];
  /** For each kind the next place, known up to there. */
  readonly #places: Int32Array;
  #chunk: Buffer = Buffer.alloc(0);
  #next = NONE;

  constructor(window: StreamWindow, json: boolean) {
    this.#window = window;
    this.#json = json;
    this.#finds = json ? FINDS : [...FINDS, findPair(ESCAPE, '['), findPair(CARRIAGE_RETURN, '\n')];
    this.#places = new Int32Array(this.#finds.length);
  }

  /** The chunk is that of the window from here on. */
  open(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#places.fill(-1);
    this.#next = -1;
  }

  /** The next place at or after `from`, or the end of the chunk. */
  next(from: number): number {
    if (this.#next < from) this.#next = this.#find(from);
    return this.#next;
  }

  #find(from: number): number {
    const {length} = this.#chunk;
    let at = from;
    for (;;) {
      at = this.#nextPlace(at);
      if (at >= length) return length;
      const step = this.#stepOver(at);
      if (step === 0) return at;
      at += step;
    }
  }

  #nextPlace(from: number): number {
    let first = NONE;
    for (let kind = 0; kind < this.#finds.length; kind++) {
      let place = this.#places[kind] as number;
      if (place < from) {
        const found = (this.#finds[kind] as Find)(this.#chunk, from);
        place = found < 0 ? NONE : found;
        this.#places[kind] = place;
      }
      if (place < first) first = place;
    }
    return first;
  }

  /** How many bytes at this place can be stepped over, as they are of no card; 0 if they may be. */
  #stepOver(at: number): number {
    const unit = readUnit(this.#window, at, this.#chunk.length, false, this.#json);
    if (unit.kind !== 'known') return 0;
    const {length, meaning} = unit.decoded ?? unit;
    // The last hex digit of an escape must not be taken for the first digit of a number.
    if (meaning.kind === 'digit' || isDigit(this.#chunk[at + length - 1] as number)) return 0;
    // What is no digit itself must come after one.
    return meaning.kind === 'other' || !this.#isAfterDigit(at) ? unit.length : 0;
  }

  #isAfterDigit(at: number): boolean {
    const before = this.#chunk[at - 1];
    if (before === undefined) return false;
    if (isDigit(before)) return true;
    const separated = before < 0x80 && meaningOf(before).kind === 'separator';
    return separated && isDigit(this.#chunk[at - 2] ?? SPACE);
  }
}

/** The byte with one of these after it, or at the end. */
function findPair(byte: number, seconds: string): Find {
  const isSecond = byteSet(seconds);
  return (chunk, from) => {
    let at = chunk.indexOf(byte, from);
    while (at >= 0 && at + 1 < chunk.length && isSecond[chunk[at + 1] as number] === 0)
      at = chunk.indexOf(byte, at + 1);
    return at;
  };
}

/** A backslash before a `u`, or at the end: the first of its row. */
function findEscape(chunk: Buffer, from: number): number {
  if (chunk.indexOf(BACKSLASH, from) < 0) return -1;
  const found = chunk.indexOf('\\u', from, 'latin1');
  let at = found < 0 ? chunk.length : found;
  if (found < 0 && chunk[at - 1] !== BACKSLASH) return -1;
  while (at > from && chunk[at - 1] === BACKSLASH) at--;
  return at < chunk.length ? at : -1;
}

function findBeyondAscii(chunk: Buffer, from: number): number {
  for (let block = from; block < chunk.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, chunk.length);
    if (isAscii(end - block === chunk.length ? chunk : chunk.subarray(block, end))) continue;
    for (let at = block; at < end; at++) {
      const byte = chunk[at] as number;
      if (LEADS[byte] === 0) continue;
      if (at + 1 === chunk.length || isPair(byte, chunk[at + 1] as number)) return at;
    }
  }
  return -1;
}
