import type {TLSSocket} from 'node:tls';
import {buildConnector} from 'undici';
import type {UpstreamTarget} from './transport.ts';

/** One TLS record: Node hands over no more at once. */
const bufferBytes = 16 * 1024;
const idleAtMost = 64;

/** A response is long once it has brought so much. */
const longBytes = 64 * 1024;

/** What comes of it in one turn of the event loop is little where it is less. */
const littleBytes = 16 * 1024;
const gatherMilliseconds = 1;

/** What was read and not yet parsed. */
interface Read {
  readonly bytes: Buffer;
  /** The buffer that it lies in, to be read into again. */
  readonly buffer: Buffer;
}

/**
 * Connections whose sockets read into few buffers over and over, where Node would make a new one outside of its heap for
 * each read: relaying a list of 11 MB, half of the time went into making and collecting those.
 *
 * Node's `onread` option reads into buffers of ours but takes the stream interface away, through which undici reads. It
 * is given back here as far as undici uses it: `read()` gives what came in, `unshift()` takes back what the parser was
 * stopped before. A buffer is read into again when undici asks for the next bytes, but for one that ended amid the head
 * of a response, of which undici keeps slices. So the bytes that a handler is given are valid during the call only.
 *
 * kube-apiserver sends a list object by object, and to be woken for each piece costs as much as all else that is done
 * with it. So a long response that comes in little pieces is not read for a moment after each turn of the event loop.
 */
export class ReusedReads {
  readonly #idle: Buffer[] = [];
  /** Whose bytes undici parses now. */
  #parsed: Reads | undefined;

  /** undici's `connect` option. */
  connector(target: UpstreamTarget, timeoutMilliseconds: number): buildConnector.connector {
    return (options, callback) => {
      const reads = new Reads(this);
      const connect = buildConnector({
        ...target.tls,
        timeout: timeoutMilliseconds,
        allowH2: false,
        onread: reads.onread,
      } as buildConnector.BuildOptions);
      connect(options, (...[error, socket]) => {
        if (error !== null) {
          callback(error, null);
          return;
        }
        reads.serve(socket as TLSSocket);
        callback(null, socket);
      });
    };
  }

  /**
   * The head of a response was parsed in full just now.
   *
   * @returns to be called when the response has ended, or is given up
   */
  responseStarted(): () => void {
    const reads = this.#parsed;
    if (reads === undefined) return () => {};
    reads.keepsNothing = true;
    return () => {
      reads.responseEnded();
    };
  }

  take(): Buffer {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  }

  give(buffer: Buffer): void {
    if (this.#idle.length < idleAtMost) this.#idle.push(buffer);
  }

  parsing(reads: Reads): void {
    this.#parsed = reads;
  }
}

/** The reads of one connection. */
class Reads {
  readonly onread: {readonly buffer: () => Buffer; readonly callback: (bytes: number, buffer: Buffer) => boolean};
  readonly #pool: ReusedReads;
  readonly #queue: Read[] = [];
  #socket: TLSSocket | undefined;
  /** What undici parses now. */
  #parsed: Read | undefined;
  /** Whether undici keeps no slice of what it is given: outside of the head of a response. */
  keepsNothing = false;
  #ended = false;
  /** The parser is paused, so that nothing more is read until it takes what there is. */
  #stopped = false;
  /** Of the response whose head was parsed. */
  #bytes = 0;
  #turnBytes = 0;
  #turnEndScheduled = false;
  #gathering = false;

  constructor(pool: ReusedReads) {
    this.#pool = pool;
    this.onread = {
      buffer: () => pool.take(),
      callback: (length, buffer) => this.#received(length, buffer),
    };
  }

  /** The socket is undici's from here on. */
  serve(socket: TLSSocket): void {
    this.#socket = socket;
    const readStream = socket.read.bind(socket);
    socket.read = (size?: number) => (size === 0 ? readStream(0) : (this.#next() ?? readStream(size)));
    socket.unshift = (bytes: Buffer) => {
      const {buffer} = this.#parsed ?? {buffer: bytes};
      this.#parsed = undefined;
      if (bytes.length > 0) this.#queue.unshift({bytes, buffer});
      else this.#pool.give(buffer);
    };
  }

  responseEnded(): void {
    this.keepsNothing = false;
    this.#ended = true;
    this.#bytes = 0;
  }

  /** Gives false where no more is to be read for now. */
  #received(length: number, buffer: Buffer): boolean {
    this.#queue.push({bytes: buffer.subarray(0, length), buffer});
    // One call of `read()` after the other takes all that there is, unless the parser is paused.
    if (this.#queue.length === 1) this.#socket?.emit('readable');
    this.#stopped = this.#queue.length > 0;
    if (this.keepsNothing) this.#count(length);
    return !this.#stopped;
  }

  /** Of a response whose end has not come. */
  #count(length: number): void {
    this.#bytes += length;
    this.#turnBytes += length;
    if (this.#bytes < longBytes || this.#turnEndScheduled) return;
    this.#turnEndScheduled = true;
    setImmediate(this.#onTurnEnd);
  }

  readonly #onTurnEnd = (): void => {
    const isLittle = this.#turnBytes < littleBytes;
    this.#turnEndScheduled = false;
    this.#turnBytes = 0;
    if (!isLittle || this.#gathering || this.#stopped || !this.keepsNothing) return;
    this.#gathering = true;
    this.#socket?.pause();
    setTimeout(this.#onGathered, gatherMilliseconds);
  };

  readonly #onGathered = (): void => {
    this.#gathering = false;
    if (!this.#stopped) this.#readOn();
  };

  #readOn(): void {
    const socket = this.#socket;
    if (socket?.destroyed === false) socket._read(bufferBytes);
  }

  #next(): Buffer | undefined {
    const before = this.#parsed;
    if (before !== undefined && (this.keepsNothing || this.#ended)) this.#pool.give(before.buffer);
    this.#ended = false;
    const read = this.#queue.shift();
    this.#parsed = read;
    if (read !== undefined) {
      this.#pool.parsing(this);
      return read.bytes;
    }
    if (this.#stopped) {
      this.#stopped = false;
      this.#readOn();
    }
    return undefined;
  }
}
