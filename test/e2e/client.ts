import {once} from 'node:events';
import type {IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders} from 'node:http';
import * as http2 from 'node:http2';
import https from 'node:https';
import type {Readable} from 'node:stream';
import {connect, type TLSSocket} from 'node:tls';
import type {Status} from '../../core/status.ts';

/** The ways in which an agent may speak to the gateway. */
export const protocols = ['HTTP/1.1', 'HTTP/2'] as const;
export type Protocol = (typeof protocols)[number];

export interface CallOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** An object is sent as JSON; a stream by chunks. */
  readonly body?: string | Buffer | Readable | object;
}

/** One whole answer. */
export class Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;

  constructor(status: number, headers: IncomingHttpHeaders, body: Buffer) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  get text(): string {
    return this.body.toString();
  }

  json<T = Record<string, unknown>>(): T {
    return JSON.parse(this.text) as T;
  }

  /** The Status that it is. */
  get failure(): Status {
    const status = this.json<Status>();
    if (status.kind !== 'Status') throw new Error(`not a Status: ${this.text.slice(0, 200)}`);
    return status;
  }
}

/** An agent that speaks HTTP itself, so that a test decides about every byte. */
export class AgentClient {
  readonly #url: URL;
  readonly #tls: {readonly ca: string; readonly cert?: string; readonly key?: string};
  readonly #authorization: {authorization?: string};

  constructor(options: {
    readonly url: string;
    readonly ca: string;
    readonly token: string | undefined;
    readonly clientCertificate?: {readonly cert: string; readonly key: string};
  }) {
    this.#url = new URL(options.url);
    this.#tls = {ca: options.ca, ...options.clientCertificate};
    this.#authorization = options.token === undefined ? {} : {authorization: `Bearer ${options.token}`};
  }

  /** HTTP/1.1 on a connection of its own. */
  async call(path: string, options: CallOptions = {}): Promise<Answer> {
    const response = await this.open(path, options);
    return new Answer(response.statusCode ?? 0, response.headers, await collect(response));
  }

  /** Like `call`, with the answer's body still to be read. */
  async open(path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    const {body, headers} = bodyOf(options);
    const request = https.request({
      ...this.#tls,
      agent: false,
      host: this.#url.hostname,
      port: this.#url.port,
      path,
      method: options.method ?? 'GET',
      headers: {...this.#authorization, ...headers},
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
    });
    if (body === undefined || Buffer.isBuffer(body)) request.end(body);
    else body.pipe(request);
    const response = await answered;
    // A stream that breaks off is the reader's to notice.
    request.on('error', () => {});
    return response;
  }

  /** An HTTP/2 connection; the caller closes it. */
  session(): http2.ClientHttp2Session {
    const session = http2.connect(this.#url.origin, {...this.#tls, ALPNProtocols: ['h2']});
    session.on('error', () => {});
    return session;
  }

  /** One call on an HTTP/2 connection. */
  async callOn(session: http2.ClientHttp2Session, path: string, options: CallOptions = {}): Promise<Answer> {
    const {stream, headers} = await this.openOn(session, path, options);
    return new Answer(Number(headers[':status']), headers as IncomingHttpHeaders, await collect(stream));
  }

  /** Like `callOn`, with the answer's body still to be read. */
  async openOn(session: http2.ClientHttp2Session, path: string, options: CallOptions = {}) {
    const {body, headers: own} = bodyOf(options);
    const stream = session.request(
      {':method': options.method ?? 'GET', ':path': path, ...this.#authorization, ...own},
      {endStream: body === undefined},
    );
    if (Buffer.isBuffer(body)) stream.end(body);
    else if (body !== undefined) body.pipe(stream);
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    stream.on('error', () => {});
    return {stream, headers};
  }

  /** The body of an answer over either protocol, on a connection that ends with it. */
  async stream(protocol: Protocol, path: string): Promise<Readable> {
    if (protocol === 'HTTP/1.1') return this.open(path);
    const session = this.session();
    const {stream} = await this.openOn(session, path);
    stream.once('close', () => session.destroy());
    return stream;
  }

  /** One call over HTTP/2 on a connection of its own. */
  async call2(path: string, options: CallOptions = {}): Promise<Answer> {
    const session = this.session();
    try {
      return await this.callOn(session, path, options);
    } finally {
      session.close();
    }
  }

  /**
   * Sends bytes as they are over TLS and gives all that comes back until the connection ends, which the server must see
   * to. `{token}` in the text is replaced by the agent's token, line ends are CRLF.
   */
  async raw(text: string): Promise<string> {
    const socket = await this.socket();
    socket.write(this.bytes(text));
    const received = await collect(socket).catch((error: NodeJS.ErrnoException) => Buffer.from(error.code ?? ''));
    return received.toString();
  }

  /** A TLS connection for HTTP/1.1; the caller ends it. */
  async socket(): Promise<TLSSocket> {
    const socket = connect({
      ...this.#tls,
      host: this.#url.hostname,
      port: Number(this.#url.port),
      ALPNProtocols: ['http/1.1'],
    });
    await once(socket, 'secureConnect');
    return socket;
  }

  bytes(text: string): Buffer {
    const token = this.#authorization.authorization?.replace('Bearer ', '') ?? '';
    return Buffer.from(text.replaceAll('{token}', token).replaceAll('\n', '\r\n'), 'latin1');
  }
}

/** Reads a stream to its end; rejects where it broke off. */
export async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The events of a watch as they come, each one decoded line. */
export async function* lines<T>(stream: Readable): AsyncGenerator<T, void> {
  let text = '';
  for await (const chunk of stream) {
    text += chunk;
    let end = text.indexOf('\n');
    for (; end !== -1; end = text.indexOf('\n')) {
      yield JSON.parse(text.slice(0, end)) as T;
      text = text.slice(end + 1);
    }
  }
}

function bodyOf({body, headers = {}}: CallOptions): {
  body: Buffer | Readable | undefined;
  headers: OutgoingHttpHeaders;
} {
  if (body === undefined) return {body, headers};
  if (typeof (body as Readable).pipe === 'function') return {body: body as Readable, headers};
  const bytes =
    typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body as string) : Buffer.from(JSON.stringify(body));
  return {body: bytes, headers: {'content-type': 'application/json', 'content-length': bytes.length, ...headers}};
}
