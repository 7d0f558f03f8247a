import {once} from 'node:events';
import * as http2 from 'node:http2';
import https from 'node:https';
import {Pool} from 'undici';

/** Where load goes: an API server, the gateway, or `kubectl proxy`. */
export interface Target {
  readonly origin: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
}

/** GETs of one path over so many connections, one request at a time on each, for a time or a count. */
export async function load(
  target: Target,
  path: string,
  options: {readonly connections: number; readonly seconds: number; readonly requests?: number},
): Promise<LoadResult> {
  const pool = new Pool(target.origin, {
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    connect: tls(target),
  });
  const headers = target.token === undefined ? {} : {authorization: `Bearer ${target.token}`};
  const latencies: number[] = [];
  let left = options.requests ?? Number.POSITIVE_INFINITY;
  const end = performance.now() + options.seconds * 1000;
  const start = performance.now();
  const worker = async () => {
    while (left-- > 0 && performance.now() < end) {
      const sent = performance.now();
      const {statusCode, body} = await pool.request({method: 'GET', path, headers});
      await body.dump({limit: Number.MAX_SAFE_INTEGER});
      if (statusCode !== 200) throw new Error(`GET ${path}: ${statusCode}`);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({length: options.connections}, worker));
  const seconds = (performance.now() - start) / 1000;
  await pool.close();
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0;
  return {requests: latencies.length, seconds, p50Milliseconds: quantile(0.5), p99Milliseconds: quantile(0.99)};
}

/** Opens watches, each on a connection of its own, and waits for the first bytes of each. Gives the way to end them. */
export async function openWatches(target: Target, path: string, count: number): Promise<() => void> {
  const agent = new https.Agent({keepAlive: false, maxSockets: Number.POSITIVE_INFINITY, ...tls(target)});
  const headers = target.token === undefined ? {} : {authorization: `Bearer ${target.token}`};
  const close: (() => void)[] = [];
  const open = () =>
    new Promise<void>((resolve, reject) => {
      const request = https.get(`${target.origin}${path}`, {agent, headers}, (response) => {
        if (response.statusCode !== 200) reject(new Error(`watch: ${response.statusCode}`));
        response.on('error', () => {});
        response.once('data', () => resolve());
        response.resume();
      });
      request.on('error', reject);
      close.push(() => request.destroy());
    });
  const atOnce = 20;
  for (let opened = 0; opened < count; opened += atOnce) {
    await Promise.all(Array.from({length: Math.min(atOnce, count - opened)}, open));
  }
  return () => {
    for (const end of close) end();
  };
}

/** The same, shared over HTTP/2 connections as client-go shares them. */
export async function openSharedWatches(
  target: Target,
  path: string,
  {connections, watchesEach}: {readonly connections: number; readonly watchesEach: number},
): Promise<() => void> {
  const headers = target.token === undefined ? {} : {authorization: `Bearer ${target.token}`};
  const sessions: http2.ClientHttp2Session[] = [];
  for (let opened = 0; opened < connections; opened++) {
    const session = http2.connect(target.origin, tls(target));
    sessions.push(session);
    const streams = Array.from({length: watchesEach}, () => session.request({':path': path, ...headers}));
    await Promise.all(streams.map((stream) => once(stream, 'data')));
    for (const stream of streams) stream.resume();
  }
  return () => {
    for (const session of sessions) session.destroy();
  };
}

function tls({ca, cert, key}: Target): {ca?: string; cert?: string; key?: string} {
  return {...(ca && {ca}), ...(cert && {cert}), ...(key && {key})};
}
