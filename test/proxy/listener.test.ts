import {once} from 'node:events';
import * as http2 from 'node:http2';
import {Agent, request as httpsRequest} from 'node:https';
import {connect, type TLSSocket} from 'node:tls';
import {afterEach, beforeAll, describe, expect, test} from '@jest/globals';
import type {ServedRequest, ServedResponse} from '../../proxy/path/call.ts';
import type {Refusal} from '../../proxy/path/refusal.ts';
import {type Listener, listen} from '../../proxy/serve/listener.ts';
import {loopbackCertificate, type Presented} from './upstream.ts';

let first: Presented;
let second: Presented;
beforeAll(async () => {
  [first, second] = await Promise.all([loopbackCertificate(), loopbackCertificate()]);
});

let listener: Listener | undefined;
const closing: (() => void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) close();
  listener?.destroy();
  await listener?.drain();
  listener = undefined;
});

type OnRequest = (request: ServedRequest, response: ServedResponse) => void;

/** What could not be read, and where it came from. */
let unreadable: [Refusal, string][] = [];

async function listening(onRequest: OnRequest): Promise<Listener> {
  unreadable = [];
  const onUnreadable = async (refusal: Refusal, sourceIP: string) => {
    unreadable.push([refusal, sourceIP]);
    return refusal;
  };
  listener = await listen({host: '127.0.0.1', port: 0, certificate: first, onRequest, onUnreadable});
  return listener;
}

interface Got {
  readonly status: number;
  readonly body: string;
}

/** One HTTP/1.1 call; with an agent the connection is kept. */
async function get(
  ca: string,
  {agent, headers = {}}: {agent?: Agent; headers?: Record<string, string>} = {},
): Promise<Got> {
  const port = listener?.address.port;
  const request = httpsRequest({host: '127.0.0.1', port, ca, headers, ...(agent && {agent})});
  request.end();
  const [response] = await once(request, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return {status: response.statusCode, body: Buffer.concat(chunks).toString()};
}

function http2Session(): http2.ClientHttp2Session {
  const session = http2.connect(`https://127.0.0.1:${listener?.address.port}`, {ca: first.ca});
  session.on('error', () => {});
  closing.push(() => session.destroy());
  return session;
}

const answerVersion: OnRequest = (request, response) => {
  response.end(request.httpVersion);
};

test('both protocols are spoken, by ALPN', async () => {
  await listening(answerVersion);
  expect(await get(first.ca)).toEqual({status: 200, body: '1.1'});
  const stream = http2Session().request({':path': '/'});
  stream.setEncoding('utf8');
  expect((await once(stream, 'data'))[0]).toBe('2.0');
});

test('TLS before 1.2 is not', async () => {
  const {address} = await listening(answerVersion);
  const options = {
    port: address.port,
    host: '127.0.0.1',
    ca: first.ca,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
  } as const;
  const socket = connect({...options, ciphers: 'DEFAULT@SECLEVEL=0'});
  const [error] = await once(socket, 'error');
  expect(error).toMatchObject({message: expect.stringMatching(/alert|version|protocol/i)});
});

test.each(['GET / HTTP/1.1\r\n\r\nrubbish', '\x00\x01\x02', 'GET /\r\n\r\n'])(
  'a client that sends %j harms no other',
  async (bytes) => {
    const {address} = await listening(answerVersion);
    const socket: TLSSocket = connect({port: address.port, host: '127.0.0.1', ca: first.ca});
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    socket.end(bytes);
    socket.resume();
    await once(socket, 'close');
    expect(await get(first.ca)).toMatchObject({status: 200});
  },
);

describe('what cannot be read as a request', () => {
  /** Sends bytes and gives all that comes back until the connection ends. */
  async function sent(bytes: string): Promise<string> {
    const socket = connect({port: listener?.address.port ?? 0, host: '127.0.0.1', ca: first.ca});
    closing.push(() => socket.destroy());
    socket.write(bytes);
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    await once(socket, 'close');
    return received;
  }

  test('is put on record, then answered with a Status, and all that follows is not read', async () => {
    let requests = 0;
    await listening(() => void requests++);
    const both = 'Content-Length: 2\r\nTransfer-Encoding: chunked';
    const answer = await sent(`POST / HTTP/1.1\r\nHost: a\r\n${both}\r\n\r\n{}GET / HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain('"kind":"Status"');
    expect(unreadable).toEqual([[expect.objectContaining({code: 'Unreadable', httpStatus: 400}), '127.0.0.1']]);
    expect(requests).toBe(0);
  });

  test('behind a call under way ends the connection behind its answer', async () => {
    await listening((_request, response) => {
      setTimeout(() => response.end('the answer'), 50);
    });
    const answer = await sent('GET / HTTP/1.1\r\nHost: a\r\n\r\nrubbish\r\n\r\n');
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    expect(answer).toContain('Connection: close');
    expect(answer).toContain('the answer');
    expect(unreadable).toHaveLength(1);
  });

  test('in the body of a call has no record beside that of the call', async () => {
    const broken = Promise.withResolvers<void>();
    await listening((request) => {
      request.resume();
      request.once('error', () => broken.resolve());
    });
    const answer = await sent('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    await broken.promise;
    expect(unreadable).toEqual([]);
  });

  test('an expectation that nobody knows is a request', async () => {
    await listening((request, response) => response.end(request.headers.expect));
    expect(await get(first.ca, {headers: {expect: '200-ok'}})).toEqual({status: 200, body: '200-ok'});
    const stream = http2Session().request({':path': '/', expect: '200-ok'});
    stream.setEncoding('utf8');
    expect((await once(stream, 'data'))[0]).toBe('200-ok');
  });
});

test('a client that breaks off in the middle of a call harms no other', async () => {
  const served = Promise.withResolvers<void>();
  await listening((request, response) => {
    if (request.url === '/hang') served.resolve();
    else response.end('ok');
  });
  const session = http2Session();
  session.request({':path': '/hang'}).on('error', () => {});
  await served.promise;
  session.socket.destroy();
  expect(await get(first.ca)).toMatchObject({status: 200});
});

test('large tokens fit: headers of 48 KiB over both protocols', async () => {
  await listening((request, response) => void response.end(String(request.headers.authorization?.length)));
  const authorization = `Bearer ${'x'.repeat(48 * 1024)}`;
  expect(await get(first.ca, {headers: {authorization}})).toEqual({status: 200, body: String(authorization.length)});
  const stream = http2Session().request({':path': '/', authorization});
  stream.setEncoding('utf8');
  expect((await once(stream, 'data'))[0]).toBe(String(authorization.length));
});

test('another certificate is shown to the connections to come, and those that are stay', async () => {
  const {setCertificate} = await listening(answerVersion);
  const agent = new Agent({keepAlive: true, ca: first.ca});
  closing.push(() => agent.destroy());
  await get(first.ca, {agent});
  setCertificate(second);
  expect(await get(first.ca, {agent})).toMatchObject({status: 200});
  expect(await get(second.ca)).toMatchObject({status: 200});
  await expect(get(first.ca)).rejects.toMatchObject({code: expect.any(String)});
});

describe('draining', () => {
  test('lets a call end, over both protocols, and takes no other', async () => {
    const responses: ServedResponse[] = [];
    const both = Promise.withResolvers<void>();
    const {drain} = await listening((_request, response) => {
      if (responses.push(response) === 2) both.resolve();
    });
    const over1 = get(first.ca);
    const stream = http2Session().request({':path': '/'});
    stream.setEncoding('utf8');
    const over2 = once(stream, 'data');
    await both.promise;
    const drained = drain();
    await expect(get(first.ca)).rejects.toMatchObject({code: 'ECONNREFUSED'});
    for (const response of responses) response.end('last');
    expect(await over1).toEqual({status: 200, body: 'last'});
    expect((await over2)[0]).toBe('last');
    await drained;
  });

  test('closes connections that carry nothing', async () => {
    const {drain} = await listening(answerVersion);
    const agent = new Agent({keepAlive: true, ca: first.ca});
    closing.push(() => agent.destroy());
    await get(first.ca, {agent});
    const session = http2Session();
    await once(session, 'connect');
    const closed = once(session, 'close');
    await drain();
    await closed;
  });

  test('does not wait for clients that would keep their connection', async () => {
    const served = Promise.withResolvers<ServedResponse>();
    const {drain} = await listening((_request, response) => served.resolve(response));
    const agent = new Agent({keepAlive: true, ca: first.ca});
    closing.push(() => agent.destroy());
    const call = get(first.ca, {agent});
    const response = await served.promise;
    const drained = drain();
    response.end('last');
    expect(await call).toMatchObject({body: 'last'});
    await drained;
  });

  test('is cut short by destroying what is left', async () => {
    const served = Promise.withResolvers<void>();
    const {drain, destroy} = await listening(() => served.resolve());
    const call = get(first.ca);
    await served.promise;
    const drained = drain();
    destroy();
    await expect(call).rejects.toMatchObject({code: 'ECONNRESET'});
    await drained;
  });
});

test('a port that is taken is an error', async () => {
  const {address} = await listening(answerVersion);
  const onUnreadable = async (refusal: Refusal) => refusal;
  const {port} = address;
  const again = listen({host: '127.0.0.1', port, certificate: first, onRequest: answerVersion, onUnreadable});
  await expect(again).rejects.toMatchObject({code: 'EADDRINUSE'});
});
