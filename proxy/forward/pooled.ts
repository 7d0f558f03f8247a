import type {IncomingHttpHeaders} from 'node:http';
import {Pool} from 'undici';
import {ReusedReads} from './reusedreads.ts';
import type {ResponseController, ResponseHandler, Transport, UpstreamTarget} from './transport.ts';

/** kube-apiserver ends an ordinary request after 60 s by itself; past that nobody answers any more. */
const answerTimeoutMilliseconds = 65_000;
const connectTimeoutMilliseconds = 10_000;
const maximumConnections = 512;

/** HTTP/1.1 connections for calls that end soon: the cheapest way in CPU for a small GET. */
export function pooledTransport(target: UpstreamTarget): Transport {
  const reads = new ReusedReads();
  const pool = new Pool(target.origin, {
    connect: reads.connector(target, connectTimeoutMilliseconds),
    allowH2: false,
    connections: maximumConnections,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    headersTimeout: answerTimeoutMilliseconds,
    bodyTimeout: answerTimeoutMilliseconds,
  });
  return {
    send(request, handler) {
      pool.dispatch(
        {method: request.method, path: request.path, headers: request.headers, body: request.body ?? null},
        new ReadingHandler(handler, reads, request.method === 'HEAD'),
      );
    },
    close: () => pool.close(),
  };
}

/** Tells whose buffers are read into again between which moments its response runs. */
class ReadingHandler implements ResponseHandler {
  readonly #handler: ResponseHandler;
  readonly #reads: ReusedReads;
  /** The answer has no body, whatever its head says. */
  readonly #headOnly: boolean;
  #ended: (() => void) | undefined;

  constructor(handler: ResponseHandler, reads: ReusedReads, headOnly: boolean) {
    this.#handler = handler;
    this.#reads = reads;
    this.#headOnly = headOnly;
  }

  onRequestStart(controller: ResponseController): void {
    this.#handler.onRequestStart(controller);
  }

  onResponseStart(controller: ResponseController, statusCode: number, headers: IncomingHttpHeaders): void {
    if (statusCode >= 200) {
      this.#ended = this.#reads.responseStarted();
      if (!this.#headOnly && statusCode !== 204 && statusCode !== 304 && !isFramed(headers)) {
        controller.abort(unframed());
        return;
      }
    }
    this.#handler.onResponseStart(controller, statusCode, headers);
  }

  onResponseData(controller: ResponseController, chunk: Buffer): void {
    this.#handler.onResponseData(controller, chunk);
  }

  onResponseEnd(): void {
    this.#ended?.();
    this.#handler.onResponseEnd();
  }

  onResponseError(controller: ResponseController, error: Error): void {
    this.#ended?.();
    this.#handler.onResponseError(controller, error);
  }
}

/** Whether a body says where it ends. One that ends with its connection looks whole wherever that breaks. */
function isFramed(headers: IncomingHttpHeaders): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

function unframed(): Error {
  return Object.assign(new Error('the answer does not say where it ends'), {code: 'Unframed'});
}
