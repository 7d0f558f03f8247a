import type {IncomingHttpHeaders} from 'node:http';
import {PassThrough, type Readable} from 'node:stream';
import type {LiveCall, LiveCalls} from '../authorize/live.ts';
import {announcesBody} from '../path/body.ts';
import type {Call, Next} from '../path/call.ts';
import type {Credential} from './credential.ts';
import {Decoded} from './decoded.ts';
import {type IdentityHeaders, upstreamHeaders} from './headers.ts';
import {isLongRunning} from './longrunning.ts';
import {OutboxBuffers} from './outbox.ts';
import {type BodyReader, ClientGone, Relay} from './relay.ts';
import {type Rewrite, Rewritten} from './rewritten.ts';
import type {Transport, UpstreamRequest} from './transport.ts';

/** A call that was decided, approved where it had to be and put on record: all that may leave the proxy. */
export interface Dispatchable extends LiveCall {
  /** What to ask upstream for. */
  readonly accept: string | undefined;
  readonly openBody: (statusCode: number, headers: IncomingHttpHeaders) => BodyReader;
  /** Set where the answer is given anew. */
  readonly rewrite?: Rewrite;
}

export interface ForwardDependencies {
  /** For calls that end soon. */
  readonly pooled: Transport;
  /** For calls that last: many share a connection. */
  readonly multiplexed: Transport;
  readonly identity: IdentityHeaders;
  readonly credential: Credential;
  /** Told of calls that last, and ends them when they are permitted no longer. */
  readonly live: Pick<LiveCalls, 'admit'>;
  /** Responses that last, so that draining can end them cleanly. */
  readonly longRunning: Set<Relay>;
}

/** Sends the call upstream and carries the answer back. Takes only what the decision permitted. */
export function forward(deps: ForwardDependencies): Next<Dispatchable> {
  const buffers = new OutboxBuffers();
  return (call, {decided, permitted, accept, openBody, rewrite}) => {
    const {operation, agent} = permitted;
    const headers = upstreamHeaders(call.request.headers, deps.identity(agent), {
      authorization: deps.credential.authorization,
      accept,
      auditID: call.record.auditID,
    });
    const request = {
      method: operation.method,
      path: operation.requestURI,
      headers,
      // Where a filter had to read it, what it read; else as it comes.
      body: decided.body?.bytes ?? bodyStream(call, headers),
    };
    if (!isLongRunning(operation)) {
      const relay = new Relay(call.response, openBody, buffers);
      deps.pooled.send(request, new Decoded(rewrite === undefined ? relay : new Rewritten(relay, rewrite)));
      return relay.done;
    }
    const relay = new Relay(call.response, openBody, buffers, (statusCode) => call.record.responseStarted(statusCode));
    const release = deps.live.admit({decided, permitted}, (refusal) => relay.end(refusal));
    deps.longRunning.add(relay);
    return lasting(request, relay, release);
  };

  async function lasting(request: UpstreamRequest, relay: Relay, release: () => void): Promise<void> {
    try {
      deps.multiplexed.send(request, new Decoded(relay));
      await relay.done;
    } finally {
      release();
      deps.longRunning.delete(relay);
    }
  }
}

/**
 * The request's body as a stream, framed anew: by its declared length, else by chunks.
 *
 * It passes through a stream of our own, because a transport destroys the body of a call that failed, and with it
 * would go the connection on which the agent waits for the Status.
 */
function bodyStream(call: Call, headers: string[]): Readable | undefined {
  const {request} = call;
  if (!announcesBody(request)) return undefined;
  const length = request.headers['content-length'];
  if (length !== undefined) headers.push('content-length', length);
  const shield = new PassThrough();
  // The transport tells what became of the call.
  shield.on('error', () => {});
  request.on('error', (error) => shield.destroy(error));
  // Over HTTP/2 a body that was cut short ends like one that is whole.
  request.once('aborted', () => shield.destroy(new ClientGone('the agent went away while it sent the body')));
  request.pipe(shield);
  // What the API server does not want is read all the same: the agent's next calls come behind it.
  shield.once('close', () => request.resume());
  return shield;
}
