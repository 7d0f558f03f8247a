import type {Writable} from 'node:stream';

/** Written, and not yet taken by the socket, or waiting for a window: whoever has more to send is to wait. */
const congestedBytes = 256 * 1024;
/** Far more than congestion lets through: a peer that makes us answer it (by pings, say), and reads none of it. */
const unreadBytes = 8 * 1024 * 1024;

/** Writes frames to a socket. What is written in one go leaves in one go. */
export class FrameWriter {
  readonly #socket: Writable;
  #corked = false;
  #waitingBytes = 0;

  constructor(socket: Writable) {
    this.#socket = socket;
  }

  get congested(): boolean {
    return this.#waitingBytes > congestedBytes || this.#socket.writableLength > congestedBytes;
  }

  get isUnread(): boolean {
    return this.#socket.writableLength > unreadBytes;
  }

  /** So many bytes more (or fewer) wait for a window. */
  wait(bytes: number): void {
    this.#waitingBytes += bytes;
  }

  write(...frames: readonly Buffer[]): void {
    if (!this.#socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => this.flush());
    }
    for (const frame of frames) if (frame.length > 0) this.#socket.write(frame);
  }

  /** Gives the socket what was written in this go. */
  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  }
}
