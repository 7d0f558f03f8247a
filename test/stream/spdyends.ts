import type net from 'node:net';
import {SpdyConnection} from '../../proxy/stream/spdy/connection.ts';
import {FrameReader} from '../../proxy/stream/spdy/framereader.ts';
import type {ControlFrame} from '../../proxy/stream/spdy/frames.ts';
import type {SpdyStream, StreamEvents} from '../../proxy/stream/spdy/stream.ts';

/** What the other side did on a stream. */
export class Tap implements StreamEvents {
  readonly stream: SpdyStream;
  /** All data, `|reply|`, `|end|` and `|reset 5|` in their order. */
  log = '';

  constructor(stream: SpdyStream) {
    this.stream = stream;
    stream.events = this;
  }

  get type(): string | undefined {
    return this.stream.headers.get('streamtype');
  }

  replied(): void {
    this.log += '|reply|';
  }

  data(bytes: Buffer): void {
    this.log += bytes.toString();
  }

  ended(): void {
    this.log += '|end|';
  }

  reset(status: number): void {
    this.log += `|reset ${status}|`;
  }
}

/** A connection as a test holds it, and what became of it. */
export interface SpdyEnd {
  readonly connection: SpdyConnection;
  readonly socket: net.Socket;
  /** The streams that the other side opened, in their order. */
  readonly opened: Tap[];
  /** How the other side ended: `GOAWAY`, or the error. */
  ended: string | undefined;
  failure: Error | undefined;
  /** Opens a stream of this type, with further headers. */
  open(type: string, headers?: Record<string, string>): Tap;
}

/** One end of a connection. A server replies to every stream unless told otherwise. */
export function spdyEnd(
  role: 'Client' | 'Server',
  socket: net.Socket,
  options: {
    readonly pingIntervalMilliseconds?: number;
    readonly maximumStreams?: number;
    readonly head?: Buffer;
    readonly onOpened?: (tap: Tap) => void;
  } = {},
): SpdyEnd {
  const {pingIntervalMilliseconds = 60_000, maximumStreams = 100, head = Buffer.alloc(0)} = options;
  const onOpened = options.onOpened ?? ((tap) => tap.stream.reply());
  const opened: Tap[] = [];
  const connection = new SpdyConnection({
    role,
    socket,
    head,
    pingIntervalMilliseconds,
    maximumStreams,
    events: {
      opened(stream) {
        const tap = new Tap(stream);
        opened.push(tap);
        onOpened(tap);
      },
      paced() {},
      ended(error) {
        end.ended = error?.message ?? 'GOAWAY';
      },
      failed(error) {
        end.failure = error;
      },
    },
  });
  const end: SpdyEnd = {
    connection,
    socket,
    opened,
    ended: undefined,
    failure: undefined,
    open: (type, headers = {}) =>
      new Tap(connection.open(new Map([['streamtype', type], ...Object.entries(headers)]), false)),
  };
  connection.start();
  return end;
}

/** A peer that says whatever the test writes, and keeps the frames that it is sent. */
export class RawPeer {
  readonly socket: net.Socket;
  readonly frames: (ControlFrame | {type: 'Data'; streamId: number; text: string; fin: boolean})[] = [];
  ended = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    const reader = new FrameReader({
      control: (frame) => this.frames.push(frame),
      data: (streamId, bytes, fin) => this.frames.push({type: 'Data', streamId, text: bytes.toString(), fin}),
    });
    socket.on('data', (chunk: Buffer) => reader.push(chunk));
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', () => {
      this.ended = true;
    });
  }

  of(type: string): unknown[] {
    return this.frames.filter((frame) => frame.type === type);
  }
}
