import {MaskError} from './error.ts';

/** Bytes before the current chunk that stay readable; what is held back has to fit in, unless its owner says more. */
const PAST_BYTES = 1024;
/** Memory above this is not kept once what needed it is released. */
const KEPT_BYTES = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

/**
 * The part of a byte stream that is in sight: the current chunk at index 0 and up, and at negative indices the last
 * bytes before it. Of those the youngest may be held back: not yet emitted, still writable. Nothing else is copied:
 * the chunk is changed and passed on in place.
 */
export class StreamWindow {
  #chunk: Buffer = NO_BYTES;
  /** Up to `#pastEnd` the bytes before the chunk; zeros before the start of the stream. */
  #past = Buffer.alloc(2 * PAST_BYTES);
  #pastEnd = PAST_BYTES;
  #bytesHeld = 0;
  #isOpen = false;
  #isChanged = false;
  #offset = 0;
  readonly #maximumHeldBytes: number;

  constructor(maximumHeldBytes = PAST_BYTES) {
    this.#maximumHeldBytes = maximumHeldBytes;
  }

  get chunk(): Buffer {
    return this.#chunk;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** Whether a byte of the current chunk was replaced, or of the one that is being emitted. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** The place of index 0 in the stream. */
  get offset(): number {
    return this.#offset;
  }

  /** Puts the next chunk in sight. Throws where the one before was never closed, as what became of it is not known. */
  open(chunk: Buffer): void {
    if (this.#isOpen) throw new MaskError('UsedAfterFailure', 'masking failed on this stream before');
    this.#isOpen = true;
    this.#isChanged = false;
    this.#chunk = chunk;
  }

  /** The byte at this index, 0 where there is none (so far back that it is forgotten, or not yet received). */
  byteAt(index: number): number {
    return (index >= 0 ? this.#chunk[index] : this.#past[this.#pastEnd + index]) ?? 0;
  }

  /** The last bytes before the chunk, of which there are at most PAST_BYTES. */
  past(bytes: number): Buffer {
    return this.#past.subarray(this.#pastEnd - bytes, this.#pastEnd);
  }

  /** The bytes of [from, to) as Latin-1 text. */
  text(from: number, to: number): string {
    let text = '';
    for (let index = from; index < to; index++) text += String.fromCharCode(this.byteAt(index));
    return text;
  }

  /** A copy of the bytes of [from, to), all of them held back or in the chunk. */
  copyOf(from: number, to: number): Buffer {
    this.#check(from, to);
    const past = this.#past.subarray(this.#pastEnd + Math.min(from, 0), this.#pastEnd + Math.min(to, 0));
    return Buffer.concat([past, this.#chunk.subarray(Math.max(from, 0), Math.max(to, 0))]);
  }

  /** Replaces bytes that are held back or in the chunk by as many others. */
  write(index: number, bytes: Buffer): void {
    this.#check(index, index + bytes.length);
    const inPast = Math.min(Math.max(-index, 0), bytes.length);
    if (inPast > 0) bytes.copy(this.#past, this.#pastEnd + index, 0, inPast);
    if (inPast === bytes.length) return;
    this.#isChanged = true;
    bytes.copy(this.#chunk, index + inPast, inPast);
  }

  /** Replaces a byte that is held back or in the chunk. */
  overwrite(index: number, byte: number): void {
    this.#check(index, index + 1);
    if (index < 0) {
      this.#past[this.#pastEnd + index] = byte;
      return;
    }
    this.#isChanged = true;
    this.#chunk[index] = byte;
  }

  /**
   * Emits everything before `holdFrom`, holds back the rest and leaves the chunk. From here on all indices are lower
   * by the length of the chunk, which is returned.
   */
  close(holdFrom: number, emit: (bytes: Buffer) => void): number {
    const chunk = this.#chunk;
    const {length} = chunk;
    if (length - holdFrom > this.#maximumHeldBytes || holdFrom < -this.#bytesHeld) {
      throw new MaskError(
        'HoldTooLarge',
        `${length - holdFrom} bytes would be held back, at most ${this.#maximumHeldBytes} can be`,
      );
    }
    const released =
      this.#bytesHeld > 0 && holdFrom > -this.#bytesHeld
        ? Buffer.from(this.#past.subarray(this.#pastEnd - this.#bytesHeld, this.#pastEnd + Math.min(holdFrom, 0)))
        : undefined;
    this.#bytesHeld = length - holdFrom;
    this.#keep(chunk, Math.max(this.#bytesHeld, PAST_BYTES));
    this.#chunk = NO_BYTES;
    this.#offset += length;
    if (released !== undefined) emit(released);
    if (holdFrom > 0) emit(holdFrom === length ? chunk : chunk.subarray(0, holdFrom));
    this.#isOpen = false;
    return length;
  }

  /** The last so many bytes are the past from here on. Each is moved a few times at most, however small the chunks. */
  #keep(chunk: Buffer, bytes: number): void {
    const fromPast = Math.max(bytes - chunk.length, 0);
    const fromChunk = bytes - fromPast;
    const past = this.#past;
    const isLarge = past.length > KEPT_BYTES && bytes === PAST_BYTES;
    if (fromPast === 0 || isLarge || this.#pastEnd + fromChunk > past.length) {
      if (isLarge || past.length < 2 * bytes) this.#past = Buffer.alloc(isLarge ? 2 * PAST_BYTES : 4 * bytes);
      past.copy(this.#past, 0, this.#pastEnd - fromPast, this.#pastEnd);
      this.#pastEnd = fromPast;
    }
    chunk.copy(this.#past, this.#pastEnd, chunk.length - fromChunk);
    this.#pastEnd += fromChunk;
  }

  #check(from: number, to: number): void {
    if (from < -this.#bytesHeld || to > this.#chunk.length) {
      throw new MaskError('OutOfWindow', `byte ${from} is already emitted or not yet received`);
    }
  }

  /** Forgets everything: what comes next is the start of another stream. */
  reset(): void {
    if (this.#past.length > KEPT_BYTES) this.#past = Buffer.alloc(2 * PAST_BYTES);
    this.#past.fill(0, 0, PAST_BYTES);
    this.#pastEnd = PAST_BYTES;
    this.#bytesHeld = 0;
    this.#offset = 0;
  }
}
