import type {IncomingHttpHeaders, IncomingMessage, ServerResponse} from 'node:http';
import type {Http2ServerResponse} from 'node:http2';
import {setTimeout as sleep} from 'node:timers/promises';
import {brotliCompressSync, gzipSync} from 'node:zlib';
import {afterAll, afterEach, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {type AgentClient, collect, protocols} from './client.ts';
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

beforeAll(async () => {
  stack = await Stack.start({policies: {everything: allowEverything()}});
  upstream = await Upstream.start(stack.environment.directory);
  const proxy = await stack.startProxy('to-own-upstream', upstream.flags);
  agent = stack.client({url: proxy.url});
});

afterAll(async () => {
  await stack?.stop();
  await upstream?.stop();
});

afterEach(() => {
  upstream.serve = (_request, response) => response.writeHead(500).end();
});

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

describe.each(Object.entries(cuts))('pitfall 14: %s', (_how, cut) => {
  // A truncated list that ends cleanly looks whole.
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
    const stream = await agent.stream(protocol, path);
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
    ['compressed in an unusual way', {...json, 'content-encoding': 'br'}, brotliCompressSync(`{"a":"${card}"}`)],
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

  test('compressed although nobody asked for it, is masked and comes as it is', async () => {
    const text = JSON.stringify({items: Array.from({length: 10_000}, () => `paid with ${card}.`)});
    const compressed = gzipSync(text);
    let asked: IncomingHttpHeaders = {};
    upstream.serve = (request, response) => {
      asked = request.headers;
      response.writeHead(200, {...json, 'content-encoding': 'gzip', 'content-length': compressed.length});
      response.end(compressed);
    };
    const headers = {'accept-encoding': 'gzip'};
    for (const path of [list, watch]) {
      for (const answer of [await agent.call(path, {headers}), await agent.call2(path, {headers})]) {
        expect(asked['accept-encoding']).toBe('identity');
        expect(answer.headers['content-encoding']).toBeUndefined();
        expect(answer.text).toBe(text.replaceAll(card, '************1111'));
      }
    }
  });

  test.each(protocols)('breaks off where its gzip does, over %s', async (protocol) => {
    const compressed = gzipSync('{"items":[]}');
    upstream.serve = (_request, response) =>
      response.writeHead(200, {...json, 'content-encoding': 'gzip'}).end(compressed.subarray(0, -8));
    const stream = await agent.stream(protocol, list);
    await expect(collect(stream)).rejects.toThrow();
  });

  test.each([
    ['garbage behind an object', `{"a":1}}}]] "${card}" {"b":"${card}"}`],
    ['a card in a key', `{"${card}":1}`],
    ['a card as a number, in pieces', `{"a":${card}}`],
    ['an object that never ends', `{"a":"${card}`],
    ['text that is no JSON', `card ${card}`],
  ])('pitfall 24: JSON that is none leaks no card: %s', async (_what, body) => {
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

describe('pitfall 33: heads of answers, of which some have no length', () => {
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

describe('pitfall 35: an agent that goes away', () => {
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
    const stream = await agent.stream(protocol, path);
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
        'POST /upload HTTP/1.1\nHost: gateway\nAuthorization: Bearer {token}\n' +
          'Content-Type: application/json\nContent-Length: 1000000\n\n{"half":',
      ),
    );
    await sleep(200);
    socket.destroy();
    await gone;
  });
});
