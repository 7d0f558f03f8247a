import {setTimeout as sleep} from 'node:timers/promises';
import {Agent, type Dispatcher, request} from 'undici';
import type {KubeClient, WatchEvent} from './client.ts';
import type {Credentials, TLSMaterial} from './credentials.ts';
import {KubeConnectionError, KubeError, parseStatus} from './error.ts';
import {decodeWatchEvents} from './watchstream.ts';

export const fieldManager = 'lockkeeper-operator';

const drainMilliseconds = 2_000;

export interface KubeHTTPOptions {
  readonly credentials: Credentials;
  readonly userAgent: string;
  /** Bounds a call other than a watch from its start to the last byte of its answer. */
  readonly timeoutMilliseconds: number;
  /** Told of each answer; code is `<error>` where there was none, as in client-go's `rest_client_requests_total`. */
  readonly observe: (method: string, code: string) => void;
}

interface Call {
  readonly method: Dispatcher.HttpMethod;
  readonly signal: AbortSignal;
  readonly contentType?: string;
  readonly body?: string;
  readonly headersTimeout?: number;
  readonly bodyTimeout?: number;
}

/**
 * KubeClient over HTTP/1.1 with keep-alive, one connection for each call in flight. client-node only supplies the
 * credentials: its own transport builds a connection pool for each call, and its watches end after 30 s of silence
 * (kubernetes-client/javascript#3020).
 */
export class KubeHTTPClient implements KubeClient {
  readonly #options: KubeHTTPOptions;
  #pool: {readonly fingerprint: string; readonly agent: Agent} | undefined;

  constructor(options: KubeHTTPOptions) {
    this.#options = options;
  }

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.#json<T>('GET', path, undefined, signal);
  }

  create<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return this.#json<T>('POST', path, {type: 'application/json', value: body}, signal);
  }

  update<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return this.#json<T>('PUT', path, {type: 'application/json', value: body}, signal);
  }

  apply<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    const query = `${path.includes('?') ? '&' : '?'}fieldManager=${fieldManager}&force=true`;
    return this.#json<T>('PATCH', path + query, {type: 'application/apply-patch+yaml', value: body}, signal);
  }

  async delete(
    path: string,
    preconditions?: {uid?: string; resourceVersion?: string},
    signal?: AbortSignal,
  ): Promise<void> {
    const value = {kind: 'DeleteOptions', apiVersion: 'v1', ...(preconditions && {preconditions})};
    await this.#json('DELETE', path, {type: 'application/json', value}, signal);
  }

  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    // Aborted when the consumer leaves early, too: a body that nobody reads would hold its connection for ever.
    const left = new AbortController();
    const ended = AbortSignal.any([signal, left.signal]);
    try {
      const response = await this.#send(path, {
        method: 'GET',
        signal: ended,
        headersTimeout: this.#options.timeoutMilliseconds,
        bodyTimeout: 0,
      });
      if (response.statusCode !== 200) throw await errorOf('GET', path, response);
      yield* decodeWatchEvents(response.body);
    } catch (error) {
      throw this.#explain('GET', path, error, signal);
    } finally {
      left.abort();
    }
  }

  /** Lets calls in flight end for at most two seconds, then closes every connection. */
  async close(): Promise<void> {
    const agent = this.#pool?.agent;
    if (!agent) return;
    const closed = new AbortController();
    const graceful = agent.close().finally(() => closed.abort());
    await Promise.race([graceful, sleep(drainMilliseconds, undefined, {signal: closed.signal}).catch(() => undefined)]);
    await agent.destroy();
  }

  async #json<T>(
    method: Dispatcher.HttpMethod,
    path: string,
    body: {readonly type: string; readonly value: unknown} | undefined,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMilliseconds);
    try {
      const response = await this.#send(path, {
        method,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        ...(body && {contentType: body.type, body: JSON.stringify(body.value)}),
      });
      if (response.statusCode >= 300) throw await errorOf(method, path, response);
      return (await response.body.json()) as T;
    } catch (error) {
      throw this.#explain(method, path, error, signal);
    }
  }

  /** A 401 was not carried out: with credentials read anew it is sent once more, whatever the method. */
  async #send(path: string, call: Call): Promise<Dispatcher.ResponseData> {
    const first = await this.#sendOnce(path, call);
    if (first.statusCode !== 401) return first;
    await first.body.dump();
    await this.#options.credentials.reload();
    return await this.#sendOnce(path, call);
  }

  async #sendOnce(path: string, call: Call): Promise<Dispatcher.ResponseData> {
    const {credentials, userAgent, observe} = this.#options;
    const {headers, tls} = await credentials.current();
    try {
      const {contentType, ...options} = call;
      const response = await request(credentials.server + path, {
        ...options,
        dispatcher: this.#agent(tls),
        headers: {
          accept: 'application/json',
          'user-agent': userAgent,
          ...(contentType !== undefined && {'content-type': contentType}),
          ...headers,
        },
      });
      observe(call.method, String(response.statusCode));
      return response;
    } catch (error) {
      observe(call.method, '<error>');
      throw error;
    }
  }

  /** Connections last while the CA and client certificate do; when those rotate the old ones end with their last call. */
  #agent(tls: TLSMaterial): Agent {
    const fingerprint = JSON.stringify(Object.entries(tls).map(([name, value]) => [name, String(value)]));
    if (this.#pool?.fingerprint !== fingerprint) {
      this.#pool?.agent.close().catch(() => undefined);
      const agent = new Agent({connect: {...tls, timeout: 10_000, keepAlive: true, keepAliveInitialDelay: 30_000}});
      this.#pool = {fingerprint, agent};
    }
    return this.#pool.agent;
  }

  #explain(method: string, path: string, error: unknown, signal: AbortSignal | undefined): unknown {
    if (error instanceof KubeError || error instanceof KubeConnectionError) return error;
    if (signal?.aborted) return signal.reason;
    const message = error instanceof Error ? error.message : String(error);
    return new KubeConnectionError(`${method} ${this.#options.credentials.server}${path}: ${message}`, {cause: error});
  }
}

async function errorOf(method: string, path: string, response: Dispatcher.ResponseData): Promise<KubeError> {
  const text = await response.body.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return new KubeError(`${method} ${path}`, response.statusCode, parseStatus(body));
}
