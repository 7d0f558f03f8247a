import {Readable} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, beforeAll, beforeEach, describe, expect, jest, test} from '@jest/globals';
import {eventually} from '../eventually.ts';
import {type AgentClient, collect, protocols} from './client.ts';
import {residentBytes} from './processes.ts';
import {allowEverything, Stack} from './stack.ts';
import {Upstream} from './upstream.ts';

jest.setTimeout(60_000);

const json = {'content-type': 'application/json'};
const card = '4111111111111111';
// Bodies that are to be stored are read whole where policies mask; what goes to a path is streamed.
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

test.each(protocols)('over %s a line of a log arrives while the log goes on', async (protocol) => {
  upstream.serve = (_request, response) => {
    response.writeHead(200, {'content-type': 'text/plain'});
    response.write(`paid with ${card}\n`);
  };
  const stream = await agent.stream(protocol, followedLog);
  const [line] = (await stream.iterator({destroyOnReturn: false}).next()).value.toString().split('\n');
  expect(line).toBe('paid with ************1111');
  stream.destroy();
});

const cases = protocols.flatMap((protocol) => [[protocol, 'list', list] as const, [protocol, 'watch', watch] as const]);
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
  const stream = await agent.stream(protocol, path);
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
  const answer = call.call(agent, '/upload', {method: 'POST', body, headers: json});
  await atRest(() => sentBytes);
  expect(sentBytes).toBeLessThan(totalBytes / 2);
  expect((await residentBytes(proxyPid)) - before).toBeLessThan(totalBytes / 2);
  resume();
  expect((await answer).status).toBe(201);
  expect(receivedBytes).toBe(totalBytes);
});

describe('an upstream that answers before it has read the request', () => {
  const path = '/upload';
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
