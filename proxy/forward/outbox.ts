import type {ServedResponse} from '../path/call.ts';

/** What is gathered and masked at once: few enough to stay in the processor's cache. */
export const pieceBytes = 128 * 1024;
/** A masker holds a little of a piece back, and lets it go before the next: each piece in is to be one write out. */
const slackBytes = 4 * 1024;
const bufferBytes = pieceBytes + slackBytes;
/** A buffer that holds so much is written. */
export const writtenBytes = pieceBytes - slackBytes;
/** What is no longer goes out as a copy of its own, or as a string that Node joins with the head of the response. */
const smallBytes = 4 * 1024;
const idleAtMost = 32;

/** Buffers that responses are gathered in, used over and over. */
export class OutboxBuffers {
  readonly #idle: Buffer[] = [];

  take(): Buffer {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  }

  give(buffer: Buffer): void {
    if (this.#idle.length < idleAtMost) this.#idle.push(buffer);
  }
}

/**
 * Gathers the bytes of one response and writes them in few large pieces: the many small ones in which they come from the
 * API server cost more in writes than a copy does. What was put is written at the end of the event loop's turn, or once
 * a buffer is full.
 */
export class Outbox {
  readonly #response: ServedResponse;
  readonly #buffers: OutboxBuffers;
  readonly #onDrain: () => void;
  readonly #waitingBytes: number;
  #buffer: Buffer | undefined;
  #used = 0;
  #scheduled = false;
  #ends = false;
  #written = false;
  #blocked = false;

  /** @param waitingBytes how much may wait for the agent before it counts as slow, at least what Node lets wait */
  constructor(response: ServedResponse, buffers: OutboxBuffers, onDrain: () => void, waitingBytes = 0) {
    this.#response = response;
    this.#buffers = buffers;
    this.#onDrain = onDrain;
    this.#waitingBytes = waitingBytes;
  }

  /** The agent is slower than the API server: put no more until `onDrain`. What is put all the same is kept. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Takes a copy: the bytes may be changed afterwards. */
  put(bytes: Buffer): void {
    let taken = 0;
    while (taken < bytes.length) {
      this.#buffer ??= this.#buffers.take();
      const count = Math.min(bufferBytes - this.#used, bytes.length - taken);
      bytes.copy(this.#buffer, this.#used, taken, taken + count);
      this.#used += count;
      taken += count;
      if (this.#used >= writtenBytes) this.#flush();
    }
    if (this.#used === 0 || this.#scheduled || this.#ends) return;
    this.#scheduled = true;
    setImmediate(this.#flushLater);
  }

  /** What is put from here on is the last, and `end` follows in the same turn: it need not be seen to at the turn's end. */
  expectEnd(): void {
    this.#ends = true;
  }

  /** Writes what there is without waiting for the end of the turn. */
  flush(): void {
    if (this.#used > 0) this.#flush();
  }

  /** Writes what is left and ends the response. */
  end(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) {
      this.#response.end();
    } else if (!this.#written && this.#used <= smallBytes && this.#response.stream === undefined) {
      // One write with the head, and no buffer.
      this.#response.end(buffer.toString('latin1', 0, this.#used), 'latin1');
      this.#drop(buffer);
    } else {
      this.#flush();
      this.#response.end();
    }
  }

  /** Forgets what was not written. */
  discard(): void {
    if (this.#buffer !== undefined) this.#drop(this.#buffer);
  }

  readonly #flushLater = (): void => {
    this.#scheduled = false;
    this.#flush();
  };

  #flush(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const bytes = buffer.subarray(0, this.#used);
    this.#written = true;
    let more: boolean;
    if (this.#used <= smallBytes) {
      more = this.#response.write(Buffer.from(bytes));
      this.#drop(buffer);
    } else {
      this.#buffer = undefined;
      this.#used = 0;
      // A buffer whose write fails goes with its connection.
      more = this.#response.write(bytes, (error) => {
        if (!error) this.#buffers.give(buffer);
      });
    }
    if (more || this.#blocked || this.#response.writableLength < this.#waitingBytes) return;
    this.#blocked = true;
    this.#response.once('drain', () => {
      this.#blocked = false;
      this.#onDrain();
    });
  }

  #drop(buffer: Buffer): void {
    this.#buffer = undefined;
    this.#used = 0;
    this.#buffers.give(buffer);
  }
}
