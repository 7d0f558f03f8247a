import {BACKSLASH, QUOTE} from './bytes.ts';
import {JsonPosition} from './jsonposition.ts';
import {nameOfValue, REACH_BYTES} from './membername.ts';
import type {Stage} from './stagedmasker.ts';

/** So that what is asked about can also be held back: it is never behind the chunk by more than the reach. */
const PAST_BYTES = 2 * REACH_BYTES;

/** Of the memory for it, so that it is moved up but once for each so many bytes. */
const MOST_BYTES = 4 * PAST_BYTES;

/** Memory above this is not kept. */
const COPY_BYTES = 128 * 1024;

const NO_BYTES = Buffer.alloc(0);

/** A string that began long ago. */
export interface LongString {
  /** The offset of its opening quote. */
  readonly quote: number;
  readonly name: string | undefined;
}

/**
 * Passes a stream of JSON on, and keeps the last bytes of it in sight, so that a detector behind it that found something
 * can ask what member it is in. Of a string that has begun longer ago the name is kept. That is all that is done where
 * nothing is found.
 */
export class StreamView implements Stage {
  readonly counts = {};
  readonly heldBytes = 0;
  readonly #onBegin: (() => void)[] = [];
  #chunk: Buffer = NO_BYTES;
  /** Of the chunk's first byte. */
  #offset = 0;
  /** A chunk in which something is overwritten. */
  #copy: Buffer = NO_BYTES;
  #isKept = false;
  #past: Buffer = NO_BYTES;
  #pastEnd = 0;
  readonly #position = new JsonPosition({byteAt: (index: number) => this.byteAt(this.#offset + index)});
  #longString: LongString | undefined;
  #hasEnded = false;

  /** @param listener called where another stream begins */
  onBegin(listener: () => void): void {
    this.#onBegin.push(listener);
  }

  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    if (this.#hasEnded) this.#reset();
    this.#chunk = chunk;
    this.#isKept = false;
    // Before it is passed on, as then it is changed.
    const longString = this.#longStringAtEnd();
    const pastEnd = this.#keep(chunk);
    emit(chunk);
    this.#longString = longString;
    this.#pastEnd = pastEnd;
    this.#position.rebase(chunk.length);
    this.#offset += chunk.length;
    this.#chunk = NO_BYTES;
    if (this.#copy.length > COPY_BYTES) this.#copy = NO_BYTES;
  }

  flush(): void {}

  /** What is behind ends later, and may ask until then. */
  end(): void {
    if (this.#hasEnded) this.#reset();
    this.#hasEnded = true;
    // Maskers wait in large numbers for the next stream.
    this.#copy = NO_BYTES;
  }

  /** What is asked about from here on is what came in, whatever becomes of the chunk. */
  keepAsItCame(): void {
    const {length} = this.#chunk;
    if (this.#isKept) return;
    this.#isKept = true;
    if (this.#copy.length < length) this.#copy = Buffer.allocUnsafeSlow(length);
    this.#chunk.copy(this.#copy);
    this.#chunk = this.#copy.subarray(0, length);
  }

  /** Of the string that was open where the chunk begins, if it had begun more than the reach before. */
  get longString(): LongString | undefined {
    return this.#longString;
  }

  /** Before this offset a string has begun that is no long string, where one is open. */
  get shortFrom(): number {
    return Math.max(this.#offset - REACH_BYTES, 0);
  }

  /** The byte at this offset of the stream, 0 where it is out of sight. */
  byteAt(offset: number): number {
    const index = offset - this.#offset;
    if (index >= 0) return this.#chunk[index] ?? 0;
    return index < -PAST_BYTES ? 0 : (this.#past[this.#pastEnd + index] ?? 0);
  }

  /** The last quote before an offset that is not escaped, -1 if there is none from `floor` on. */
  quoteBefore(offset: number, floor: number): number {
    const index = offset - this.#offset;
    const inChunk = this.#quoteIn(this.#chunk, this.#offset, index, floor);
    if (inChunk >= 0) return inChunk;
    const pastFloor = Math.max(floor, this.#offset - Math.min(this.#pastEnd, PAST_BYTES));
    return this.#quoteIn(this.#past, this.#offset - this.#pastEnd, this.#pastEnd + Math.min(index, 0), pastFloor);
  }

  /** The same in a buffer that begins at the offset `start`, before its index `end`. */
  #quoteIn(buffer: Buffer, start: number, end: number, floor: number): number {
    if (end <= 0) return -1;
    const first = Math.max(floor - start, 0);
    // Most strings hold none, so that the first that is found is the one.
    for (let at = buffer.lastIndexOf(QUOTE, end - 1); at >= first; at--) {
      if (buffer[at] !== QUOTE || (buffer[at - 1] === BACKSLASH && buffer[at - 2] !== BACKSLASH && at > 1)) continue;
      if (!this.#isEscaped(start + at)) return start + at;
    }
    return -1;
  }

  #isEscaped(quote: number): boolean {
    let at = quote - 1;
    while (this.byteAt(at) === BACKSLASH) at--;
    return (quote - at) % 2 === 0;
  }

  #longStringAtEnd(): LongString | undefined {
    const {length} = this.#chunk;
    if (!this.#position.inString(length)) return undefined;
    const end = this.#offset + length;
    const quote = this.quoteBefore(end, this.shortFrom);
    if (quote < 0) return this.#longString;
    return end - quote < REACH_BYTES ? undefined : {quote, name: nameOfValue(this, quote)};
  }

  /** Adds the end of the chunk to the past. Gives where that ends. */
  #keep(chunk: Buffer): number {
    const bytes = Math.min(chunk.length, PAST_BYTES);
    this.#makeRoom(this.#pastEnd + bytes);
    if (this.#pastEnd + bytes > this.#past.length) {
      const kept = Math.min(this.#pastEnd, PAST_BYTES);
      this.#past.copyWithin(0, this.#pastEnd - kept, this.#pastEnd);
      this.#pastEnd = kept;
    }
    chunk.copy(this.#past, this.#pastEnd, chunk.length - bytes);
    return this.#pastEnd + bytes;
  }

  /** Thousands of watches are open on which little passes: each has as much memory as it needs. */
  #makeRoom(bytes: number): void {
    if (bytes <= this.#past.length || this.#past.length === MOST_BYTES) return;
    const larger = Buffer.alloc(Math.min(2 ** Math.ceil(Math.log2(bytes)), MOST_BYTES));
    this.#past.copy(larger, 0, 0, this.#pastEnd);
    this.#past = larger;
  }

  #reset(): void {
    this.#hasEnded = false;
    this.#offset = 0;
    this.#pastEnd = 0;
    this.#longString = undefined;
    this.#position.reset();
    for (const listener of this.#onBegin) listener();
  }
}
