import {once} from 'node:events';
import type {IncomingHttpHeaders} from 'node:http';
import * as http2 from 'node:http2';
import {type AddressInfo, connect, createServer, type Socket} from 'node:net';
import type {ResponseController, ResponseHandler, UpstreamTarget} from '../../proxy/forward/transport.ts';
import {type CertificatePair, createAuthority, issueCertificate} from '../cluster/certificates.ts';

/** What a TLS server on 127.0.0.1 presents, and the authority that clients trust it by. */
export interface Presented {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export async function loopbackCertificate(): Promise<Presented> {
  const authority: CertificatePair = await createAuthority('upstream authority');
  const subject = {usage: 'server', names: [], addresses: ['127.0.0.1']} as const;
  const {certificate, key} = await issueCertificate(authority, subject);
  return {ca: authority.certificate, cert: certificate, key};
}

/** An HTTP/2 API server that the test plays. */
export interface Http2Upstream {
  readonly target: UpstreamTarget;
  /** Connections that came so far. */
  readonly sessions: http2.ServerHttp2Session[];
  close(): Promise<void>;
}

export type OnStream = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

export async function http2Upstream(
  presented: Presented,
  onStream: OnStream,
  settings: http2.Settings = {},
): Promise<Http2Upstream> {
  const server = http2.createSecureServer({...presented, settings});
  const sessions: http2.ServerHttp2Session[] = [];
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream as http2.ServerHttp2Stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    target: {origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, tls: {ca: presented.ca}},
    sessions,
    async close() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A wire to a server that can fall silent: it stays connected and carries nothing more. */
export interface Wire {
  readonly origin: string;
  silence(): void;
  close(): Promise<void>;
}

export async function wireTo(target: UpstreamTarget): Promise<Wire> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(new URL(target.origin).port), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** One call's answer as a transport tells it. */
export class Received implements ResponseHandler {
  readonly started: Promise<{readonly status: number; readonly headers: IncomingHttpHeaders}>;
  /** undefined for an answer that ended, else why it did not. */
  readonly ended: Promise<Error | undefined>;
  readonly #onStart: (controller: ResponseController) => void;
  #controller: ResponseController | undefined;
  #chunks: Buffer[] = [];
  readonly #started = Promise.withResolvers<{status: number; headers: IncomingHttpHeaders}>();
  readonly #ended = Promise.withResolvers<Error | undefined>();
  /** How many times each event came. */
  readonly events: string[] = [];

  constructor(onStart: (controller: ResponseController) => void = () => {}) {
    this.started = this.#started.promise;
    this.started.catch(() => {});
    this.ended = this.#ended.promise;
    this.#onStart = onStart;
  }

  get content(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get body(): string {
    return this.content.toString();
  }

  get bytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  get controller(): ResponseController {
    if (this.#controller === undefined) throw new Error('the request has not started');
    return this.#controller;
  }

  onRequestStart(controller: ResponseController): void {
    this.events.push('requestStart');
    this.#controller = controller;
    this.#onStart(controller);
  }

  onResponseStart(_controller: ResponseController, status: number, headers: IncomingHttpHeaders): void {
    this.events.push('start');
    this.#started.resolve({status, headers});
  }

  onResponseData(_controller: ResponseController, chunk: Buffer): void {
    this.#chunks.push(Buffer.from(chunk));
  }

  onResponseEnd(): void {
    this.events.push('end');
    this.#ended.resolve(undefined);
  }

  onResponseError(_controller: ResponseController, error: Error): void {
    this.events.push('error');
    this.#started.reject(error);
    this.#ended.resolve(error);
  }
}
