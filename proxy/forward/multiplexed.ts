import * as http2 from 'node:http2';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {
  NotTaken,
  type ResponseController,
  type ResponseHandler,
  type Transport,
  type UpstreamRequest,
  type UpstreamTarget,
} from './transport.ts';

/** Until the server's SETTINGS say otherwise; kube-apiserver's own limit is 250. */
const assumedConcurrentStreams = 100;
/** One stream's window is 64 KiB, so that streams that wait for slow agents never use up the connection's. */
const connectionWindowBytes = 32 * 1024 * 1024;
/** With its timeout: a peer that fell silent is found within 45 s, as client-go finds it. */
const pingMilliseconds = 30_000;
const pingTimeoutMilliseconds = 15_000;
const connectTimeoutMilliseconds = 10_000;
const idleMilliseconds = 30_000;
/** Of one call that a server refuses unseen. */
const maximumAttempts = 3;

interface Connection {
  readonly session: http2.ClientHttp2Session;
  streams: number;
  limit: number;
  usable: boolean;
  idleSince: number;
}

/**
 * HTTP/2 connections that calls of hours share: watches and followed logs. A connection that has as many streams as
 * the server allows is joined by another one, which undici's own pool does not do.
 */
export function multiplexedTransport(target: UpstreamTarget, now: () => number): Transport {
  const connections = new Set<Connection>();
  let concurrentStreams = assumedConcurrentStreams;

  function connect(): Connection {
    const session = http2.connect(target.origin, {...target.tls, ALPNProtocols: ['h2']});
    const connection: Connection = {session, streams: 0, limit: concurrentStreams, usable: true, idleSince: now()};
    const retire = () => {
      connection.usable = false;
      connections.delete(connection);
    };
    const connectTimer = setTimeout(() => session.destroy(noConnection(target)), connectTimeoutMilliseconds);
    session.once('connect', () => {
      clearTimeout(connectTimer);
      session.setLocalWindowSize(connectionWindowBytes);
    });
    session.on('remoteSettings', (settings) => {
      concurrentStreams = settings.maxConcurrentStreams ?? assumedConcurrentStreams;
      connection.limit = concurrentStreams;
    });
    session.on('goaway', retire);
    // Each stream reports the session's error to its own handler.
    session.on('error', retire);
    session.once('close', () => {
      clearTimeout(connectTimer);
      clearInterval(ping);
      retire();
    });
    const ping = setInterval(() => {
      if (connection.streams === 0 && now() - connection.idleSince > idleMilliseconds) {
        retire();
        session.close();
        return;
      }
      keepAlive(session);
    }, pingMilliseconds);
    ping.unref();
    connections.add(connection);
    return connection;
  }

  function pick(): Connection {
    for (const connection of connections) {
      const {session, streams, limit, usable} = connection;
      if (usable && streams < limit && !session.closed && !session.destroyed) return connection;
    }
    return connect();
  }

  function open(request: UpstreamRequest): http2.ClientHttp2Stream {
    const connection = pick();
    const stream = connection.session.request(headerObject(request, target), {endStream: request.body === undefined});
    connection.streams++;
    stream.once('close', () => {
      connection.streams--;
      connection.idleSince = now();
    });
    return stream;
  }

  return {
    send: (request, handler) => exchange(open, request, handler),
    async close() {
      await Promise.all(
        [...connections].map(({session}) => new Promise<void>((resolve) => session.close(() => resolve()))),
      );
    },
  };
}

/** Carries one call over a stream, and over another one where the server did not take the first. */
function exchange(
  open: (request: UpstreamRequest) => http2.ClientHttp2Stream,
  request: UpstreamRequest,
  handler: ResponseHandler,
): void {
  let stream: http2.ClientHttp2Stream | undefined;
  let attempts = 0;
  let over = false;
  const fail = (error: Error) => {
    if (over) return;
    over = true;
    handler.onResponseError(controller, error);
  };
  const controller: ResponseController = {
    abort(reason) {
      stream?.close(http2.constants.NGHTTP2_CANCEL);
      fail(reason);
    },
    pause: () => {
      stream?.pause();
    },
    resume: () => {
      stream?.resume();
    },
  };
  handler.onRequestStart(controller);
  if (!over) attempt();

  function attempt(): void {
    attempts++;
    try {
      stream = open(request);
    } catch (error) {
      fail(error as Error);
      return;
    }
    carry(stream);
    if (request.body instanceof Readable) pipeline(request.body, stream).catch(fail);
    else if (request.body !== undefined) stream.end(request.body);
  }

  function carry(carrier: http2.ClientHttp2Stream): void {
    const whole = endSeen(carrier);
    let started = false;
    let failure: Error | undefined;
    carrier.on('response', (headers) => {
      started = true;
      if (!over) handler.onResponseStart(controller, headers[':status'] ?? 0, headers);
    });
    carrier.on('data', (chunk: Buffer) => {
      if (!over) handler.onResponseData(controller, chunk);
    });
    carrier.once('aborted', () => fail(new Error('the API server cut the stream')));
    carrier.on('error', (error) => {
      failure = causeOf(error);
    });
    carrier.once('close', () => {
      if (over) return;
      const code = carrier.rstCode;
      // REFUSED_STREAM says that nothing of the call was acted on (RFC 9113, 8.7): the server allows fewer streams than
      // we thought, or is about to close the connection. A body that streams is gone by then.
      const refused = code === http2.constants.NGHTTP2_REFUSED_STREAM && !started;
      if (refused && attempts < maximumAttempts && !(request.body instanceof Readable)) {
        attempt();
      } else if (refused) {
        fail(new NotTaken('the API server refused the stream'));
      } else if (failure !== undefined || !started || !whole() || code !== http2.constants.NGHTTP2_NO_ERROR) {
        fail(failure ?? new Error(`the stream ended early (HTTP/2 code ${code})`));
      } else {
        over = true;
        handler.onResponseEnd();
      }
    });
  }
}

/**
 * Says, once a stream has closed, whether its answer came to the end that the server marked. A reset without an error
 * code reads like one: Node emits `end` for both, but tells the stream of a reset only once that is closed.
 */
function endSeen(stream: http2.ClientHttp2Stream): () => boolean {
  let whole: boolean | undefined;
  const push = stream.push.bind(stream);
  stream.push = (chunk, encoding) => {
    if (chunk === null) whole ??= !stream.closed;
    return push(chunk, encoding);
  };
  return () => whole === true;
}

/** Node wraps what broke a connection for each stream that was to use it. */
function causeOf(error: Error): Error {
  const {code} = error as NodeJS.ErrnoException;
  return code === 'ERR_HTTP2_STREAM_CANCEL' && error.cause !== undefined ? (error.cause as Error) : error;
}

function noConnection({origin}: UpstreamTarget): Error {
  const message = `no connection to ${origin} within ${connectTimeoutMilliseconds} ms`;
  return Object.assign(new Error(message), {code: 'ETIMEDOUT'});
}

function headerObject(request: UpstreamRequest, target: UpstreamTarget): http2.OutgoingHttpHeaders {
  const headers: http2.OutgoingHttpHeaders = {
    ':method': request.method,
    ':path': request.path,
    ':scheme': 'https',
    ':authority': new URL(target.origin).host,
  };
  for (let i = 0; i + 1 < request.headers.length; i += 2) {
    const name = request.headers[i] as string;
    const value = request.headers[i + 1] as string;
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else headers[name] = Array.isArray(before) ? [...before, value] : [String(before), value];
  }
  return headers;
}

/**
 * A connection whose peer is gone without a word carries watches that are silent for ever; a ping finds it, also on one
 * that takes no further calls.
 */
function keepAlive(session: http2.ClientHttp2Session): void {
  if (session.connecting || session.destroyed) return;
  const timer = setTimeout(() => session.destroy(new Error('no answer to an HTTP/2 ping')), pingTimeoutMilliseconds);
  timer.unref();
  session.ping(() => clearTimeout(timer));
}
