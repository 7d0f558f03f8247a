import {once} from 'node:events';
import type {IncomingMessage, RequestListener} from 'node:http';
import {createServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import {PassThrough} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterEach, beforeAll, describe, expect, test} from '@jest/globals';
import {select} from '../../core/policy/evaluate.ts';
import {loadBundle} from '../../core/policy/loadbundle.ts';
import {decide} from '../../core/policy/permitted.ts';
import type {Operation} from '../../core/request/operation.ts';
import {forward} from '../../proxy/forward/forward.ts';
import {impersonation} from '../../proxy/forward/headers.ts';
import {multiplexedTransport} from '../../proxy/forward/multiplexed.ts';
import {pooledTransport} from '../../proxy/forward/pooled.ts';
import type {Relay} from '../../proxy/forward/relay.ts';
import type {UpstreamTarget} from '../../proxy/forward/transport.ts';
import {withAudit} from '../../proxy/path/audit.ts';
import type {Call} from '../../proxy/path/call.ts';
import type {Decided} from '../../proxy/path/decision.ts';
import {withOperation} from '../../proxy/path/operation.ts';
import {Refusal} from '../../proxy/path/refusal.ts';
import {Metrics} from '../../proxy/serve/metrics.ts';
import {eventually} from '../eventually.ts';
import {agent} from '../operations.ts';
import {bundleOf} from './call.ts';
import {exchange, type Protocol} from './exchange.ts';
import {MemoryLog} from './recording.ts';
import {http2Upstream, loopbackCertificate, type OnStream, type Presented} from './upstream.ts';

let presented: Presented;
beforeAll(async () => {
  presented = await loopbackCertificate();
});

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const caller = agent({groups: ['ai-agents', 'ci']});
const operations = [
  {verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']},
  {verbs: ['*'], nonResourceURLs: ['*']},
];
const bundle = loadBundle(
  bundleOf([{namespace: 'lockkeeper-system', rules: [{name: 'all', effect: 'Allow', operations}]}]),
);

async function permit(call: Call, operation: Operation) {
  const decision = decide(select(bundle, caller, operation), {now: new Date(0)});
  if (decision.outcome !== 'Allowed') throw new Error(decision.outcome);
  call.record.identified(caller);
  call.decision = decision;
  await call.record.intent(call.recorded());
  call.intended = true;
  return {decision, permitted: decision.permitted};
}

interface Of {
  /** Plays the API server for calls that end soon; nobody listens where it is absent. */
  readonly answering?: RequestListener;
  /** Plays it for calls that last. */
  readonly lasting?: OnStream;
  /** What a filter read of the request. */
  readonly body?: Buffer;
}

/** The last filter, behind the first one and a decision that allows everything. */
async function forwarding(protocol: Protocol, {answering, lasting, body}: Of) {
  const pooled = pooledTransport(await answeringTarget(answering));
  const upstream = await http2Upstream(presented, lasting ?? (() => {}));
  const multiplexed = multiplexedTransport(upstream.target, () => 0);
  const log = new MemoryLog();
  const longRunning = new Set<Relay>();
  const live = new Set<(refusal: Refusal) => void>();
  const filter = forward({
    pooled,
    multiplexed,
    identity: impersonation(),
    credential: {authorization: 'Bearer proxy', close: () => {}},
    live: {
      admit(_call, end) {
        live.add(end);
        return () => live.delete(end);
      },
    },
    longRunning,
  });
  const plain = {push: (chunk: Buffer, emit: (bytes: Buffer) => void) => emit(chunk), end: () => {}};
  const serve = withAudit(
    {recorder: log.recorder(), metrics: new Metrics(), onInternalError: () => {}, onUnexpectedPAN: () => {}},
    (call) =>
      withOperation(async (_call, {operation}) => {
        const {decision, permitted} = await permit(call, operation);
        const read = body && ({bytes: body, contentType: '', content: {kind: 'Opaque', canonical: body}} as const);
        const decided: Decided = {agent: caller, operation, rootNamespace: 'lockkeeper-system', decision, body: read};
        await filter(call, {decided, permitted, accept: 'application/json', openBody: () => plain});
      })(call, caller),
  );
  const open = await exchange(protocol, serve);
  closing.push(
    () => upstream.close(),
    () => pooled.close(),
    () => open.close(),
  );
  return {ask: open.ask, log, longRunning, live};
}

async function answeringTarget(answering: RequestListener | undefined): Promise<UpstreamTarget> {
  const server = createServer(presented, answering ?? (() => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  if (answering === undefined) await close();
  else closing.push(close);
  return {origin, tls: {ca: presented.ca}};
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const pods = '/api/v1/namespaces/payments/pods';

describe.each<Protocol>(['HTTP/1.1', 'HTTP/2'])('for an agent that speaks %s', (protocol) => {
  test('the API server hears the target as it was sent, who calls, and nothing else of the agent', async () => {
    const seen: IncomingMessage[] = [];
    const {ask} = await forwarding(protocol, {
      answering(request, response) {
        seen.push(request);
        response.writeHead(200, {'content-type': 'application/json', connection: 'close'}).end('{}');
      },
    });
    const headers = {'user-agent': 'kubectl', authorization: 'Bearer agent', 'x-remote-user': 'admin', accept: '*/*'};
    const answer = await ask({path: `${pods}?labelSelector=a%3Db`, headers}).answer();
    expect(answer).toMatchObject({status: 200, body: '{}', whole: true});
    expect(seen[0]).toMatchObject({method: 'GET', url: `${pods}?labelSelector=a%3Db`});
    const {host, connection, ...told} = seen[0]?.headersDistinct ?? {};
    expect(told).toEqual({
      'impersonate-user': ['agent:build-bot'],
      'impersonate-uid': ['42'],
      'impersonate-group': ['ai-agents', 'ci'],
      'audit-id': [expect.stringMatching(/^[0-9a-f-]{36}$/)],
      authorization: ['Bearer proxy'],
      accept: ['application/json'],
      'accept-encoding': ['identity'],
      'user-agent': ['kubectl'],
    });
  });

  test('the audit ID of the record is the one that the API server gets', async () => {
    const ids: unknown[] = [];
    const {ask, log} = await forwarding(protocol, {
      answering(request, response) {
        ids.push(request.headers['audit-id']);
        response.end();
      },
    });
    await ask({path: pods}).answer();
    await eventually(() => expect(log.stages).toEqual(['RequestReceived', 'ResponseComplete']));
    expect(log.events.map(({auditID}) => auditID)).toEqual([ids[0], ids[0]]);
  });

  test('a body streams up while it is made', async () => {
    const first = Promise.withResolvers<string>();
    const {ask} = await forwarding(protocol, {
      async answering(request, response) {
        request.once('data', (chunk: Buffer) => first.resolve(chunk.toString()));
        response.end(await textOf(request));
      },
    });
    const body = new PassThrough();
    const asking = ask({method: 'POST', path: pods, body});
    body.write('first ');
    expect(await first.promise).toBe('first ');
    body.end('last');
    expect(await asking.answer()).toMatchObject({status: 200, body: 'first last'});
  });

  test('a body with a length keeps it', async () => {
    const {ask} = await forwarding(protocol, {
      async answering(request, response) {
        response.setHeader('x-framing', request.headers['content-length'] ?? 'chunked');
        response.end(await textOf(request));
      },
    });
    const asking = ask({method: 'POST', path: pods, body: 'the body', headers: {'content-length': '8'}});
    expect(await asking.answer()).toMatchObject({body: 'the body', headers: {'x-framing': '8'}});
  });

  test('a body that a filter read is sent as it was read', async () => {
    const {ask} = await forwarding(protocol, {
      body: Buffer.from('read before'),
      answering: async (request, response) => void response.end(await textOf(request)),
    });
    expect(await ask({method: 'POST', path: pods, body: 'read before'}).answer()).toMatchObject({body: 'read before'});
  });

  test('an agent that goes away while it sends ends the call upstream, and no half body counts', async () => {
    const arrived = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<string>();
    const {ask, log} = await forwarding(protocol, {
      answering(request) {
        request.once('data', () => arrived.resolve());
        request.once('end', () => ended.resolve('whole'));
        request.once('error', () => ended.resolve('broken'));
      },
    });
    const body = new PassThrough();
    const asking = ask({method: 'POST', path: pods, body});
    body.write('half');
    await arrived.promise;
    asking.leave();
    expect(await ended.promise).toBe('broken');
    await eventually(() => expect(log.last.stage).toBe('ResponseComplete'));
  });

  test('an agent that is still sending hears that the API server cannot be reached', async () => {
    const {ask} = await forwarding(protocol, {});
    const body = new PassThrough();
    const asking = ask({method: 'POST', path: pods, body});
    body.write('first');
    const answered = await asking.answer();
    expect({status: answered.status, whole: answered.whole}).toEqual({status: 503, whole: true});
    expect(JSON.parse(answered.body)).toMatchObject({kind: 'Status', code: 503});
    body.end();
  });

  test('an agent that is still sending gets the answer of an API server that does not want the rest', async () => {
    const {ask} = await forwarding(protocol, {
      answering: (_request, response) => void response.writeHead(413, {connection: 'close'}).end('too large'),
    });
    const body = new PassThrough();
    const asking = ask({method: 'POST', path: pods, body});
    body.write('x'.repeat(100_000));
    expect(await asking.answer()).toMatchObject({status: 413, body: 'too large'});
    body.end();
  });

  test('an answer that breaks off upstream breaks off here', async () => {
    const {ask, log} = await forwarding(protocol, {
      answering(_request, response) {
        response.writeHead(200, {'content-length': '100'});
        response.write('half', () => response.destroy());
      },
    });
    expect(await ask({path: pods}).answer()).toMatchObject({status: 200, body: 'half', whole: false});
    await eventually(() => expect(log.last.annotations).toHaveProperty(['lockkeeper.dev/error']));
  });

  test('a watch streams down as it happens, and its beginning is on record', async () => {
    const streams: Parameters<OnStream>[0][] = [];
    const {ask, log, longRunning} = await forwarding(protocol, {
      lasting(stream) {
        streams.push(stream);
        stream.respond({':status': 200, 'content-type': 'application/json'});
        stream.write('{"type":"ADDED"}\n');
      },
    });
    const asking = ask({path: `${pods}?watch=true`});
    expect(await asking.head).toMatchObject({status: 200});
    await eventually(() => expect(log.stages).toEqual(['RequestReceived', 'ResponseStarted']));
    expect(longRunning.size).toBe(1);
    streams[0]?.end('{"type":"DELETED"}\n');
    expect(await asking.answer()).toMatchObject({body: '{"type":"ADDED"}\n{"type":"DELETED"}\n', whole: true});
    await eventually(() => expect(log.stages).toEqual(['RequestReceived', 'ResponseStarted', 'ResponseComplete']));
    expect(longRunning.size).toBe(0);
  });

  test('a watch whose agent goes away is reset upstream', async () => {
    const reset = Promise.withResolvers<void>();
    const {ask, log, longRunning} = await forwarding(protocol, {
      lasting(stream) {
        stream.once('close', () => reset.resolve());
        stream.respond({':status': 200});
      },
    });
    const asking = ask({path: `${pods}?watch=true`});
    await asking.head;
    asking.leave();
    await reset.promise;
    await eventually(() => expect(log.last).toMatchObject({stage: 'ResponseComplete', responseStatus: {code: 200}}));
    expect(longRunning.size).toBe(0);
  });

  test('a watch that is cut upstream is cut here', async () => {
    const streams: Parameters<OnStream>[0][] = [];
    const {ask} = await forwarding(protocol, {
      lasting(stream) {
        streams.push(stream);
        stream.respond({':status': 200});
      },
    });
    const asking = ask({path: `${pods}?watch=true`});
    await asking.head;
    streams[0]?.session?.destroy();
    expect(await asking.answer()).toMatchObject({status: 200, whole: false});
  });

  test('a watch is admitted among the live calls, and ended from there', async () => {
    const reset = Promise.withResolvers<void>();
    const {ask, log, live} = await forwarding(protocol, {
      lasting(stream) {
        stream.once('close', () => reset.resolve());
        stream.respond({':status': 200, 'content-type': 'application/json'});
        stream.write('{"type":"ADDED"}\n');
      },
    });
    const asking = ask({path: `${pods}?watch=true`});
    await asking.head;
    await eventually(() => expect(log.stages).toHaveLength(2));
    for (const end of live) end(new Refusal('PolicyDenied', 403, 'frozen'));
    const {body, whole} = await asking.answer();
    expect(body.split('\n')[1]).toContain('"type":"ERROR","object":{"kind":"Status"');
    expect(whole).toBe(true);
    await reset.promise;
    await eventually(() => expect(log.last.annotations).toMatchObject({'lockkeeper.dev/refusal': 'PolicyDenied'}));
    expect(live.size).toBe(0);
  });

  test('a followed log that is ended visibly breaks off', async () => {
    const {ask, live} = await forwarding(protocol, {
      lasting(stream) {
        stream.respond({':status': 200, 'content-type': 'text/plain'});
        stream.write('one\n');
      },
    });
    const asking = ask({path: `${pods}/web-1/log?follow=true`});
    await asking.head;
    await sleep(50);
    for (const end of live) end(new Refusal('PolicyDenied', 403, 'frozen'));
    expect(await asking.answer()).toMatchObject({status: 200, body: 'one\n', whole: false});
  });

  test('draining ends a watch cleanly', async () => {
    const {ask, longRunning} = await forwarding(protocol, {lasting: (stream) => stream.respond({':status': 200})});
    const asking = ask({path: `${pods}?watch=true`});
    await asking.head;
    for (const relay of longRunning) relay.finish();
    expect(await asking.answer()).toMatchObject({status: 200, body: '', whole: true});
  });
});
