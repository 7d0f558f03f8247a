import type {IncomingHttpHeaders} from 'node:http';
import type {ResponseController, ResponseHandler} from './transport.ts';

/** How an answer that is small by its nature is given anew. */
export interface Rewrite {
  readonly maximumBytes: number;
  /** Whether the answer is to be; any other passes as it comes. */
  readonly applies: (statusCode: number) => boolean;
  /**
   * @param answer undefined where it is longer than `maximumBytes`
   * @throws {Refusal} where it is not what it should be
   */
  readonly body: (answer: Buffer | undefined, headers: IncomingHttpHeaders) => Buffer;
}

/**
 * Holds an answer until it is whole and hands on another in its place. Only for answers that no part can be given of
 * before all is known: everything else streams.
 */
export class Rewritten implements ResponseHandler {
  readonly #next: ResponseHandler;
  readonly #rewrite: Rewrite;
  #controller: ResponseController | undefined;
  #head: {readonly statusCode: number; readonly headers: IncomingHttpHeaders} | undefined;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(next: ResponseHandler, rewrite: Rewrite) {
    this.#next = next;
    this.#rewrite = rewrite;
  }

  onRequestStart(controller: ResponseController): void {
    this.#controller = controller;
    this.#next.onRequestStart(controller);
  }

  onResponseStart(controller: ResponseController, statusCode: number, headers: IncomingHttpHeaders): void {
    if (this.#rewrite.applies(statusCode)) this.#head = {statusCode, headers};
    else this.#next.onResponseStart(controller, statusCode, headers);
  }

  onResponseData(controller: ResponseController, chunk: Buffer): void {
    if (this.#head === undefined) {
      this.#next.onResponseData(controller, chunk);
      return;
    }
    this.#bytes += chunk.length;
    // What is too long is read to its end, so that the connection can be used again, and forgotten.
    if (this.#bytes > this.#rewrite.maximumBytes) this.#chunks.length = 0;
    else this.#chunks.push(Buffer.from(chunk));
  }

  onResponseEnd(): void {
    if (this.#head !== undefined && this.#controller !== undefined) this.#handOn(this.#controller, this.#head);
    else this.#next.onResponseEnd();
  }

  onResponseError(controller: ResponseController, error: Error): void {
    this.#next.onResponseError(controller, error);
  }

  #handOn(
    controller: ResponseController,
    {statusCode, headers}: {readonly statusCode: number; readonly headers: IncomingHttpHeaders},
  ): void {
    let body: Buffer;
    try {
      const answer = this.#bytes > this.#rewrite.maximumBytes ? undefined : Buffer.concat(this.#chunks);
      body = this.#rewrite.body(answer, headers);
    } catch (error) {
      this.#next.onResponseError(controller, error as Error);
      return;
    }
    this.#next.onResponseStart(controller, statusCode, {...headers, 'content-length': String(body.length)});
    this.#next.onResponseData(controller, body);
    this.#next.onResponseEnd();
  }
}
