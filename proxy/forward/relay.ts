import type {IncomingHttpHeaders} from 'node:http';
import type {Status} from '../../core/status.ts';
import {isGone, type ServedResponse} from '../path/call.ts';
import {Refusal, StreamEnded} from '../path/refusal.ts';
import {downstreamHeaders} from './headers.ts';
import {Inbox} from './inbox.ts';
import {Outbox, type OutboxBuffers, writtenBytes} from './outbox.ts';
import {NotTaken, type ResponseController, type ResponseHandler} from './transport.ts';

/** What one response passes through: masking, or nothing. */
export interface BodyReader {
  /** In the place of the response's own; where the length of the body changes, they do not say it. */
  readonly headers?: IncomingHttpHeaders;
  push(chunk: Buffer, emit: (bytes: Buffer) => void): void;
  end(emit: (bytes: Buffer) => void): void;
}

/** Looks at the head of the response and says how its body is read; throws a Refusal where it must not pass. */
export type OpenBody = (statusCode: number, headers: IncomingHttpHeaders) => BodyReader;

/** Told once the head of the response has gone out. */
export type Started = (statusCode: number) => void;

const lineEnd = 0x0a;

/**
 * Of an answer that ends soon: while one piece is being written the next is gathered, and reading upstream is seldom
 * stopped. Of those that last there may be thousands, which must not hold so much each.
 */
const waitingBytes = 2 * writtenBytes;

/** How long an agent may take to read why its watch was ended. */
const patienceMilliseconds = 1_000;

/** Why a relay ended before the response did. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
  readonly code = 'ClientGone';
}

/**
 * Carries one response from the API server to the agent with backpressure, and its end both ways: an agent that goes
 * away cancels the call upstream; a response that breaks off destroys the agent's stream, so that a truncated list
 * never looks whole.
 *
 * `done` settles once: resolved when all was written, rejected with a Refusal while an answer can still be given, with
 * StreamEnded where `end` came when the response had begun, and with any other error when it broke off.
 */
export class Relay implements ResponseHandler {
  readonly done: Promise<void>;
  readonly #response: ServedResponse;
  readonly #openBody: OpenBody;
  readonly #started: Started | undefined;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};
  #settled = false;
  #controller: ResponseController | undefined;
  #body: BodyReader | undefined;
  /** Bytes still to come of a body whose length is known; -1 where it is not. */
  #remaining = -1;
  readonly #in: Inbox;
  readonly #out: Outbox;
  /** A stream of events, one on each line, which ends between two of them. */
  #events = false;
  /** The API server is in the middle of a line. */
  #midLine = false;
  #finishing = false;

  constructor(response: ServedResponse, openBody: OpenBody, buffers: OutboxBuffers, started?: Started) {
    this.#response = response;
    this.#openBody = openBody;
    this.#in = new Inbox(buffers, (bytes) => this.#body?.push(bytes, this.#emit), this.#onTurnEnd);
    const onDrain = () => this.#controller?.resume();
    this.#out = new Outbox(response, buffers, onDrain, started === undefined ? waitingBytes : 0);
    this.#started = started;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (isGone(response)) this.#onClose();
    else response.once('close', this.#onClose);
  }

  /**
   * Ends the call from this side, because the proxy is going down: cleanly where the answer has begun, and behind the
   * event that is under way, since a client cannot read half of one.
   */
  finish(): void {
    if (this.#settled || this.#finishing) return;
    if (!this.#response.headersSent) {
      const draining = this.#draining();
      this.#fail(draining);
      this.#controller?.abort(draining);
    } else if (this.#remaining < 0) {
      this.#finishing = true;
      if (!this.#events || !this.#midLine) this.#finishNow();
    }
  }

  /**
   * Ends the call because it is no longer permitted. A watch that stands between two events ends with one that says why,
   * as the API server itself would end it; of any other answer the agent must see that it broke off.
   */
  end(refusal: Refusal): void {
    if (this.#settled) return;
    if (this.#response.headersSent) {
      this.#settle();
      if (this.#events && !this.#midLine && this.#remaining < 0) this.#endWith(refusal.status());
      else this.#discard();
      this.#reject(new StreamEnded(refusal));
    } else {
      this.#fail(refusal);
    }
    this.#controller?.abort(refusal);
  }

  onRequestStart(controller: ResponseController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new ClientGone('the agent went away'));
  }

  onResponseStart(controller: ResponseController, statusCode: number, headers: IncomingHttpHeaders): void {
    if (this.#settled || statusCode < 200) return;
    try {
      this.#body = this.#openBody(statusCode, headers);
      const length = headers['content-length'];
      this.#remaining = length === undefined ? -1 : Number(length);
      this.#events = this.#started !== undefined && headers['content-type']?.startsWith('application/json') === true;
      this.#response.writeHead(statusCode, downstreamHeaders(this.#body.headers ?? headers));
      if (this.#started !== undefined) {
        this.#response.flushHeaders();
        this.#started(statusCode);
      }
    } catch (error) {
      this.#fail(error as Error);
      controller.abort(error as Error);
    }
  }

  onResponseData(controller: ResponseController, chunk: Buffer): void {
    if (this.#settled || this.#body === undefined) return;
    try {
      if (this.#events) {
        const end = this.#finishing ? chunk.indexOf(lineEnd) : -1;
        if (end !== -1) {
          this.#in.put(chunk.subarray(0, end + 1));
          this.#finishNow();
          return;
        }
        this.#midLine = chunk.at(-1) !== lineEnd;
      }
      if (this.#remaining >= 0) this.#remaining -= chunk.length;
      if (this.#remaining === 0) {
        // Most answers come whole, and need not be gathered.
        this.#in.deliver();
        this.#out.expectEnd();
        this.#body.push(chunk, this.#emit);
        this.onResponseEnd();
        return;
      }
      this.#in.put(chunk);
    } catch (error) {
      this.#onMaskingFailed(controller, error as Error);
      return;
    }
    if (this.#out.blocked) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    try {
      this.#in.deliver();
      this.#body?.end(this.#emit);
      this.#out.end();
      this.#settle();
      this.#resolve();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  onResponseError(_controller: ResponseController, error: Error): void {
    this.#fail(error);
  }

  #finishNow(): void {
    this.onResponseEnd();
    this.#controller?.abort(this.#draining());
  }

  #draining(): Refusal {
    return new Refusal('Draining', 503, 'the proxy is going down; try again', {retryAfterSeconds: 1});
  }

  readonly #emit = (bytes: Buffer): void => {
    this.#out.put(bytes);
  };

  readonly #onTurnEnd = (): void => {
    const controller = this.#controller;
    if (this.#settled || controller === undefined) {
      this.#in.discard();
      return;
    }
    const wasBlocked = this.#out.blocked;
    try {
      this.#in.deliver();
    } catch (error) {
      this.#onMaskingFailed(controller, error as Error);
      return;
    }
    this.#out.flush();
    if (this.#out.blocked && !wasBlocked) controller.pause();
  };

  /** Not one byte more. */
  #onMaskingFailed(controller: ResponseController, error: Error): void {
    this.#fail(error);
    controller.abort(error);
  }

  #discard(): void {
    this.#in.discard();
    this.#out.discard();
  }

  readonly #onClose = (): void => {
    if (this.#settled) return;
    const gone = new ClientGone('the agent went away');
    this.#settled = true;
    this.#discard();
    this.#reject(gone);
    this.#controller?.abort(gone);
  };

  /** Leaves the response without an end where what the agent was given cannot be completed. */
  #endWith(status: Status): void {
    const response = this.#response;
    try {
      this.#in.deliver();
      this.#body?.end(this.#emit);
    } catch {
      return;
    }
    this.#out.put(Buffer.from(`${JSON.stringify({type: 'ERROR', object: status})}\n`));
    this.#out.end();
    // An agent that does not read would keep the connection for as long as it likes.
    const patience = setTimeout(() => breakOff(response), patienceMilliseconds);
    response.once('close', () => clearTimeout(patience));
  }

  #settle(): void {
    this.#settled = true;
    this.#response.removeListener('close', this.#onClose);
  }

  #fail(error: Error): void {
    if (this.#settled) return;
    this.#settle();
    this.#in.discard();
    this.#reject(this.#response.headersSent ? error : upstreamRefusal(error, this.#response.req.method));
  }
}

/** Ends a response so that nobody takes what came of it for all of it. */
export function breakOff(response: ServedResponse): void {
  if (response.stream === undefined) response.destroy();
  // INTERNAL_ERROR: to an HTTP/2 client the stream, not the connection, is broken. Destroyed, it would look ended.
  else response.stream.close(2);
}

/** What the agent is told of a call that never got an answer. Clients send again what comes with a time to wait. */
export function upstreamRefusal(error: Error, method: string | undefined): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof NotTaken) {
    // 429, and not 503, because a client then knows that a write did not take place.
    const message = 'the API server did not take the call, for it is closing its connection; try again';
    return new Refusal('UpstreamUnavailable', 429, message, {retryAfterSeconds: 1, cause: error});
  }
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return new Refusal('UpstreamTimeout', 504, 'the API server did not answer in time', {cause: error});
  }
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EHOSTUNREACH') {
    return new Refusal('UpstreamUnavailable', 503, `the API server cannot be reached (${code})`, {
      retryAfterSeconds: 1,
      cause: error,
    });
  }
  const lost = code.startsWith('ERR_HTTP2_') || code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
  if (lost && (method === 'GET' || method === 'HEAD')) {
    // A connection that was going away took the call with it. Whether a write took place nobody knows.
    return new Refusal('UpstreamUnavailable', 503, `the connection to the API server went away (${code})`, {
      retryAfterSeconds: 1,
      cause: error,
    });
  }
  return new Refusal('UpstreamUnavailable', 502, `the API server's answer could not be read (${code || error.name})`, {
    cause: error,
  });
}
