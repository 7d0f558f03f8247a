import {once} from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import type {AddressInfo} from 'node:net';
import {pipeline, type Readable} from 'node:stream';
import {createGunzip} from 'node:zlib';
import type {ServedRequest, ServedResponse} from '../../proxy/path/call.ts';

export type Protocol = 'HTTP/1.1' | 'HTTP/2';

/** How a call ended for the one who made it: `whole` is false for an answer that broke off. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly whole: boolean;
}

/** What a client asks. */
export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | Readable;
}

/** A call that a client made and may still give up. */
export interface Asking {
  /** The head of the answer; its body is not read until `answer` is asked for. */
  readonly head: Promise<{readonly status: number; readonly headers: http.IncomingHttpHeaders}>;
  /** Reads to the end, and takes gzip off. */
  answer(): Promise<Answer>;
  /** Goes away without waiting for an answer. */
  leave(): void;
}

/** A server on loopback without TLS, as the proxy's listener serves it, and a client of it. */
export interface Exchange {
  ask(asked?: Asked): Asking;
  close(): Promise<void>;
}

/** Serves with `serve` and speaks one protocol to it. */
export async function exchange(
  protocol: Protocol,
  serve: (request: ServedRequest, response: ServedResponse) => unknown,
): Promise<Exchange> {
  const server =
    protocol === 'HTTP/1.1'
      ? http.createServer((request, response) => void serve(request, response))
      : http2.createServer((request, response) => {
          serve(request as unknown as ServedRequest, response as unknown as ServedResponse);
        });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = server.address() as AddressInfo;
  const client = protocol === 'HTTP/1.1' ? http1Client(port) : http2Client(port);
  return {
    ask: client.ask,
    async close() {
      client.close();
      if (server instanceof http.Server) server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Client {
  ask(asked?: Asked): Asking;
  close(): void;
}

function http1Client(port: number): Client {
  return {
    ask({method = 'GET', path = '/', headers = {}, body} = {}) {
      const request = http.request({port, host: '127.0.0.1', method, path, headers: {...headers}, agent: false});
      const response = new Promise<http.IncomingMessage>((resolve, reject) => {
        request.once('response', resolve);
        request.on('error', reject);
      });
      const head = response.then(({statusCode = 0, headers}) => ({status: statusCode, headers}));
      // A test that does not look at the head must not fail for it.
      head.catch(() => {});
      send(request, body);
      return {
        head,
        async answer() {
          const {statusCode: status = 0, headers} = await response;
          const read = await readAll(await response, headers);
          return {status, headers, ...read};
        },
        leave: () => void request.destroy(),
      };
    },
    close: () => {},
  };
}

function http2Client(port: number): Client {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  return {
    ask({method = 'GET', path = '/', headers = {}, body} = {}) {
      const outgoing = {...headers, ':method': method, ':path': path} as http2.OutgoingHttpHeaders;
      const stream = session.request(outgoing, {endStream: body === undefined});
      const head = new Promise<{status: number; headers: http.IncomingHttpHeaders}>((resolve, reject) => {
        stream.once('response', (headers) => resolve({status: Number(headers[':status']), headers}));
        stream.on('error', reject);
      });
      head.catch(() => {});
      if (body !== undefined) send(stream, body);
      return {
        head,
        async answer() {
          const {status, headers} = await head;
          const read = await readAll(stream, headers);
          return {status, headers, ...read, whole: read.whole && stream.rstCode === 0};
        },
        // `close` would end the request's body cleanly first.
        leave: () => void stream.destroy(),
      };
    },
    close: () => session.destroy(),
  };
}

function send(request: http.ClientRequest | http2.ClientHttp2Stream, body: Asked['body']): void {
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) request.end(body);
  else body.pipe(request);
}

/** Reads to the end, or to where the stream breaks off. An agent may still be sending when it has its answer. */
function readAll(raw: Readable, headers: http.IncomingHttpHeaders): Promise<{body: string; whole: boolean}> {
  const stream = headers['content-encoding'] === 'gzip' ? pipeline(raw, createGunzip(), () => {}) : raw;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const done = (whole: boolean) => resolve({body: Buffer.concat(chunks).toString(), whole});
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => done(false));
    stream.once('end', () => done(true));
    stream.once('close', () => done(false));
    if (stream.closed) done(false);
  });
}
