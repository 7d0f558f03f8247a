import {once} from 'node:events';
import {createServer, type IncomingMessage} from 'node:http';
import type {AddressInfo, Socket} from 'node:net';
import {WebSocket, WebSocketServer} from 'ws';
import type {
  CommandSession,
  ForwardedConnection,
  Output,
  OutputSink,
  PortForwardSession,
} from '../../proxy/stream/session.ts';

const maxPayload = 4 * 1024 * 1024;

/** What an end of a WebSocket has seen. */
export class Peer {
  readonly socket: WebSocket;
  readonly messages: {readonly data: Buffer; readonly isBinary: boolean}[] = [];
  /** Of the messages that came. */
  bytes = 0;
  pings = 0;
  pongs = 0;
  readonly closed: Promise<number>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data, isBinary) => {
      this.bytes += (data as Buffer).length;
      if (this.keeps) this.messages.push({data: Buffer.from(data as Buffer), isBinary});
    });
    socket.on('ping', () => void this.pings++);
    socket.on('pong', () => void this.pongs++);
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', resolve));
  }

  /** False where only their number of bytes counts. */
  keeps = true;

  /** All messages as text, the channel in front as a number. */
  get texts(): string[] {
    return this.messages.map(({data}) => `${data[0]}:${data.subarray(1)}`);
  }
}

export interface Connection {
  /** The server's end. */
  readonly server: WebSocket;
  readonly client: WebSocket;
}

/** A server on loopback whose WebSockets come in pairs of ends. */
export class Loopback {
  readonly #http = createServer();
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#http.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<Loopback> {
    const loopback = new Loopback();
    loopback.#http.listen(0, '127.0.0.1');
    await once(loopback.#http, 'listening');
    return loopback;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** What the server does with the next request to upgrade. */
  onUpgrade(serve: (request: IncomingMessage, socket: Socket, head: Buffer) => void): void {
    this.#http.removeAllListeners('upgrade');
    this.#http.on('upgrade', serve as (request: IncomingMessage, socket: unknown, head: Buffer) => void);
  }

  /** Two ends; the one that a relay gets (`paused`) is as the handshakes of the proxy leave it. */
  async connect(paused: 'server' | 'client'): Promise<Connection> {
    const answered = new Promise<WebSocket>((resolve) => {
      this.onUpgrade((request, socket, head) => {
        const server = new WebSocketServer({
          noServer: true,
          autoPong: paused === 'client',
          maxPayload: 4 * 1024 * 1024,
        });
        server.handleUpgrade(request, socket, head, (webSocket) => {
          if (paused === 'server') webSocket.pause();
          resolve(webSocket);
        });
      });
    });
    const client = new WebSocket(this.origin, {perMessageDeflate: false, autoPong: paused === 'server', maxPayload});
    const opened = once(client, 'open').then(() => {
      if (paused === 'client') client.pause();
    });
    const server = await answered;
    await opened;
    return {server, client};
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#http.close();
    await once(this.#http, 'close');
  }
}

/** A way through a session that passes all at once, unless told to hold. */
class PassingOutput implements Output {
  readonly #sink: OutputSink;
  readonly #change: (bytes: Buffer) => readonly Buffer[];
  readonly #held: (() => void)[] = [];
  #holding: boolean;

  constructor(sink: OutputSink, change: (bytes: Buffer) => readonly Buffer[], holding: boolean) {
    this.#sink = sink;
    this.#change = change;
    this.#holding = holding;
  }

  push(chunk: Buffer): void {
    for (const bytes of this.#change(chunk)) this.#do(() => this.#sink.emit(bytes));
  }

  end(): void {
    this.#do(() => this.#sink.ended());
  }

  release(): void {
    this.#holding = false;
    for (const act of this.#held.splice(0)) act();
  }

  #do(act: () => void): void {
    if (this.#holding) this.#held.push(act);
    else act();
  }
}

abstract class PlayedSession {
  congested = false;
  onDrain: () => void = () => {};
  /** What becomes of a chunk on its way to the agent: the emitted pieces. */
  change: (bytes: Buffer) => readonly Buffer[] = (bytes) => [bytes];
  /** Names of outputs that emit only once they are released. */
  readonly held = new Set<string>();
  readonly outputs = new Map<string, PassingOutput>();

  protected open(name: string, sink: OutputSink): Output {
    if (this.outputs.has(name)) throw new Error(`a second output for ${name}`);
    const output = new PassingOutput(sink, (bytes) => this.change(bytes), this.held.has(name));
    this.outputs.set(name, output);
    return output;
  }

  release(name: string): void {
    this.outputs.get(name)?.release();
  }
}

/** A session of which the test sees what the relay says to it. */
export class PlayedCommand extends PlayedSession implements CommandSession {
  readonly heard: string[] = [];
  stdinBytes = 0;

  output(channel: 'stdout' | 'stderr' | 'error', sink: OutputSink): Output {
    return this.open(channel, sink);
  }

  stdin(bytes: Buffer): void {
    this.stdinBytes += bytes.length;
    if (bytes.length < 1000) this.heard.push(`stdin ${bytes}`);
  }

  resize(message: Buffer): void {
    this.heard.push(`resize ${message}`);
  }
}

export class PlayedPortForward extends PlayedSession implements PortForwardSession {
  readonly heard: string[] = [];
  #connections = 0;

  connection(port: number): ForwardedConnection {
    const at = this.#connections++;
    return {
      output: (channel, sink) => this.open(`${at} ${channel}`, sink),
      sent: (bytes) => void this.heard.push(`${at} ${port} sent ${bytes}`),
      closed: (error) => void this.heard.push(`${at} ${port} closed${error === undefined ? '' : `: ${error}`}`),
    };
  }
}
