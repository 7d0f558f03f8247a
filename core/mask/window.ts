import {MaskError} from './error.ts';

/** Bytes before the current chunk that stay readable; what is held back has to fit in. */
const PAST_BYTES = 1024;
const NO_BYTES = Buffer.alloc(0);

/**
 * The part of a byte stream that is in sight: the current chunk at index 0 and up, and at negative indices the last
 * bytes before it. Of those the youngest may be held back: not yet emitted, still writable. Nothing else is copied:
 * the chunk is changed and passed on in place.
 */
export class StreamWindow {
  #chunk: Buffer = NO_BYTES;
  /** The bytes before the chunk, right-aligned; zeros before the start of the stream. */
  readonly #past = Buffer.alloc(PAST_BYTES);
  #bytesHeld = 0;
  #isOpen = false;
  #offset = 0;

  get chunk(): Buffer {
    return this.#chunk;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** The place of index 0 in the stream. */
  get offset(): number {
    return this.#offset;
  }

  /** Puts the next chunk in sight. Throws where the one before was never closed, as what became of it is not known. */
  open(chunk: Buffer): void {
    if (this.#isOpen) throw new MaskError('UsedAfterFailure', 'masking failed on this stream before');
    this.#isOpen = true;
    this.#chunk = chunk;
  }

  /** The byte at this index, 0 where there is none (so far back that it is forgotten, or not yet received). */
  byteAt(index: number): number {
    return (index >= 0 ? this.#chunk[index] : this.#past[PAST_BYTES + index]) ?? 0;
  }

  /** The last bytes before the chunk, of which there are at most PAST_BYTES. */
  past(bytes: number): Buffer {
    return this.#past.subarray(PAST_BYTES - bytes);
  }

  /** The bytes of [from, to) as Latin-1 text. */
  text(from: number, to: number): string {
    let text = '';
    for (let index = from; index < to; index++) text += String.fromCharCode(this.byteAt(index));
    return text;
  }

  /** Replaces a byte that is held back or in the chunk. */
  overwrite(index: number, byte: number): void {
    if (index < -this.#bytesHeld || index >= this.#chunk.length) {
      throw new MaskError('OutOfWindow', `byte ${index} is already emitted or not yet received`);
    }
    if (index >= 0) this.#chunk[index] = byte;
    else this.#past[PAST_BYTES + index] = byte;
  }

  /**
   * Emits everything before `holdFrom`, holds back the rest and leaves the chunk. From here on all indices are lower
   * by the length of the chunk, which is returned.
   */
  close(holdFrom: number, emit: (bytes: Buffer) => void): number {
    const chunk = this.#chunk;
    const {length} = chunk;
    if (length - holdFrom > PAST_BYTES || holdFrom < -this.#bytesHeld) {
      throw new MaskError(
        'HoldTooLarge',
        `${length - holdFrom} bytes would be held back, at most ${PAST_BYTES} can be`,
      );
    }
    const past = this.#past;
    const released =
      this.#bytesHeld > 0 && holdFrom > -this.#bytesHeld
        ? Buffer.from(past.subarray(PAST_BYTES - this.#bytesHeld, PAST_BYTES + Math.min(holdFrom, 0)))
        : undefined;
    if (length >= PAST_BYTES) chunk.copy(past, 0, length - PAST_BYTES);
    else {
      past.copyWithin(0, length);
      chunk.copy(past, PAST_BYTES - length);
    }
    this.#bytesHeld = length - holdFrom;
    this.#chunk = NO_BYTES;
    this.#offset += length;
    if (released !== undefined) emit(released);
    if (holdFrom > 0) emit(holdFrom === length ? chunk : chunk.subarray(0, holdFrom));
    this.#isOpen = false;
    return length;
  }

  /** Forgets everything: what comes next is the start of another stream. */
  reset(): void {
    this.#past.fill(0);
    this.#bytesHeld = 0;
    this.#offset = 0;
  }
}
