/*
 * Flow control of SPDY/3.1 (section 2.6.8): 64 KiB that may be on the way for each stream, and, as stream 0, for the
 * whole connection. Kubernetes speaks SPDY through moby/spdystream, which neither sends nor heeds WINDOW_UPDATE:
 * whoever holds it to 64 KiB waits for ever. So a window binds once its receiver has shown that it keeps windows, and
 * TCP slows down everybody else.
 */

const initialWindowBytes = 64 * 1024;
export const maximumWindowBytes = 2 ** 31 - 1;
/** The window of the connection. */
export const connectionId = 0;

/** What the peer lets us send. */
export class SendWindows {
  #initialBytes = initialWindowBytes;
  #connectionBytes = initialWindowBytes;
  #bindsConnection = false;
  #bindsStreams = false;
  /** For each open stream what was granted, less what was spent: its window less the initial size, which may change. */
  readonly #balances = new Map<number, number>();

  open(streamId: number): void {
    this.#balances.set(streamId, 0);
  }

  close(streamId: number): void {
    this.#balances.delete(streamId);
  }

  /** So many bytes may go out on the stream now: Infinity where no window binds, below 0 where one shrank. */
  allowed(streamId: number): number {
    const stream = this.#bindsStreams ? this.#window(streamId) : Number.POSITIVE_INFINITY;
    return this.#bindsConnection ? Math.min(stream, this.#connectionBytes) : stream;
  }

  spend(streamId: number, bytes: number): void {
    this.#connectionBytes -= bytes;
    this.#move(streamId, -bytes);
  }

  /** A WINDOW_UPDATE came. */
  grant(streamId: number, bytes: number): void {
    if (streamId === connectionId) {
      this.#bindsConnection = true;
      this.#connectionBytes += bytes;
    } else {
      this.#bindsStreams = true;
      this.#move(streamId, bytes);
    }
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE came: it moves the windows of the streams there are, too. */
  setInitial(bytes: number): void {
    this.#bindsStreams = true;
    this.#initialBytes = bytes;
  }

  #window(streamId: number): number {
    const balance = this.#balances.get(streamId);
    return balance === undefined ? 0 : this.#initialBytes + balance;
  }

  #move(streamId: number, bytes: number): void {
    const balance = this.#balances.get(streamId);
    if (balance !== undefined) this.#balances.set(streamId, balance + bytes);
  }
}

/**
 * What we let the peer send: 2 GiB, which is told it at the start, since the relay holds a peer back by reading no more
 * from TCP. A WINDOW_UPDATE for every 32 KiB would be of use to nobody: a spdystream that waits for its own application
 * queues up to 50 frames that it does not know, then reads no further.
 */
export class ReceiveWindows {
  readonly #consumedBytes = new Map<number, number>();

  close(streamId: number): void {
    this.#consumedBytes.delete(streamId);
  }

  /** Gives the bytes to grant anew; 0 while enough is left. */
  consume(streamId: number, bytes: number): number {
    const consumed = (this.#consumedBytes.get(streamId) ?? 0) + bytes;
    const isHalf = consumed > maximumWindowBytes / 2;
    this.#consumedBytes.set(streamId, isHalf ? 0 : consumed);
    return isHalf ? consumed : 0;
  }
}

/** What is added to the connection's window at the start, which no setting enlarges. */
export const connectionGrantBytes = maximumWindowBytes - initialWindowBytes;
