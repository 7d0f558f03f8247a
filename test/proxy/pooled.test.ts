import {once} from 'node:events';
import type {IncomingMessage, RequestListener, ServerResponse} from 'node:http';
import {createServer} from 'node:https';
import type {AddressInfo, Socket} from 'node:net';
import {Readable} from 'node:stream';
import {afterEach, beforeAll, describe, expect, test} from '@jest/globals';
import {pooledTransport} from '../../proxy/forward/pooled.ts';
import type {UpstreamRequest} from '../../proxy/forward/transport.ts';
import {loopbackCertificate, type Presented, Received} from './upstream.ts';

let presented: Presented;
beforeAll(async () => {
  presented = await loopbackCertificate();
});

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** An API server over HTTP/1.1 that the test plays, and the transport to it. */
async function world(listener: RequestListener, ca = presented.ca) {
  const server = createServer(presented, listener);
  const connections = new Set<Socket>();
  server.on('secureConnection', (socket) => connections.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = server.address() as AddressInfo;
  const transport = pooledTransport({origin: `https://127.0.0.1:${port}`, tls: {ca}});
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  closing.push(stop, () => transport.close());
  const call = (differing: Partial<UpstreamRequest> = {}, received = new Received()): Received => {
    transport.send({method: 'GET', path: '/api/v1/pods', headers: [], body: undefined, ...differing}, received);
    return received;
  };
  return {call, connections, stop};
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Node's own errors are of another realm than the test's. */
const anError = {message: expect.any(String), stack: expect.any(String)};

test('a call arrives as it was sent, and its answer comes back', async () => {
  const seen: IncomingMessage[] = [];
  const {call} = await world((request, response) => {
    seen.push(request);
    response.writeHead(404, {'content-type': 'application/json', 'audit-id': 'a-1'}).end('{"kind":"Status"}');
  });
  const received = call({
    path: '/api/v1/pods?labelSelector=a%3Db',
    headers: ['impersonate-user', 'agent:a', 'impersonate-group', 'one', 'impersonate-group', 'two'],
  });
  expect(await received.ended).toBeUndefined();
  expect(await received.started).toMatchObject({status: 404, headers: {'audit-id': 'a-1'}});
  expect(received.body).toBe('{"kind":"Status"}');
  expect(seen[0]).toMatchObject({method: 'GET', url: '/api/v1/pods?labelSelector=a%3Db'});
  expect(seen[0]?.headersDistinct).toMatchObject({
    'impersonate-user': ['agent:a'],
    'impersonate-group': ['one', 'two'],
  });
});

test('a connection is used again', async () => {
  const {call, connections} = await world((_request, response) => void response.end());
  for (let at = 0; at < 3; at++) {
    await call().ended;
    // The connection is free once the answer was handed over.
    await new Promise(setImmediate);
  }
  expect(connections.size).toBe(1);
});

test('names in UTF-8 arrive byte for byte', async () => {
  const seen = Promise.withResolvers<string>();
  const {call} = await world((request, response) => {
    seen.resolve(request.headers['impersonate-user'] as string);
    response.end();
  });
  await call({headers: ['impersonate-user', Buffer.from('agent:Jürgen 日本').toString('latin1')]}).ended;
  expect(Buffer.from(await seen.promise, 'latin1').toString()).toBe('agent:Jürgen 日本');
});

describe('a request body', () => {
  const echo = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(request);
    response.setHeader('x-framing', request.headers['content-length'] ?? request.headers['transfer-encoding'] ?? '');
    response.end(body);
  };

  test('that was read goes with its length', async () => {
    const received = (await world(echo)).call({method: 'POST', body: Buffer.from('the body')});
    expect(await received.started).toMatchObject({headers: {'x-framing': '8'}});
    expect(await received.ended).toBeUndefined();
    expect(received.body).toBe('the body');
  });

  test('that streams goes in chunks', async () => {
    const body = Readable.from([Buffer.from('the '), Buffer.from('body')]);
    const received = (await world(echo)).call({method: 'POST', body});
    expect(await received.started).toMatchObject({headers: {'x-framing': 'chunked'}});
    expect(await received.ended).toBeUndefined();
    expect(received.body).toBe('the body');
  });

  test('that streams with a length goes with it', async () => {
    const body = Readable.from([Buffer.from('the '), Buffer.from('body')]);
    const received = (await world(echo)).call({method: 'POST', body, headers: ['content-length', '8']});
    expect(await received.started).toMatchObject({headers: {'x-framing': '8'}});
    expect(await received.ended).toBeUndefined();
  });

  test.each([
    ['shorter', '9'],
    ['longer', '3'],
  ])('%s than it said fails the call', async (_name, length) => {
    const body = Readable.from([Buffer.from('the body')]);
    const received = (await world(echo)).call({method: 'POST', body, headers: ['content-length', length]});
    expect(await received.ended).toMatchObject(anError);
  });

  test('reaches the API server before it is complete', async () => {
    const first = Promise.withResolvers<string>();
    const {call} = await world((request, response) => {
      request.once('data', (chunk: Buffer) => first.resolve(chunk.toString()));
      request.once('end', () => response.end());
    });
    const body = new Readable({read: () => {}});
    const received = call({method: 'POST', body});
    body.push('first');
    expect(await first.promise).toBe('first');
    body.push(null);
    expect(await received.ended).toBeUndefined();
  });

  test('that breaks off breaks the call off', async () => {
    const arrived = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const {call} = await world((request) => {
      request.on('error', () => aborted.resolve());
      request.once('data', () => arrived.resolve());
    });
    const body = new Readable({read: () => {}});
    const received = call({method: 'POST', body});
    body.push('half');
    await arrived.promise;
    body.destroy(new Error('the agent went away'));
    expect(await received.ended).toMatchObject(anError);
    await aborted.promise;
  });
});

describe('an answer that breaks off is an error, not an end', () => {
  test.each<[string, (response: ServerResponse) => void]>([
    ['in its chunks', (response) => response.write('half', () => response.destroy())],
    [
      'before its length',
      (response) => response.writeHead(200, {'content-length': '100'}).write('half', () => response.destroy()),
    ],
    ['before its head', (response) => response.destroy()],
  ])('%s', async (_name, cut) => {
    const {call} = await world((_request, response) => cut(response));
    const received = call();
    expect(await received.ended).toMatchObject(anError);
    expect(received.events.at(-1)).toBe('error');
  });
});

describe('an answer that ends with its connection', () => {
  const unframed = (head: string, body: string) =>
    world((request) => {
      request.socket.end(`HTTP/1.1 ${head}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n${body}`);
    });

  test('pitfall 14: is not taken, for it looks whole wherever it breaks', async () => {
    const {call} = await unframed('200 OK', '{"items":[');
    const received = call();
    expect(await received.ended).toMatchObject({code: 'Unframed'});
    expect(received.events).toEqual(['requestStart', 'error']);
  });

  test.each([
    ['to HEAD', 'HEAD', '200 OK'],
    ['without content', 'DELETE', '204 No Content'],
    ['of what was not modified', 'GET', '304 Not Modified'],
  ])('has no body to lose: %s', async (_which, method, head) => {
    const {call} = await unframed(head, '');
    const received = call({method});
    expect(await received.ended).toBeUndefined();
    expect(received.events).toEqual(['requestStart', 'start', 'end']);
  });
});

/** An agent that takes the first bytes of the answer and no more, until somebody resumes it. */
class Stopped extends Received {
  override onResponseData(...data: Parameters<Received['onResponseData']>): void {
    if (this.bytes === 0) this.controller.pause();
    super.onResponseData(...data);
  }
}

test('a slow reader stops the API server until it reads on', async () => {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const chunks = 500;
  let written = 0;
  const {call} = await world((_request, response) => {
    const more = () => {
      for (; written < chunks; written++) {
        if (response.writableNeedDrain) {
          response.once('drain', more);
          return;
        }
        response.write(chunk);
      }
      response.end();
    };
    more();
  });
  const received = call({}, new Stopped());
  await received.started;
  expect(await settled(() => written)).toBeLessThan(chunks);
  received.controller.resume();
  expect(await received.ended).toBeUndefined();
  expect(received.bytes).toBe(chunks * chunk.length);
});

/** A number once it no longer changes. */
async function settled(read: () => number): Promise<number> {
  for (let last = -1; ; ) {
    const now = read();
    if (now === last) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('a call that is given up', () => {
  test('is ended upstream', async () => {
    const closed = Promise.withResolvers<void>();
    const {call} = await world((_request, response) => {
      response.once('close', closed.resolve);
      response.write('so far');
    });
    const received = call();
    await received.started;
    const gone = new Error('the agent went away');
    received.controller.abort(gone);
    expect(await received.ended).toBe(gone);
    await closed.promise;
  });

  test('as it begins is not sent', async () => {
    const urls: (string | undefined)[] = [];
    const {call} = await world((request, response) => {
      urls.push(request.url);
      response.end();
    });
    const gone = new Error('the agent went away');
    const received = call({path: '/given-up'}, new Received((controller) => controller.abort(gone)));
    expect(await received.ended).toBe(gone);
    await call({path: '/next'}).ended;
    expect(urls).toEqual(['/next']);
  });
});

test('a server that cannot be reached is an error with its code', async () => {
  const {call, stop} = await world(() => {});
  closing.splice(0, 1);
  await stop();
  expect(await call().ended).toMatchObject({code: 'ECONNREFUSED'});
});

test('a server that nobody vouches for gets no call', async () => {
  let requests = 0;
  const {call} = await world(() => void requests++, (await loopbackCertificate()).ca);
  expect(await call().ended).toMatchObject(anError);
  expect(requests).toBe(0);
});
