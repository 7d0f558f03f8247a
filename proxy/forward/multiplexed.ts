import * as http2 from 'node:http2';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import type {ResponseController, ResponseHandler, Transport, UpstreamRequest, UpstreamTarget} from './transport.ts';

/** Until the server's SETTINGS say otherwise; kube-apiserver's own limit is 250. */
const assumedConcurrentStreams = 100;
/** One stream's window is 64 KiB, so that streams that wait for slow agents never use up the connection's. */
const connectionWindowBytes = 32 * 1024 * 1024;
const pingMilliseconds = 30_000;
const pingTimeoutMilliseconds = 15_000;
const connectTimeoutMilliseconds = 10_000;
const idleMilliseconds = 30_000;

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

  function connect(): Connection {
    const session = http2.connect(target.origin, {...target.tls, ALPNProtocols: ['h2']});
    const connection: Connection = {
      session,
      streams: 0,
      limit: assumedConcurrentStreams,
      usable: true,
      idleSince: now(),
    };
    const retire = () => {
      connection.usable = false;
      connections.delete(connection);
    };
    const connectTimer = setTimeout(
      () => session.destroy(new Error(`no connection to ${target.origin} within ${connectTimeoutMilliseconds} ms`)),
      connectTimeoutMilliseconds,
    );
    session.once('connect', () => {
      clearTimeout(connectTimer);
      session.setLocalWindowSize(connectionWindowBytes);
    });
    session.on('remoteSettings', (settings) => {
      connection.limit = settings.maxConcurrentStreams ?? assumedConcurrentStreams;
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
      if (connection.usable && connection.streams < connection.limit) return connection;
    }
    return connect();
  }

  return {
    send(request, handler) {
      const connection = pick();
      connection.streams++;
      let stream: http2.ClientHttp2Stream;
      try {
        stream = connection.session.request(headerObject(request, target), {endStream: request.body === undefined});
      } catch (error) {
        connection.streams--;
        handler.onResponseError(closedController, error as Error);
        return;
      }
      stream.once('close', () => {
        connection.streams--;
        connection.idleSince = now();
      });
      attach(stream, request, handler);
    },
    async close() {
      await Promise.all(
        [...connections].map(({session}) => new Promise<void>((resolve) => session.close(() => resolve()))),
      );
    },
  };
}

const closedController: ResponseController = {abort: () => {}, pause: () => {}, resume: () => {}};

function attach(stream: http2.ClientHttp2Stream, request: UpstreamRequest, handler: ResponseHandler): void {
  let over = false;
  const fail = (error: Error) => {
    if (over) return;
    over = true;
    handler.onResponseError(controller, error);
  };
  const controller: ResponseController = {
    abort(reason) {
      stream.close(http2.constants.NGHTTP2_CANCEL);
      fail(reason);
    },
    pause: () => {
      stream.pause();
    },
    resume: () => {
      stream.resume();
    },
  };
  handler.onRequestStart(controller);
  if (over) return;
  stream.on('response', (headers) => {
    if (!over) handler.onResponseStart(controller, headers[':status'] ?? 0, headers);
  });
  stream.on('data', (chunk: Buffer) => {
    if (!over) handler.onResponseData(controller, chunk);
  });
  // `end` comes for a stream that was cut as well; only `close` knows how it ended.
  let ended = false;
  stream.once('end', () => {
    ended = true;
  });
  stream.once('aborted', () => fail(new Error('the API server cut the stream')));
  stream.on('error', fail);
  stream.once('close', () => {
    if (over) return;
    if (!ended || stream.rstCode !== http2.constants.NGHTTP2_NO_ERROR) {
      fail(new Error(`the stream ended early (HTTP/2 code ${stream.rstCode})`));
      return;
    }
    over = true;
    handler.onResponseEnd();
  });
  if (request.body instanceof Readable) pipeline(request.body, stream).catch(fail);
  else if (request.body !== undefined) stream.end(request.body);
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

/** A connection whose peer is gone without a word carries watches that are silent for ever; a ping finds it. */
function keepAlive(session: http2.ClientHttp2Session): void {
  if (session.connecting || session.destroyed || session.closed) return;
  const timer = setTimeout(() => session.destroy(new Error('no answer to an HTTP/2 ping')), pingTimeoutMilliseconds);
  timer.unref();
  session.ping(() => clearTimeout(timer));
}
