import {type OutboxBuffers, pieceBytes} from './outbox.ts';

/**
 * Gathers what comes in of one response and hands it on in few large pieces: kube-apiserver sends a list object by object,
 * and to mask each by itself costs more than to copy all of them. What was put is handed on at the end of the event loop's
 * turn, once it is a piece, or when it is asked for.
 */
export class Inbox {
  readonly #buffers: OutboxBuffers;
  readonly #take: (bytes: Buffer) => void;
  readonly #turnEnds: () => void;
  #buffer: Buffer | undefined;
  #used = 0;
  #scheduled = false;

  /**
   * @param take is given the bytes, which are its own until it returns
   * @param turnEnds called where something was put in this turn, to `deliver` it
   */
  constructor(buffers: OutboxBuffers, take: (bytes: Buffer) => void, turnEnds: () => void) {
    this.#buffers = buffers;
    this.#take = take;
    this.#turnEnds = turnEnds;
  }

  /** Takes a copy: the bytes may be changed afterwards. Throws what `take` does. */
  put(bytes: Buffer): void {
    let taken = 0;
    while (taken < bytes.length) {
      this.#buffer ??= this.#buffers.take();
      const count = Math.min(pieceBytes - this.#used, bytes.length - taken);
      bytes.copy(this.#buffer, this.#used, taken, taken + count);
      this.#used += count;
      taken += count;
      if (this.#used === pieceBytes) this.deliver();
    }
    if (this.#used === 0 || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#later);
  }

  /** Hands on what there is. Throws what `take` does. */
  deliver(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const bytes = buffer.subarray(0, this.#used);
    this.#buffer = undefined;
    this.#used = 0;
    try {
      this.#take(bytes);
    } finally {
      this.#buffers.give(buffer);
    }
  }

  /** Forgets what was not handed on. */
  discard(): void {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    this.#used = 0;
    if (buffer !== undefined) this.#buffers.give(buffer);
  }

  readonly #later = (): void => {
    this.#scheduled = false;
    if (this.#used > 0) this.#turnEnds();
  };
}
