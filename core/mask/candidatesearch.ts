import {BACKSLASH, byteSet, DIGIT_0, DOT, HYPHEN, isDigit, PLUS, SPACE} from './bytes.ts';
import {meaningOf} from './characters.ts';
import {mayStartPan, PAN_MAXIMUM_DIGITS, PAN_MINIMUM_DIGITS} from './pan.ts';
import type {ChunkScan, ScannedBlock} from './scan/chunkscan.ts';
import {readUnit} from './unit.ts';
import type {StreamWindow} from './window.ts';

/** What candidates consist of that are written plainly: digits and separators. All else is at a marker. */
const CANDIDATE = byteSet('0123456789 +-.');

/** Where candidates start at the beginning of a group of digits only. */
const STRETCH_MAXIMUM_BYTES = 32;

/**
 * Finds where to look closely in a chunk. What lies between is read by the scanner alone, a block at a time; here only
 * what that lists is looked at: stretches of digits and separators, and the places at which a card number may go on or
 * begin that is not written plainly: escapes, encodings, characters beyond ASCII.
 */
export class CandidateSearch {
  readonly #window: StreamWindow;
  readonly #json: boolean;
  /** A longer stretch is read closely from its first digit on. */
  readonly #stretchMaximum: number;
  #scanned: ChunkScan | undefined;
  /** The block that is being gone through. */
  #block: ScannedBlock | undefined;
  #nextStretch = 0;
  #nextMarker = 0;
  /** No escape goes on behind this. */
  #clear = 0;

  /** @param inside whether candidates also start inside of digit runs longer than any PAN */
  constructor(window: StreamWindow, json: boolean, inside: boolean) {
    this.#stretchMaximum = inside ? PAN_MAXIMUM_DIGITS : STRETCH_MAXIMUM_BYTES;
    this.#window = window;
    this.#json = json;
  }

  /** The chunk, which is that of the window, is asked about from here on. */
  open(scanned: ChunkScan): void {
    this.#scanned = scanned;
    this.#block = undefined;
  }

  close(): void {
    this.#scanned = undefined;
    this.#block = undefined;
  }

  /**
   * Gives an index at or after `from` before which no candidate starts. A candidate may start there, or the chunk ends
   * before that can be told.
   *
   * @param from an index of the chunk that is neither after a digit of a candidate nor inside an escape, and not before
   * one that was asked about
   */
  next(from: number): number {
    const scanned = this.#scanned;
    if (scanned === undefined) return from;
    const {length} = scanned.chunk;
    this.#clear = from;
    let at = from;
    while (at < length) {
      const block = this.#blockAt(scanned, at);
      const marker = this.#nextMarkerPlace(scanned.chunk, block);
      const stretch = this.#stretchFrom(scanned.chunk, block, at, marker);
      if (stretch < marker) return stretch;
      if (marker < block.end) return openBefore(scanned.chunk, marker, from);
      at = Math.max(block.end, this.#clear);
    }
    return length;
  }

  #blockAt(scanned: ChunkScan, at: number): ScannedBlock {
    if (this.#block !== undefined && at < this.#block.end) return this.#block;
    this.#nextStretch = 0;
    this.#nextMarker = 0;
    this.#block = scanned.blockAt(at);
    return this.#block;
  }

  /** The next marker that cannot be stepped over, or the end of the block. */
  #nextMarkerPlace(chunk: Buffer, {start, end, markers}: ScannedBlock): number {
    while (this.#nextMarker < markers.length) {
      const place = start + (markers[this.#nextMarker] as number);
      if (place < this.#clear) {
        this.#nextMarker++;
        continue;
      }
      const marker = this.#rowStart(chunk, place);
      const step = this.#stepOver(chunk, marker);
      if (step === 0) return marker;
      this.#clear = marker + step;
    }
    return end;
  }

  /** The first of the backslashes that this one is the last of, though they may begin in the block before. */
  #rowStart(chunk: Buffer, place: number): number {
    let at = place;
    if (chunk[at] === BACKSLASH) while (at > this.#clear && chunk[at - 1] === BACKSLASH) at--;
    return at;
  }

  /** How many bytes at this place can be stepped over, as they are of no card; 0 if they may be. */
  #stepOver(chunk: Buffer, at: number): number {
    const unit = readUnit(this.#window, at, chunk.length, false, this.#json);
    if (unit.kind !== 'known') return 0;
    const {length, meaning} = unit.decoded ?? unit;
    // The last hex digit of an escape must not be taken for the first digit of a number.
    if (meaning.kind === 'digit' || isDigit(chunk[at + length - 1] as number)) return 0;
    // What is no digit itself must come after one.
    return meaning.kind === 'other' || !isAfterDigit(chunk, at) ? unit.length : 0;
  }

  /** Where between `from` and `marker` a candidate may start; `marker` where none does. */
  #stretchFrom(chunk: Buffer, block: ScannedBlock, from: number, marker: number): number {
    const {stretches} = block;
    for (; this.#nextStretch < stretches.length; this.#nextStretch += 2) {
      const start = Math.max(from, block.start + (stretches[this.#nextStretch] as number));
      const end = block.start + (stretches[this.#nextStretch + 1] as number);
      if (start >= marker) return marker;
      if (start >= end) continue;
      if (end === marker || end - start > this.#stretchMaximum) {
        const digit = firstDigit(chunk, start, end);
        if (digit < end) return digit;
      } else if (isCandidate(chunk, start, end)) return start;
    }
    return marker;
  }
}

function isAfterDigit(chunk: Buffer, at: number): boolean {
  const before = chunk[at - 1];
  if (before === undefined) return false;
  if (isDigit(before)) return true;
  const separated = before < 0x80 && meaningOf(before).kind === 'separator';
  return separated && isDigit(chunk[at - 2] ?? SPACE);
}

/** The first of the digits that go up to the marker, with separators among them. */
function openBefore(chunk: Buffer, marker: number, from: number): number {
  let at = marker;
  while (at > from && CANDIDATE[chunk[at - 1] as number] === 1) at--;
  return firstDigit(chunk, at, marker);
}

function firstDigit(chunk: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && !isDigit(chunk[at] as number)) at++;
  return at;
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
