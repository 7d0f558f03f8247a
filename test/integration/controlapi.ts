import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {Agent, request} from 'undici';
import type {BundleMessage} from '../../core/control/messages.ts';
import type {Status} from '../../core/status.ts';
import {type CertificatePair, createAuthority, issueCertificate} from '../cluster/certificates.ts';

export interface Answer<T> {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: T & Partial<Status>;
}

/** A certificate for the control API on disk, as a mounted Secret would hold it, and the authority that signed it. */
export class ControlCertificate {
  readonly directory: string;
  readonly authority: CertificatePair;
  readonly certificateFile: string;
  readonly keyFile: string;

  private constructor(directory: string, authority: CertificatePair) {
    this.directory = directory;
    this.authority = authority;
    this.certificateFile = path.join(directory, 'tls.crt');
    this.keyFile = path.join(directory, 'tls.key');
  }

  static async create(): Promise<ControlCertificate> {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-control-'));
    const certificate = new ControlCertificate(directory, await createAuthority('control API of a test'));
    await certificate.renew();
    return certificate;
  }

  /** Puts a new certificate in the place of the one before. */
  async renew(): Promise<CertificatePair> {
    const subject = {usage: 'server' as const, names: ['localhost'], addresses: ['127.0.0.1']};
    const pair = await issueCertificate(this.authority, subject);
    await writeFile(this.certificateFile, pair.certificate);
    await writeFile(this.keyFile, pair.key, {mode: 0o600});
    return pair;
  }

  async remove(): Promise<void> {
    await rm(this.directory, {recursive: true, force: true});
  }
}

/** What a proxy does, by hand: calls the control API of one replica with one token. */
export class ControlCaller {
  readonly #origin: string;
  readonly #agent: Agent;
  readonly #token: string | undefined;

  constructor(port: number, ca: string, token: string | undefined) {
    this.#origin = `https://127.0.0.1:${port}`;
    this.#agent = new Agent({connect: {ca}});
    this.#token = token;
  }

  get<T>(target: string): Promise<Answer<T>> {
    return this.#call<T>('GET', target, undefined);
  }

  post<T>(target: string, body: unknown): Promise<Answer<T>> {
    return this.#call<T>('POST', target, typeof body === 'string' ? body : JSON.stringify(body));
  }

  /** Reads the bundle stream until the signal aborts or the server ends it. */
  async *bundles(proxy: string, signal: AbortSignal): AsyncGenerator<BundleMessage, void> {
    const {statusCode, body} = await request(`${this.#origin}/v1/bundle?proxy=${proxy}`, {
      dispatcher: this.#agent,
      headers: this.#headers(),
      signal,
    });
    if (statusCode !== 200) throw new Error(`HTTP ${statusCode}: ${await body.text()}`);
    let text = '';
    body.setEncoding('utf8');
    try {
      for await (const chunk of body) {
        text += chunk;
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line) as BundleMessage;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #call<T>(method: 'GET' | 'POST', target: string, content: string | undefined): Promise<Answer<T>> {
    const {statusCode, headers, body} = await request(this.#origin + target, {
      method,
      dispatcher: this.#agent,
      headers: {...this.#headers(), 'content-type': 'application/json'},
      body: content ?? null,
    });
    const text = await body.text();
    return {code: statusCode, headers, body: (text === '' ? {} : JSON.parse(text)) as T & Partial<Status>};
  }

  #headers(): Record<string, string> {
    return this.#token === undefined ? {} : {authorization: `Bearer ${this.#token}`};
  }
}
