import {once} from 'node:events';
import type {IncomingMessage, ServerResponse} from 'node:http';
import {constants} from 'node:http2';
import {afterAll, beforeAll, beforeEach, describe, expect, jest, test} from '@jest/globals';
import {eventually} from '../eventually.ts';
import {type AgentClient, collect} from './client.ts';
import {allowEverything, type FurtherProxy, Stack} from './stack.ts';
import {Upstream} from './upstream.ts';

jest.setTimeout(60_000);

const configMaps = '/api/v1/namespaces/payments/configmaps';
const watch = '/api/v1/pods?watch=1';
const json = {'content-type': 'application/json'};
const head = 'Host: gateway\nAuthorization: Bearer {token}\n';

let stack: Stack;
let upstream: Upstream;
let proxy: FurtherProxy;
let agent: AgentClient;

/** What the upstream was sent. */
interface Arrived {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: readonly string[];
  readonly trailers: readonly string[];
  readonly body: string;
}

const arrived: Arrived[] = [];

beforeAll(async () => {
  stack = await Stack.start({policies: {everything: allowEverything()}});
  upstream = await Upstream.start(stack.environment.directory);
  proxy = await stack.startProxy('to-own-upstream', upstream.flags);
  agent = stack.client({url: proxy.url});
});

afterAll(async () => {
  await stack?.stop();
  await upstream?.stop();
});

beforeEach(() => {
  arrived.length = 0;
  upstream.serve = record;
});

/** Takes the whole request and answers 201. */
async function record(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await collect(request).catch(() => undefined);
  if (body === undefined) return;
  const {method, url: path, rawHeaders, rawTrailers: trailers} = request;
  const headers = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  arrived.push({method, path, headers, trailers, body: body.toString()});
  response.writeHead(201, json).end('{}');
}

describe('trailers', () => {
  test('of a request by chunks end here, and the next request begins behind them', async () => {
    const answer = await agent.raw(
      `POST ${configMaps} HTTP/1.1\n${head}Transfer-Encoding: chunked\nTrailer: Impersonate-User\nTE: trailers\n\n` +
        '2;extension="GET / HTTP/1.1"\n{}\n0\nImpersonate-User: admin\nX-Other: y\n\n' +
        `POST ${configMaps}?second HTTP/1.1\n${head}Content-Length: 2\nConnection: close\n\n[]`,
    );
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 201', 'HTTP/1.1 201']);
    expect(arrived).toMatchObject([
      {method: 'POST', path: configMaps, trailers: [], body: '{}'},
      {method: 'POST', path: `${configMaps}?second`, trailers: [], body: '[]'},
    ]);
    for (const name of ['trailer', 'te', 'x-other']) expect(arrived[0]?.headers).not.toContain(name);
  });

  test('of a request that speak of its length are refused', async () => {
    const answer = await agent.raw(
      `POST ${configMaps} HTTP/1.1\n${head}Transfer-Encoding: chunked\n\n2\n{}\n0\nContent-Length: 100\n\n`,
    );
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
    expect(arrived).toEqual([]);
  });

  test('of a request over HTTP/2 end here', async () => {
    const session = agent.session();
    const authorization = `Bearer ${stack.token}`;
    const stream = session.request(
      {':method': 'POST', ':path': configMaps, authorization},
      {waitForTrailers: true, endStream: false},
    );
    stream.once('wantTrailers', () => stream.sendTrailers({'impersonate-user': 'admin', 'x-other': 'y'}));
    stream.end('{}');
    const [headers] = await once(stream, 'response');
    expect(headers[':status']).toBe(201);
    expect(arrived).toMatchObject([{trailers: [], body: '{}'}]);
    expect(arrived[0]?.headers).not.toContain('x-other');
    session.close();
  });

  test.each([configMaps, watch])('of an answer end here: %s', async (path) => {
    upstream.serve = (_request, response) => {
      response.writeHead(200, {...json, trailer: 'x-trailer'});
      response.write('{}\n');
      response.addTrailers({'x-trailer': 'y'});
      response.end();
    };
    const over1 = await agent.open(path);
    expect((await collect(over1)).toString()).toBe('{}\n');
    expect([over1.trailers, over1.headers.trailer]).toEqual([{}, undefined]);
    const session = agent.session();
    const {stream, headers} = await agent.openOn(session, path);
    const trailers: unknown[] = [];
    stream.on('trailers', (received) => trailers.push(received));
    expect((await collect(stream)).toString()).toBe('{}\n');
    expect([trailers, headers.trailer]).toEqual([[], undefined]);
    session.close();
  });
});

describe('a body that is not as long as its Content-Length says is no whole body', () => {
  test.each([
    ['shorter', '{}'],
    ['longer', '{"a":"0123456789"}'],
  ])('over HTTP/2: %s', async (_what, body) => {
    const session = agent.session();
    const stream = session.request(
      {':method': 'POST', ':path': configMaps, 'content-length': 10, authorization: `Bearer ${stack.token}`},
      {endStream: false},
    );
    stream.on('error', () => {});
    stream.end(body);
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).not.toBe(constants.NGHTTP2_NO_ERROR);
    expect(arrived).toEqual([]);
    session.destroy();
  });

  test('over HTTP/1.1 the rest is another request', async () => {
    const answer = await agent.raw(
      `POST ${configMaps} HTTP/1.1\n${head}Content-Length: 2\n\n{}GET / HTTP/1.1\nConnection: close\n\n`,
    );
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 201', 'HTTP/1.1 401']);
    expect(arrived).toMatchObject([{body: '{}'}]);
  });
});

describe('a body that is compressed', () => {
  test('passes as it is where no policy reads it, and says so', async () => {
    const headers = {...json, 'content-encoding': 'gzip'};
    expect((await agent.call('/upload', {method: 'POST', headers, body: 'zipped'})).status).toBe(201);
    expect(arrived).toMatchObject([{body: 'zipped', headers: expect.arrayContaining(['content-encoding'])}]);
  });
});

describe('what is refused before it is a call', () => {
  const garbage = [
    ['400', 'GET / HTTP/1.1\nno colon\n\n'],
    ['400', `POST / HTTP/1.1\n${head}Content-Length: 2\nTransfer-Encoding: chunked\n\n{}`],
    ['431', `GET / HTTP/1.1\n${head}X-Large: ${'x'.repeat(100_000)}\n\n`],
  ] as const;

  test.each(garbage)('has a Status (%s), a line in the audit log, and a count', async (code, bytes) => {
    const unreadable = async () =>
      (await stack.records(proxy.auditLogPath)).filter(
        ({annotations}) => annotations?.['lockkeeper.dev/refusal'] === 'Unreadable',
      );
    const before = (await unreadable()).length;
    const answer = await agent.raw(bytes);
    expect(answer.slice(0, 12)).toBe(`HTTP/1.1 ${code}`);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({kind: 'Status', code: Number(code)});
    const lines = await unreadable();
    expect(lines).toHaveLength(before + 1);
    expect(lines.at(-1)).toMatchObject({stage: 'ResponseComplete', responseStatus: {code: Number(code)}});
    const metrics = await (await fetch(`http://127.0.0.1:${proxy.metricsPort}/metrics`)).text();
    expect(metrics).toMatch(new RegExp(`requests_total{verb="",code="${code}",outcome="Unreadable"} [1-9]`));
  });

  test('an unknown expectation is a call that is refused', async () => {
    const answer = await agent.raw(`POST ${configMaps} HTTP/1.1\n${head}Expect: 200-ok\nConnection: close\n\n`);
    expect(answer.slice(0, 12)).toBe('HTTP/1.1 400');
    await eventually(async () => {
      const last = (await stack.records(proxy.auditLogPath)).at(-1);
      expect(last).toMatchObject({verb: 'post', annotations: {'lockkeeper.dev/refusal': 'Ambiguous'}});
    });
  });
});
