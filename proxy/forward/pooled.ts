import {Pool} from 'undici';
import type {Transport, UpstreamTarget} from './transport.ts';

/** kube-apiserver ends an ordinary request after 60 s by itself; past that nobody answers any more. */
const answerTimeoutMilliseconds = 65_000;
const connectTimeoutMilliseconds = 10_000;
const maximumConnections = 512;

/** HTTP/1.1 connections for calls that end soon: the cheapest way in CPU for a small GET. */
export function pooledTransport(target: UpstreamTarget): Transport {
  const pool = new Pool(target.origin, {
    connect: {...target.tls, timeout: connectTimeoutMilliseconds},
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
        handler,
      );
    },
    close: () => pool.close(),
  };
}
