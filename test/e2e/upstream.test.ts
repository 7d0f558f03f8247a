import type {IncomingMessage, ServerResponse} from 'node:http';
import type {Http2ServerResponse} from 'node:http2';
import {Readable} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';
import {gzipSync} from 'node:zlib';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test} from '@jest/globals';
import {eventually} from '../eventually.ts';
import {type AgentClient, collect} from './client.ts';
import {residentBytes} from './processes.ts';
import {allowEverything, Stack} from './stack.ts';
import {Upstream} from './upstream.ts';

jest.setTimeout(60_000);

const json = {'content-type': 'application/json'};
const card = '4111111111111111';
const list = '/api/v1/pods';
const watch = '/api/v1/pods?watch=1';
const followedLog = '/api/v1/namespaces/default/pods/web/log?follow=true';

let stack: Stack;
let upstream: Upstream;
let agent: AgentClient;
let proxyPid: number;

beforeAll(async () => {
  stack = await Stack.start({policies: {everything: allowEverything()}});
  upstream = await Upstream.start(stack.environment.directory);
  const proxy = await stack.startProxy('to-own-upstream', upstream.flags);
  agent = stack.client({url: proxy.url});
  proxyPid = proxy.process.pid;
});

afterAll(async () => {
  await stack?.stop();
  await upstream?.stop();
});

afterEach(() => {
  upstream.serve = (_request, response) => response.writeHead(500).end();
});

/** Both ways to the agent. */
const protocols = ['HTTP/1.1', 'HTTP/2'] as const;

async function open(protocol: (typeof protocols)[number], path: string): Promise<Readable> {
  if (protocol === 'HTTP/1.1') return agent.open(path);
  const session = agent.session();
  const {stream} = await agent.openOn(session, path);
  stream.once('close', () => session.destroy());
  return stream;
}

/** The ways in which an answer ends before it is whole. */
const cuts: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'the connection goes': () => upstream.hangUp(),
  'its stream is reset': (response) => {
    const {stream} = response as unknown as Http2ServerResponse;
    if (stream === undefined) response.socket?.destroy();
    else stream.close(2);
  },
  'the server says goodbye to the whole connection': (response) => {
    const {stream} = response as unknown as Http2ServerResponse;
    if (stream === undefined) response.socket?.destroy();
    else stream.session?.destroy();
  },
};

describe.each(Object.entries(cuts))('%s', (_how, cut) => {
  // Pitfall 14: a truncated list that ends cleanly looks whole.
  const cases = protocols.flatMap((protocol) => [
    [protocol, 'a list of known length', list, {...json, 'content-length': '1000'}] as const,
    [protocol, 'a list by chunks', list, json] as const,
    [protocol, 'a watch', watch, json] as const,
    [protocol, 'a followed log', followedLog, {'content-type': 'text/plain'}] as const,
  ]);
  test.each(cases)('in the middle: breaks off for an agent on %s too: %s', async (protocol, _what, path, headers) => {
    upstream.serve = (_request, response) => {
      response.writeHead(200, headers);
      response.write('{"items":[', () => setTimeout(() => cut(response), 50));
    };
    const stream = await open(protocol, path);
    await expect(collect(stream)).rejects.toThrow();
  });

  test.each([list, watch])('before the answer began: a Status says so for %s', async (path) => {
    upstream.serve = (_request, response) => cut(response);
    const answer = await agent.call(path);
    // 503 where the call may be sent again.
    expect([502, 503]).toContain(answer.status);
    expect(answer.failure.message).toContain('API server');
  });
});

describe('an answer that cannot be read', () => {
  test('breaks off, a short body under a longer Content-Length', async () => {
    upstream.serve = (_request, response) => {
      response.writeHead(200, {...json, 'content-length': '1000'});
      response.write('{}');
      response.socket?.end();
    };
    const stream = await agent.open(list);
    await expect(collect(stream)).rejects.toThrow();
  });
  test.each([
    ['compressed', {...json, 'content-encoding': 'gzip'}, gzipSync(`{"a":"${card}"}`)],
    ['protobuf', {'content-type': 'application/vnd.kubernetes.protobuf'}, card],
    ['of no type', {}, card],
    ['in UTF-16', {'content-type': 'application/json; charset=utf-16'}, Buffer.from(card, 'utf16le')],
    ['binary', {'content-type': 'application/octet-stream'}, card],
  ])('is not passed on, %s: 502', async (_what, headers, body) => {
    for (const path of [list, watch]) {
      upstream.serve = (_request, response) => response.writeHead(200, headers).end(body);
      const answer = await agent.call(path);
      expect(answer.status).toBe(502);
      expect(answer.failure.message).toContain('cannot be masked');
    }
  });

  test.each([
    ['garbage behind an object', `{"a":1}}}]] "${card}" {"b":"${card}"}`],
    ['a card in a key', `{"${card}":1}`],
    ['a card as a number, in pieces', `{"a":${card}}`],
    ['an object that never ends', `{"a":"${card}`],
    ['text that is no JSON', `card ${card}`],
  ])('JSON that is none leaks no card: %s', async (_what, body) => {
    // Pitfall 24.
    upstream.serve = (_request, response) => {
      response.writeHead(200, json);
      for (const character of body) response.write(character);
      response.end();
    };
    const stream = await agent.open(list);
    const received: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => received.push(chunk));
    await new Promise((resolve) => stream.once('close', resolve));
    expect(Buffer.concat(received).toString()).not.toContain(card);
  });
});

describe('heads of answers', () => {
  // Pitfall 33: some answers have no length.
  test.each([
    ['no content', 204, {}, undefined],
    ['not modified', 304, {}, undefined],
    ['an empty body', 200, {...json, 'content-length': '0'}, ''],
    ['a known length', 200, {...json, 'content-length': '2'}, '{}'],
    ['chunks', 201, json, '{}'],
    ['too many requests', 429, {...json, 'retry-after': '1'}, '{"kind":"Status"}'],
    ['a redirect', 301, {location: '/elsewhere', 'content-length': '0'}, undefined],
  ])('%s', async (_what, code, headers, body) => {
    upstream.serve = (_request, response) => response.writeHead(code, headers).end(body);
    for (const answer of [await agent.call(list), await agent.call2(list)]) {
      expect(answer.status).toBe(code);
      expect(answer.text).toBe(body ?? '');
      expect(answer.headers).toMatchObject(headers);
    }
  });

  test('what is for this hop alone stays here', async () => {
    upstream.serve = (_request, response) =>
      response
        .writeHead(200, {...json, connection: 'x-hop, close', 'x-hop': '1', 'keep-alive': 'timeout=1', 'x-kept': '2'})
        .end('{}');
    for (const {status, headers} of [await agent.call(list), await agent.call2(list)]) {
      expect(status).toBe(200);
      expect(headers['x-hop']).toBeUndefined();
      expect(headers['x-kept']).toBe('2');
    }
  });

  test('early hints are not the answer', async () => {
    upstream.serve = (_request, response) => {
      response.writeProcessing();
      response.writeHead(200, json).end('{}');
    };
    expect((await agent.call(list)).text).toBe('{}');
  });
});

describe('an upstream', () => {
  test('is not there: 503', async () => {
    const {url} = await stack.startProxy('to-nobody', ['--upstream-url=https://127.0.0.1:1']);
    const client = stack.client({url});
    for (const path of [list, watch]) {
      const answer = await client.call(path);
      expect(answer.status).toBe(503);
      expect(answer.headers['retry-after']).toBeDefined();
    }
  });

  test('closes the stream of a watch with no answer and no error: a Status says so', async () => {
    upstream.serve = (_request, response) => (response as unknown as Http2ServerResponse).stream.close(0);
    expect((await agent.call(watch)).status).toBe(502);
  });

  test('has another certificate: 502, and no credential is sent', async () => {
    let asked = false;
    upstream.serve = (_request, response) => {
      asked = true;
      response.writeHead(200, json).end('{}');
    };
    const own = upstream.flags.filter((flag) => flag.startsWith('--upstream-url'));
    const {url} = await stack.startProxy('to-an-impostor', own);
    const client = stack.client({url});
    for (const path of [list, watch]) expect((await client.call(path)).status).toBe(502);
    expect(asked).toBe(false);
  });
});

describe('an agent that goes away', () => {
  // Pitfall 35.
  const cases = protocols.flatMap((protocol) => [
    [protocol, 'a list', list] as const,
    [protocol, 'a watch', watch] as const,
    [protocol, 'a followed log', followedLog] as const,
  ]);
  test.each(cases)('over %s in the middle of %s cancels the call upstream', async (protocol, _what, path) => {
    const gone = new Promise<void>((resolve) => {
      upstream.serve = (_request, response) => {
        response.once('close', resolve);
        response.writeHead(200, json);
        response.write('{"items":[');
      };
    });
    const stream = await open(protocol, path);
    await new Promise((resolve) => stream.once('data', resolve));
    stream.destroy();
    await gone;
  });

  test.each([list, watch])('before the answer began cancels the call upstream: %s', async (path) => {
    let arrived: (request: IncomingMessage) => void;
    const request = new Promise<IncomingMessage>((resolve) => {
      arrived = resolve;
    });
    const gone = new Promise<void>((resolve) => {
      upstream.serve = (received, response) => {
        response.once('close', resolve);
        arrived(received);
      };
    });
    const socket = await agent.socket();
    socket.write(agent.bytes(`GET ${path} HTTP/1.1\nHost: gateway\nAuthorization: Bearer {token}\n\n`));
    await request;
    socket.destroy();
    await gone;
  });

  test('in the middle of its own body cancels the call upstream', async () => {
    const gone = new Promise<void>((resolve) => {
      upstream.serve = (request) => {
        request.once('close', resolve);
        request.resume();
      };
    });
    const socket = await agent.socket();
    socket.write(
      agent.bytes(
        'POST /api/v1/namespaces/default/configmaps HTTP/1.1\nHost: gateway\nAuthorization: Bearer {token}\n' +
          'Content-Type: application/json\nContent-Length: 1000000\n\n{"half":',
      ),
    );
    await sleep(200);
    socket.destroy();
    await gone;
  });
});

describe('streams', () => {
  test.each(protocols)('over %s a line of a log arrives while the log goes on', async (protocol) => {
    upstream.serve = (_request, response) => {
      response.writeHead(200, {'content-type': 'text/plain'});
      response.write(`paid with ${card}\n`);
    };
    const stream = await open(protocol, followedLog);
    const [line] = (await stream.iterator({destroyOnReturn: false}).next()).value.toString().split('\n');
    expect(line).toBe('paid with ************1111');
    stream.destroy();
  });

  const cases = protocols.flatMap((protocol) => [
    [protocol, 'list', list] as const,
    [protocol, 'watch', watch] as const,
  ]);
  test.each(cases)('over %s an agent that reads slowly slows the upstream of its %s', async (protocol, _what, path) => {
    const totalBytes = 100 * 1024 * 1024;
    const piece = Buffer.from(`${JSON.stringify({text: 'x'.repeat(64 * 1024)})}\n`);
    let sentBytes = 0;
    upstream.serve = (_request, response) => {
      response.writeHead(200, json);
      const send = () => {
        while (sentBytes < totalBytes) {
          sentBytes += piece.length;
          if (!response.write(piece)) {
            response.once('drain', send);
            return;
          }
        }
        response.end();
      };
      send();
    };
    const before = await residentBytes(proxyPid);
    const stream = await open(protocol, path);
    await atRest(() => sentBytes);
    expect(sentBytes).toBeLessThan(totalBytes / 2);
    expect((await residentBytes(proxyPid)) - before).toBeLessThan(totalBytes / 2);
    let received = 0;
    for await (const chunk of stream) received += (chunk as Buffer).length;
    expect(received).toBe(sentBytes);
  });

  test.each(protocols)('over %s an upstream that reads slowly slows the agent', async (protocol) => {
    const totalBytes = 100 * 1024 * 1024;
    const piece = Buffer.alloc(64 * 1024, 'x');
    let resume: () => void = () => {};
    let receivedBytes = 0;
    upstream.serve = (request, response) => {
      request.pause();
      resume = () => {
        request.on('data', (chunk: Buffer) => {
          receivedBytes += chunk.length;
        });
        request.once('end', () => response.writeHead(201, json).end('{}'));
        request.resume();
      };
    };
    let sentBytes = 0;
    const body = Readable.from(
      (function* () {
        for (; sentBytes < totalBytes; sentBytes += piece.length) yield piece;
      })(),
    );
    const before = await residentBytes(proxyPid);
    const call = protocol === 'HTTP/2' ? agent.call2 : agent.call;
    const answer = call.call(agent, '/api/v1/namespaces/default/configmaps', {method: 'POST', body, headers: json});
    await atRest(() => sentBytes);
    expect(sentBytes).toBeLessThan(totalBytes / 2);
    expect((await residentBytes(proxyPid)) - before).toBeLessThan(totalBytes / 2);
    resume();
    expect((await answer).status).toBe(201);
    expect(receivedBytes).toBe(totalBytes);
  });

  describe('an upstream that answers before it has read the request', () => {
    const path = '/api/v1/namespaces/default/configmaps';
    const body = Buffer.alloc(8 * 1024 * 1024, 'x');

    beforeEach(() => {
      upstream.serve = (request, response) => {
        if (request.method === 'GET') response.writeHead(200, json).end('{}');
        else response.writeHead(413, json).end('{"kind":"Status"}');
      };
    });

    test('is heard over HTTP/1.1, and the connection serves the next call', async () => {
      const socket = await agent.socket();
      const head = 'Host: gateway\nAuthorization: Bearer {token}\n';
      socket.write(agent.bytes(`POST ${path} HTTP/1.1\n${head}Content-Length: ${body.length}\n\n`));
      socket.write(body);
      socket.write(agent.bytes(`GET ${path} HTTP/1.1\n${head}Connection: close\n\n`));
      const answers = (await collect(socket)).toString().match(/HTTP\/1\.1 \d+/g);
      expect(answers).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
    });

    test('is heard over HTTP/2, and the connection lets the call go', async () => {
      const session = agent.session();
      const answer = await agent.callOn(session, path, {method: 'POST', body});
      expect([answer.status, answer.text]).toEqual([413, '{"kind":"Status"}']);
      expect((await agent.callOn(session, path)).status).toBe(200);
      // Calls back when no stream is left.
      await new Promise<void>((resolve) => session.close(resolve));
    });
  });
});

/** Waits until a count has stopped growing. */
async function atRest(count: () => number): Promise<void> {
  let last = -1;
  await eventually(async () => {
    const was = last;
    last = count();
    await sleep(300);
    expect([was, count()]).toEqual([last, last]);
  });
}
