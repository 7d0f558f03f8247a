import type {IncomingHttpHeaders} from 'node:http';
import {createGunzip, type Gunzip} from 'node:zlib';
import type {ResponseController, ResponseHandler} from './transport.ts';

/**
 * Hands an answer on without its gzip. Upstream is asked for identity, and the API server keeps to that; what answers
 * behind `services/proxy` may compress all the same, and then could neither be masked nor recorded. The agent gets
 * identity, which every client takes.
 *
 * Holds as much as zlib does, whatever the answer unpacks to.
 */
export class Decoded implements ResponseHandler, ResponseController {
  readonly #next: ResponseHandler;
  #upstream: ResponseController | undefined;
  #gunzip: Gunzip | undefined;
  #hasBody = false;

  constructor(next: ResponseHandler) {
    this.#next = next;
  }

  onRequestStart(controller: ResponseController): void {
    this.#upstream = controller;
    this.#next.onRequestStart(this);
  }

  onResponseStart(_controller: ResponseController, statusCode: number, headers: IncomingHttpHeaders): void {
    const encoding = headers['content-encoding'];
    if (encoding === undefined || statusCode < 200 || !/^(x-)?gzip$/i.test(encoding)) {
      this.#next.onResponseStart(this, statusCode, headers);
      return;
    }
    const {'content-encoding': _encoding, 'content-length': _length, ...rest} = headers;
    this.#gunzip = createGunzip()
      .on('data', (bytes: Buffer) => this.#next.onResponseData(this, bytes))
      .on('drain', () => this.#upstream?.resume())
      .once('end', () => this.#next.onResponseEnd())
      .once('error', (error) => {
        this.#next.onResponseError(this, error);
        this.#upstream?.abort(error);
      });
    this.#next.onResponseStart(this, statusCode, rest);
  }

  onResponseData(controller: ResponseController, chunk: Buffer): void {
    this.#hasBody = true;
    if (this.#gunzip === undefined) this.#next.onResponseData(this, chunk);
    // zlib reads it later, when the transport may have put other bytes in its place.
    else if (!this.#gunzip.destroyed && !this.#gunzip.write(Buffer.from(chunk))) controller.pause();
  }

  onResponseEnd(): void {
    // The answers to HEAD have no body, and neither has 304.
    if (this.#gunzip === undefined || !this.#hasBody) this.#next.onResponseEnd();
    else if (!this.#gunzip.destroyed) this.#gunzip.end();
  }

  onResponseError(_controller: ResponseController, error: Error): void {
    this.#gunzip?.destroy();
    this.#next.onResponseError(this, error);
  }

  pause(): void {
    (this.#gunzip ?? this.#upstream)?.pause();
  }

  resume(): void {
    (this.#gunzip ?? this.#upstream)?.resume();
  }

  abort(reason: Error): void {
    this.#gunzip?.destroy();
    this.#upstream?.abort(reason);
  }
}
