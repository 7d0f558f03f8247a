import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import type {IncomingMessage, RequestListener, ServerResponse} from 'node:http';
import {createServer, type Server} from 'node:https';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from '@jest/globals';
import type {AccessRequestState, BundleMessage} from '../../core/control/messages.ts';
import {failure} from '../../core/status.ts';
import {
  ControlClient,
  type ControlClientOptions,
  ControlRefused,
  ControlUnavailable,
} from '../../proxy/control/client.ts';
import {bundleOf} from './call.ts';
import {loopbackCertificate, type Presented} from './upstream.ts';

let presented: Presented;
let directory: string;
let tokenFile: string;
let server: Server;
let client: ControlClient;
let answering: RequestListener;

beforeAll(async () => {
  presented = await loopbackCertificate();
  directory = await mkdtemp(path.join(tmpdir(), 'lockkeeper-control-'));
  tokenFile = path.join(directory, 'token');
});
afterAll(() => rm(directory, {recursive: true}));

beforeEach(async () => {
  await writeFile(tokenFile, 'token-1\n');
  server = createServer(presented, (request, response) => answering(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = clientOf(presented.ca);
});
afterEach(async () => {
  await client.close();
  await stop();
});

function clientOf(ca: string, differing: Partial<ControlClientOptions> = {}): ControlClient {
  const {port} = server.address() as AddressInfo;
  return new ControlClient({origin: `https://127.0.0.1:${port}`, ca, tokenFile, proxy: 'proxy-1/a', ...differing});
}

async function stop(): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
}

const state: AccessRequestState = {
  namespace: 'payments',
  name: 'ar-1',
  digest: 'd',
  phase: 'Pending',
  reason: '',
  approvers: [],
  expiresInMilliseconds: 900_000,
  expiresAt: '2026-01-01T00:15:00Z',
};
const open = {namespace: 'payments', expireAfterSeconds: 900, spec: {digest: 'd'}} as Parameters<
  ControlClient['open']
>[0];
const acknowledgement = {proxy: 'proxy-1/a', revision: '7', hash: 'h', result: 'Applied'} as const;
const checkpoint = {origin: 'proxy-1', sequence: 9, hash: 'h'};
const staying = new AbortController().signal;

describe('each message', () => {
  test.each<[string, (client: ControlClient) => Promise<unknown>, string, unknown, number]>([
    ['open', (client) => client.open(open), 'POST /v1/accessrequests', open, 201],
    [
      'follow',
      (client) => client.follow('payments', 'a/b c', 30, staying),
      'GET /v1/accessrequests/payments/a%2Fb%20c?waitSeconds=30&phase=Pending',
      undefined,
      200,
    ],
    [
      'consume',
      (client) => client.consume('payments', 'ar-1', {digest: 'd', proxy: 'p', auditID: 'a'}),
      'POST /v1/accessrequests/payments/ar-1/consume',
      {digest: 'd', proxy: 'p', auditID: 'a'},
      200,
    ],
    ['acknowledge', (client) => client.acknowledge(acknowledgement), 'POST /v1/acknowledgements', acknowledgement, 204],
    ['checkpoint', (client) => client.checkpoint(checkpoint), 'POST /v1/checkpoints', checkpoint, 204],
  ])('%s is what the control API expects', async (_name, send, target, body, status) => {
    const seen: unknown[] = [];
    answering = async (request, response) => {
      seen.push([`${request.method} ${request.url}`, request.headers.authorization, await bodyOf(request)]);
      response.writeHead(status, {'content-type': 'application/json'});
      response.end(status === 204 ? undefined : JSON.stringify(state));
    };
    expect(await send(client)).toEqual(status === 204 ? undefined : state);
    expect(seen).toEqual([[target, 'Bearer token-1', body]]);
  });

  test('carries the token that the file holds by then', async () => {
    const tokens: unknown[] = [];
    answering = (request, response) => {
      tokens.push(request.headers.authorization);
      response.writeHead(204).end();
    };
    await client.acknowledge(acknowledgement);
    await writeFile(tokenFile, 'token-2');
    await client.acknowledge(acknowledgement);
    expect(tokens).toEqual(['Bearer token-1', 'Bearer token-2']);
  });
});

describe('what goes wrong', () => {
  test.each([403, 404, 409, 422])('a Status of %d is a refusal with its message', async (code) => {
    answering = (_request, response) => {
      response
        .writeHead(code, {'content-type': 'application/json'})
        .end(JSON.stringify(failure(code, 'it is Consumed')));
    };
    await expect(client.open(open)).rejects.toMatchObject({
      name: 'ControlRefused',
      httpStatus: code,
      message: 'it is Consumed',
    });
  });

  test('a refusal that is no Status says what it says', async () => {
    answering = (_request, response) => void response.writeHead(404).end('page not found');
    await expect(client.open(open)).rejects.toMatchObject({name: 'ControlRefused', message: 'page not found'});
  });

  test.each<[string, RequestListener, string]>([
    [
      'a Status of 503',
      (_request, response) => void response.writeHead(503).end(JSON.stringify(failure(503, 'no leader'))),
      'the operator answered 503: no leader',
    ],
    [
      'an answer that is no JSON',
      (_request, response) => void response.end('<html>'),
      'the operator cannot be reached',
    ],
    [
      'an answer that breaks off',
      (_request, response) =>
        void response.writeHead(200, {'content-length': '99'}).write('{', () => response.destroy()),
      'the operator cannot be reached',
    ],
    ['a connection that breaks', (_request, response) => void response.destroy(), 'the operator cannot be reached'],
  ])('%s means that the operator is unavailable', async (_name, listener, message) => {
    answering = listener;
    await expect(client.open(open)).rejects.toMatchObject({
      name: 'ControlUnavailable',
      message: expect.stringContaining(message),
    });
  });

  test('nobody listens', async () => {
    await stop();
    await expect(client.open(open)).rejects.toThrow(ControlUnavailable);
  });

  test('the token file is gone', async () => {
    await rm(tokenFile);
    await expect(client.open(open)).rejects.toThrow(ControlUnavailable);
  });

  test('somebody answers whom the authority does not vouch for, and is told nothing', async () => {
    let requests = 0;
    answering = () => void requests++;
    const distrusting = clientOf((await loopbackCertificate()).ca);
    await expect(distrusting.open(open)).rejects.toThrow(ControlUnavailable);
    await distrusting.close();
    expect(requests).toBe(0);
  });

  test('a caller who leaves ends the wait', async () => {
    const gone = new AbortController();
    const closed = Promise.withResolvers<void>();
    answering = (_request, response) => {
      response.once('close', () => closed.resolve());
      gone.abort();
    };
    await expect(client.follow('payments', 'ar-1', 30, gone.signal)).rejects.toThrow(ControlUnavailable);
    await closed.promise;
  });
});

describe('the bundle stream', () => {
  const messages: BundleMessage[] = [
    {type: 'Heartbeat'},
    {type: 'Bundle', bundle: bundleOf([{rules: [{name: 'größe 日本', effect: 'Allow', operations: []}]}])},
    {type: 'Heartbeat'},
  ];
  const bytes = Buffer.from(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));

  /** Answers the stream with these pieces, one in each turn, and leaves it open. */
  const streaming =
    (...pieces: Buffer[]): RequestListener =>
    async (_request, response) => {
      response.writeHead(200, {'content-type': 'application/json'});
      response.flushHeaders();
      for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve));
    };

  /** The first messages of the stream, then it is left. */
  async function take(count: number): Promise<BundleMessage[]> {
    const taken: BundleMessage[] = [];
    for await (const message of client.bundles(staying)) if (taken.push(message) === count) break;
    return taken;
  }

  test('names the proxy', async () => {
    const urls: unknown[] = [];
    answering = (request, response) => {
      urls.push([request.url, request.headers.authorization]);
      response.end('{"type":"Heartbeat"}\n');
    };
    await take(1);
    expect(urls).toEqual([['/v1/bundle?proxy=proxy-1%2Fa', 'Bearer token-1']]);
  });

  test('is the same wherever it is cut', async () => {
    answering = streaming(...Array.from(bytes, (byte) => Buffer.from([byte])));
    expect(await take(3)).toEqual(messages);
    // Between messages, and inside of characters of several bytes.
    const places = [bytes.indexOf('\n'), bytes.indexOf('ö'), bytes.indexOf('日'), bytes.lastIndexOf('{')];
    for (const at of places.flatMap((place) => [place - 1, place, place + 1, place + 2])) {
      answering = streaming(bytes.subarray(0, at), bytes.subarray(at));
      expect(await take(3)).toEqual(messages);
    }
  });

  test('that is left is closed', async () => {
    const closed = Promise.withResolvers<void>();
    answering = (request, response) => {
      response.once('close', () => closed.resolve());
      void streaming(bytes)(request, response as ServerResponse & {req: IncomingMessage});
    };
    await take(1);
    await closed.promise;
  });

  test.each<[string, RequestListener, string]>([
    ['ends', (_request, response) => void response.end(bytes), 'the operator ended the bundle stream'],
    [
      'breaks',
      (_request, response) => void response.write(bytes, () => response.destroy()),
      'the operator cannot be reached',
    ],
    ['is no JSON', streaming(Buffer.from('{"type":\n')), 'the operator cannot be reached'],
    ['says what nobody knows', streaming(Buffer.from('{"type":"Goodbye"}\n')), 'unknown message on the bundle stream'],
    ['says null', streaming(Buffer.from('null\n')), 'the operator'],
    ['is refused for now', (_request, response) => void response.writeHead(503).end('later'), 'answered 503: later'],
  ])('that %s is an error', async (_name, listener, message) => {
    answering = listener;
    await expect(take(99)).rejects.toMatchObject({
      name: 'ControlUnavailable',
      message: expect.stringContaining(message),
    });
  });

  test('that is refused is a refusal', async () => {
    answering = (_request, response) => void response.writeHead(403).end(JSON.stringify(failure(403, 'not a proxy')));
    await expect(take(1)).rejects.toThrow(new ControlRefused(403, 'not a proxy'));
  });

  test('that falls silent is an error', async () => {
    answering = streaming(bytes);
    const impatient = clientOf(presented.ca, {silenceMilliseconds: 100});
    const taken: BundleMessage[] = [];
    const reading = (async () => {
      for await (const message of impatient.bundles(staying)) taken.push(message);
    })();
    await expect(reading).rejects.toThrow(ControlUnavailable);
    expect(taken).toEqual(messages);
    await impatient.close();
  });

  test('that nobody wants any more ends without an error', async () => {
    const done = new AbortController();
    answering = streaming(bytes);
    const taken: BundleMessage[] = [];
    for await (const message of client.bundles(done.signal)) {
      if (taken.push(message) === messages.length) done.abort();
    }
    expect(taken).toEqual(messages);
  });
});
