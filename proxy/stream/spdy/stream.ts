import {resetStatus} from './frames.ts';
import type {HeaderPairs} from './headerblock.ts';

/** What the peer does on a stream. Nothing follows `reset`. */
export interface StreamEvents {
  /** The peer has taken a stream that we opened. */
  replied(): void;
  /** The bytes are the receiver's from here on. */
  data(bytes: Buffer): void;
  /** The peer sends no more. */
  ended(): void;
  reset(status: number): void;
}

/** What a stream needs of its connection. */
export interface StreamCarrier {
  /** So many bytes may go out now, by the peer's windows. */
  allowed(streamId: number): number;
  sendReply(streamId: number): void;
  sendData(streamId: number, bytes: Buffer, fin: boolean): void;
  sendReset(streamId: number, status: number): void;
  /** So many bytes more (or fewer) wait for a window. */
  waiting(bytes: number): void;
  /** Nothing goes over the stream any more. */
  forget(streamId: number): void;
}

/** Data goes out in frames of at most this, so that streams take turns. */
const maximumDataBytes = 64 * 1024;

const ignored: StreamEvents = {replied() {}, data() {}, ended() {}, reset() {}};

/** One stream of a connection. Calls that come too late, after its end or that of the connection, do nothing. */
export class SpdyStream {
  readonly id: number;
  /** Those that it was opened with. */
  readonly headers: HeaderPairs;
  /** Set by whoever opens or accepts the stream, at once. */
  events: StreamEvents = ignored;
  readonly #carrier: StreamCarrier;
  #replied = false;
  readonly #isOurs: boolean;
  #closed = false;
  #remoteEnded: boolean;
  #localEnded: boolean;
  /** Written, and no window to send it in. */
  #waiting: Buffer[] = [];
  #finWaits = false;

  constructor(
    carrier: StreamCarrier,
    id: number,
    headers: HeaderPairs,
    opened: {readonly by: 'Us' | 'Peer'; readonly fin: boolean},
  ) {
    this.#carrier = carrier;
    this.id = id;
    this.headers = headers;
    this.#isOurs = opened.by === 'Us';
    this.#localEnded = this.#isOurs && opened.fin;
    this.#remoteEnded = !this.#isOurs && opened.fin;
  }

  /** Nothing more can be sent: it was ended or reset. */
  get isDone(): boolean {
    return this.#closed || this.#localEnded || this.#finWaits;
  }

  get remoteEnded(): boolean {
    return this.#remoteEnded;
  }

  /** Takes a stream that the peer opened. Later calls do nothing. */
  reply(): void {
    if (this.#replied || this.#isOurs || this.#closed) return;
    this.#replied = true;
    this.#carrier.sendReply(this.id);
  }

  write(bytes: Buffer): void {
    if (this.isDone || bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.#carrier.waiting(bytes.length);
    this.flush();
  }

  /** No more will be written. */
  end(): void {
    if (this.isDone) return;
    this.#finWaits = true;
    this.flush();
  }

  reset(status: number): void {
    if (this.#closed) return;
    this.#carrier.sendReset(this.id, status);
    this.#close();
  }

  /** Sends what waits, as far as the peer's windows go. */
  flush(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const bytes = Math.min(next.length, maximumDataBytes, this.#carrier.allowed(this.id));
      if (bytes <= 0) return;
      if (bytes === next.length) this.#waiting.shift();
      else this.#waiting[0] = next.subarray(bytes);
      this.#carrier.waiting(-bytes);
      const fin = this.#finWaits && this.#waiting.length === 0;
      this.#carrier.sendData(this.id, next.subarray(0, bytes), fin);
      if (fin) this.#endLocally();
    }
    if (!this.#finWaits) return;
    this.#carrier.sendData(this.id, Buffer.alloc(0), true);
    this.#endLocally();
  }

  receiveReply(fin: boolean): void {
    if (!this.#isOurs || this.#replied) {
      this.#fault();
      return;
    }
    this.#replied = true;
    this.events.replied();
    if (fin) this.#endRemotely();
  }

  receiveData(bytes: Buffer, fin: boolean): void {
    // client-go goes on to write what is typed on a stdin that it has closed because the command closed it.
    if (this.#remoteEnded) return;
    if (this.#isOurs && !this.#replied) {
      this.#fault();
      return;
    }
    if (bytes.length > 0) this.events.data(bytes);
    if (fin) this.#endRemotely();
  }

  receiveReset(status: number): void {
    if (this.#closed) return;
    this.#close();
    this.events.reset(status);
  }

  /** The peer broke the stream's rules, which ends this stream alone. */
  #fault(): void {
    this.reset(resetStatus.protocolError);
    this.events.reset(resetStatus.protocolError);
  }

  #endLocally(): void {
    this.#localEnded = true;
    this.#finWaits = false;
    if (this.#remoteEnded) this.#close();
  }

  #endRemotely(): void {
    if (this.#remoteEnded) return;
    this.#remoteEnded = true;
    if (this.#localEnded) this.#close();
    this.events.ended();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const bytes of this.#waiting) this.#carrier.waiting(-bytes.length);
    this.#waiting = [];
    this.#finWaits = false;
    this.#carrier.forget(this.id);
  }
}
