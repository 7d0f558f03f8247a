import {readFile} from 'node:fs/promises';
import {Agent, request} from 'undici';
import {
  type AccessRequestPhase,
  type AccessRequestState,
  type Acknowledgement,
  type BundleMessage,
  type Checkpoint,
  type ConsumeRequest,
  heartbeatSeconds,
  type OpenRequest,
} from '../../core/control/messages.ts';
import type {Status} from '../../core/status.ts';

const answerTimeoutMilliseconds = 10_000;
const followMarginMilliseconds = 5_000;

/** The operator could not be asked: out of reach, or an answer that is none. */
export class ControlUnavailable extends Error {
  override readonly name = 'ControlUnavailable';
  readonly code = 'ControlUnavailable';
}

/** The operator said no. */
export class ControlRefused extends Error {
  override readonly name = 'ControlRefused';
  readonly code = 'ControlRefused';
  readonly httpStatus: number;

  constructor(httpStatus: number, message: string) {
    super(message);
    this.httpStatus = httpStatus;
  }
}

export interface ControlClientOptions {
  /** `https://host:port` of the control API. */
  readonly origin: string;
  /** PEM of the authority that signed the control API's certificate. */
  readonly ca: string | Buffer | undefined;
  /** ServiceAccount token of audience `lockkeeper-operator`; read for each call, for it rotates. */
  readonly tokenFile: string;
  /** Of this process, for acknowledgements. */
  readonly proxy: string;
  /** A bundle stream on which nothing came for so long is dead, whatever its connection says. Default 3 heartbeats. */
  readonly silenceMilliseconds?: number;
}

/** The proxy's side of the control API: core/control/messages.ts. */
export class ControlClient {
  readonly #options: ControlClientOptions;
  readonly #agent: Agent;

  constructor(options: ControlClientOptions) {
    this.#options = options;
    this.#agent = new Agent({connect: options.ca === undefined ? {} : {ca: options.ca}});
  }

  /** Opens an AccessRequest, or joins the one that is open for the same call. */
  open(body: OpenRequest): Promise<AccessRequestState> {
    return this.#call('POST', '/v1/accessrequests', body, answerTimeoutMilliseconds);
  }

  /** The state once its phase is not the given one, or when the seconds have passed. */
  follow(
    namespace: string,
    name: string,
    waitSeconds: number,
    signal: AbortSignal,
    phase: AccessRequestPhase = 'Pending',
  ): Promise<AccessRequestState> {
    const path = `/v1/accessrequests/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}?waitSeconds=${waitSeconds}&phase=${phase}`;
    return this.#call('GET', path, undefined, waitSeconds * 1000 + followMarginMilliseconds, signal);
  }

  /** Spends a grant. Throws ControlRefused with 409 where it cannot be spent. */
  consume(namespace: string, name: string, body: ConsumeRequest): Promise<AccessRequestState> {
    const path = `/v1/accessrequests/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/consume`;
    return this.#call('POST', path, body, answerTimeoutMilliseconds);
  }

  async acknowledge(body: Acknowledgement): Promise<void> {
    await this.#call('POST', '/v1/acknowledgements', body, answerTimeoutMilliseconds);
  }

  async checkpoint(body: Checkpoint): Promise<void> {
    await this.#call('POST', '/v1/checkpoints', body, answerTimeoutMilliseconds);
  }

  /** The bundle stream: one message at a time until it breaks, which is a ControlUnavailable, or the signal ends it. */
  async *bundles(signal: AbortSignal): AsyncGenerator<BundleMessage, void> {
    const path = `/v1/bundle?proxy=${encodeURIComponent(this.#options.proxy)}`;
    const response = await this.#send('GET', path, undefined, signal, {
      headersTimeout: answerTimeoutMilliseconds,
      bodyTimeout: this.#options.silenceMilliseconds ?? heartbeatSeconds * 3 * 1000,
    });
    if (response.statusCode !== 200) throw await refused(response);
    try {
      let text = '';
      response.body.setEncoding('utf8');
      for await (const chunk of response.body) {
        text += chunk;
        let end = text.indexOf('\n');
        if (end === -1) continue;
        let start = 0;
        for (; end !== -1; end = text.indexOf('\n', start)) {
          yield bundleMessage(text.slice(start, end));
          start = end + 1;
        }
        text = text.slice(start);
      }
    } catch (error) {
      if (signal.aborted) return;
      throw unavailable(error);
    }
    if (!signal.aborted) throw new ControlUnavailable('the operator ended the bundle stream');
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #call<T>(
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    timeoutMilliseconds: number,
    signal?: AbortSignal,
  ): Promise<T> {
    const timeout = AbortSignal.timeout(timeoutMilliseconds);
    const response = await this.#send(method, path, body, signal ? AbortSignal.any([signal, timeout]) : timeout, {});
    if (response.statusCode >= 300) throw await refused(response);
    try {
      return (response.statusCode === 204 ? undefined : await response.body.json()) as T;
    } catch (error) {
      throw unavailable(error);
    }
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    signal: AbortSignal,
    timeouts: {headersTimeout?: number; bodyTimeout?: number},
  ) {
    try {
      const token = (await readFile(this.#options.tokenFile, 'utf8')).trim();
      return await request(this.#options.origin + path, {
        method,
        dispatcher: this.#agent,
        signal,
        headers: {authorization: `Bearer ${token}`, 'content-type': 'application/json'},
        body: body === undefined ? null : JSON.stringify(body),
        ...timeouts,
      });
    } catch (error) {
      throw unavailable(error);
    }
  }
}

type Response = Awaited<ReturnType<typeof request>>;

async function refused(response: Response): Promise<Error> {
  const text = await response.body.text().catch(() => '');
  let message = text;
  try {
    message = (JSON.parse(text) as Status).message ?? text;
  } catch {
    // Not a Status: the text says what there is to say.
  }
  if (response.statusCode >= 500)
    return new ControlUnavailable(`the operator answered ${response.statusCode}: ${message}`);
  return new ControlRefused(response.statusCode, message);
}

function unavailable(error: unknown): Error {
  if (error instanceof ControlUnavailable || error instanceof ControlRefused) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ControlUnavailable(`the operator cannot be reached: ${reason}`, {cause: error});
}

function bundleMessage(line: string): BundleMessage {
  const message = JSON.parse(line) as BundleMessage;
  switch (message.type) {
    case 'Bundle':
    case 'Heartbeat':
      return message;
    default:
      throw new ControlUnavailable(`unknown message on the bundle stream: ${line.slice(0, 100)}`);
  }
}
