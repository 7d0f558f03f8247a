import type {Duplex} from 'node:stream';
import {SpdyError} from './error.ts';
import {connectionGrantBytes, connectionId, maximumWindowBytes, ReceiveWindows, SendWindows} from './flowcontrol.ts';
import {FrameReader} from './framereader.ts';
import {
  type ControlFrame,
  dataHeader,
  goAway,
  goAwayStatus,
  initialWindowSetting,
  ping,
  resetStatus,
  rstStream,
  settings,
  synReply,
  synStream,
  windowUpdate,
} from './frames.ts';
import {FrameWriter} from './framewriter.ts';
import {HeaderBlockReader, HeaderBlockWriter, type HeaderPairs} from './headerblock.ts';
import {SpdyStream, type StreamCarrier} from './stream.ts';

export interface ConnectionOptions {
  readonly role: 'Client' | 'Server';
  readonly socket: Duplex;
  /** What was read of the socket behind the handshake. */
  readonly head: Buffer;
  /** An idle connection is pinged so often, lest a load balancer cuts it. */
  readonly pingIntervalMilliseconds: number;
  /** Open at a time; more are refused. */
  readonly maximumStreams: number;
  readonly events: ConnectionEvents;
}

export interface ConnectionEvents {
  /** The peer opened a stream: to be given its events, or reset, before this returns. */
  opened(stream: SpdyStream): void;
  /** `congested` may have changed. */
  paced(): void;
  /** Called once: nothing more comes from the peer. With the reason where it did not say so by GOAWAY. */
  ended(error: Error | undefined): void;
  /** An event's receiver threw. */
  failed(error: Error): void;
}

const noHeaders: HeaderPairs = new Map();

/**
 * One end of a SPDY/3.1 connection over any duplex stream. It reads nothing until `start`. Streams are those that the
 * peer opened (at a server) or that `open` opened (at a client).
 */
export class SpdyConnection {
  /** The socket is closed for good. */
  readonly closed: Promise<void>;
  readonly #options: ConnectionOptions;
  readonly #socket: Duplex;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #headersIn = new HeaderBlockReader();
  readonly #headersOut = new HeaderBlockWriter();
  readonly #sendWindows = new SendWindows();
  readonly #receiveWindows = new ReceiveWindows();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #carrier: StreamCarrier;
  #pingTimer: NodeJS.Timeout | undefined;
  #nextStreamId: number;
  #nextPingId: number;
  #lastPeerStreamId = 0;
  /** Since the last time that a ping was due. */
  #wasRead = false;
  #windowsMoved = false;
  #ended = false;
  #saidGoAway = false;
  #peerSaidGoAway = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#nextStreamId = options.role === 'Client' ? 1 : 2;
    this.#nextPingId = this.#nextStreamId;
    this.#writer = new FrameWriter(options.socket);
    this.#reader = new FrameReader({
      control: (frame) => this.#control(frame),
      data: (streamId, bytes, fin) => this.#data(streamId, bytes, fin),
    });
    this.#carrier = {
      allowed: (streamId) => this.#sendWindows.allowed(streamId),
      sendReply: (streamId) => this.#writer.write(synReply(streamId, this.#headersOut.write(noHeaders))),
      sendData: (streamId, bytes, fin) => {
        this.#sendWindows.spend(streamId, bytes.length);
        this.#writer.write(dataHeader(streamId, fin, bytes.length), bytes);
      },
      sendReset: (streamId, status) => this.#answer(rstStream(streamId, status)),
      waiting: (bytes) => this.#writer.wait(bytes),
      forget: (streamId) => {
        this.#streams.delete(streamId);
        this.#sendWindows.close(streamId);
        this.#receiveWindows.close(streamId);
      },
    };
    this.closed = new Promise((resolve) => {
      if (options.socket.closed) resolve();
      else options.socket.once('close', resolve);
    });
  }

  /** More is written than the peer takes. */
  get congested(): boolean {
    return this.#writer.congested;
  }

  /** The peer opens and takes no streams any more. */
  get peerSaidGoAway(): boolean {
    return this.#peerSaidGoAway;
  }

  start(): void {
    const {socket, head, pingIntervalMilliseconds} = this.#options;
    // A peer that has said GOAWAY may close while pings are still on their way to it.
    socket.on('error', (error) => this.#end(this.#peerSaidGoAway ? undefined : error));
    socket.once('end', () => this.#end(undefined));
    socket.once('close', () => this.#end(undefined));
    socket.on('drain', () => this.#options.events.paced());
    this.#pingTimer = setInterval(() => this.#ping(), pingIntervalMilliseconds);
    this.#pingTimer.unref();
    this.#writer.write(
      settings(initialWindowSetting, maximumWindowBytes),
      windowUpdate(connectionId, connectionGrantBytes),
    );
    if (head.length > 0) socket.unshift(head);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.resume();
    if (socket.destroyed) queueMicrotask(() => this.#end(undefined));
  }

  /** Opens a stream at the peer, with `fin` where nothing will be written to it. */
  open(headers: HeaderPairs, fin: boolean): SpdyStream {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.#writer.write(synStream(streamId, fin, this.#headersOut.write(headers)));
    return this.#add(streamId, headers, {by: 'Us', fin});
  }

  /** Whether the peer is read, which holds it back where it is not. */
  read(isOn: boolean): void {
    if (this.#socket.destroyed || this.#socket.isPaused() !== isOn) return;
    if (isOn) this.#socket.resume();
    else this.#socket.pause();
  }

  /** No more streams, and no more data for those there are. */
  goAway(): void {
    this.#goAway(goAwayStatus.ok);
  }

  /** Closes the connection once what was written has gone out. The peer is still read, and what it says ignored. */
  end(): void {
    this.#socket.end();
    this.read(true);
  }

  destroy(): void {
    clearInterval(this.#pingTimer);
    this.#writer.flush();
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#ended) return;
    this.#wasRead = true;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof SpdyError)) {
        this.#options.events.failed(error as Error);
        return;
      }
      this.#goAway(goAwayStatus.protocolError);
      this.#end(error);
    }
    if (this.#windowsMoved) this.#flush();
    this.#options.events.paced();
  }

  #control(frame: ControlFrame): void {
    if (this.#ended) return;
    switch (frame.type) {
      case 'SynStream':
        this.#opened(frame.streamId, this.#headersIn.read(frame.headerBlock), frame.fin, frame.unidirectional);
        break;
      case 'SynReply':
        this.#headersIn.read(frame.headerBlock);
        this.#streams.get(frame.streamId)?.receiveReply(frame.fin);
        break;
      case 'Headers':
        // Kubernetes has no use for them. They count for the compression all the same.
        this.#headersIn.read(frame.headerBlock);
        if (frame.fin) this.#streams.get(frame.streamId)?.receiveData(Buffer.alloc(0), true);
        break;
      case 'RstStream':
        this.#streams.get(frame.streamId)?.receiveReset(frame.status);
        break;
      case 'Settings':
        for (const {id, value} of frame.settings) {
          if (id === initialWindowSetting) this.#sendWindows.setInitial(value & maximumWindowBytes);
        }
        this.#windowsMoved = true;
        break;
      case 'WindowUpdate':
        this.#sendWindows.grant(frame.streamId, frame.deltaBytes);
        this.#windowsMoved = true;
        break;
      case 'Ping':
        // Those of a server are even: what has our own parity is an answer.
        if (frame.id % 2 !== this.#nextPingId % 2) this.#answer(ping(frame.id));
        break;
      case 'GoAway':
        this.#peerSaidGoAway = true;
        break;
    }
  }

  #opened(streamId: number, headers: HeaderPairs, fin: boolean, unidirectional: boolean): void {
    if (!this.#isPeers(streamId) || streamId <= this.#lastPeerStreamId) {
      // By the draft the stream that has the number ends too; the peer takes our reset for that one's in any case.
      this.#answer(rstStream(streamId, resetStatus.protocolError));
      this.#streams.get(streamId)?.receiveReset(resetStatus.protocolError);
      return;
    }
    this.#lastPeerStreamId = streamId;
    if (unidirectional || this.#saidGoAway || this.#streams.size >= this.#options.maximumStreams) {
      this.#answer(rstStream(streamId, resetStatus.refusedStream));
      return;
    }
    this.#options.events.opened(this.#add(streamId, headers, {by: 'Peer', fin}));
  }

  #data(streamId: number, bytes: Buffer, fin: boolean): void {
    if (this.#ended) return;
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) {
      this.#grant(streamId, bytes.length);
      stream.receiveData(bytes, fin);
    } else if (streamId >= (this.#isPeers(streamId) ? this.#lastPeerStreamId + 1 : this.#nextStreamId)) {
      this.#answer(rstStream(streamId, resetStatus.invalidStream));
    }
    // Else it was on its way when the stream was reset.
    this.#grant(connectionId, bytes.length);
  }

  #isPeers(streamId: number): boolean {
    return streamId % 2 !== this.#nextStreamId % 2;
  }

  #grant(streamId: number, bytes: number): void {
    const delta = this.#receiveWindows.consume(streamId, bytes);
    if (delta > 0) this.#writer.write(windowUpdate(streamId, delta));
  }

  #add(streamId: number, headers: HeaderPairs, opened: {by: 'Us' | 'Peer'; fin: boolean}): SpdyStream {
    const stream = new SpdyStream(this.#carrier, streamId, headers, opened);
    this.#streams.set(streamId, stream);
    this.#sendWindows.open(streamId);
    return stream;
  }

  /** Once for all windows that a chunk opened, for one chunk may hold thousands of updates. */
  #flush(): void {
    this.#windowsMoved = false;
    for (const stream of [...this.#streams.values()]) stream.flush();
  }

  /**
   * Only where nothing came for an interval. kubelets before 1.37 close behind the last bytes of a command, and a ping
   * that meets the closed socket makes TCP reset it: what was still on its way is lost, the exit code with it.
   */
  #ping(): void {
    const isIdle = !this.#wasRead && !this.#socket.isPaused() && !this.#socket.writableNeedDrain;
    this.#wasRead = false;
    if (!isIdle) return;
    this.#writer.write(ping(this.#nextPingId));
    this.#nextPingId = (this.#nextPingId + 2) % 2 ** 31 || 2;
  }

  #goAway(status: number): void {
    if (this.#saidGoAway) return;
    this.#saidGoAway = true;
    this.#writer.write(goAway(this.#lastPeerStreamId, status));
  }

  /** Sends what the peer made us say. */
  #answer(frame: Buffer): void {
    if (!this.#writer.isUnread) this.#writer.write(frame);
    else this.#end(new SpdyError('PeerDoesNotRead', 'the peer reads none of the answers to its frames'));
  }

  #end(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#pingTimer);
    const unsaid = this.#peerSaidGoAway ? undefined : new Error('the connection was closed without GOAWAY');
    this.#options.events.ended(error ?? unsaid);
  }
}
