import {randomBytes} from 'node:crypto';
import type {IncomingHttpHeaders} from 'node:http';
import {afterEach, describe, expect, test} from '@jest/globals';
import type {Operation} from '../../core/request/operation.ts';
import {eventually} from '../../test/eventually.ts';
import {cardsPlan} from '../../test/maskplan.ts';
import {operation} from '../../test/operations.ts';
import {callOf} from '../../test/proxy/call.ts';
import {type Exchange, exchange, type Protocol} from '../../test/proxy/exchange.ts';
import type {Dispatchable} from '../forward/forward.ts';
import {OutboxBuffers} from '../forward/outbox.ts';
import {type BodyReader, breakOff, Relay} from '../forward/relay.ts';
import type {Call, ServedResponse} from './call.ts';
import {withCompression} from './compression.ts';
import {Maskers} from './maskers.ts';

const json = {'content-type': 'application/json'};
const plain: BodyReader = {push: (chunk, emit) => emit(chunk), end: () => {}};

function dispatchable(of: Operation, openBody: Dispatchable['openBody'] = () => plain): Dispatchable {
  return {decided: undefined, permitted: {operation: of}, accept: '*/*', openBody} as unknown as Dispatchable;
}

interface Of {
  readonly enabled?: boolean;
  readonly operation?: Partial<Operation>;
  readonly status?: number;
  readonly headers?: IncomingHttpHeaders;
  readonly acceptEncoding?: string | undefined;
}

/** Whether an answer is sent in gzip. */
async function isCompressed({enabled = true, status = 200, headers = json, ...of}: Of): Promise<boolean> {
  const acceptEncoding = 'acceptEncoding' in of ? of.acceptEncoding : 'gzip';
  let opened: BodyReader | undefined;
  const filter = withCompression(enabled, async (_call, {openBody}) => {
    opened = openBody(status, headers);
  });
  await filter(callOf({headers: {'accept-encoding': acceptEncoding}}).call, dispatchable(operation(of.operation)));
  return opened?.headers?.['content-encoding'] === 'gzip';
}

describe('in gzip', () => {
  test.each<[string, Of]>([
    ['a list of unknown length', {}],
    ['a list of 128 KiB', {headers: {...json, 'content-length': '131072'}}],
    ['an object', {operation: {verb: 'get', name: 'web'}}],
    ['a Table', {headers: {'content-type': 'application/json;as=Table;v=v1;g=meta.k8s.io'}}],
    [
      'a log that ends',
      {operation: {verb: 'get', subresource: 'log', query: 'follow=false'}, headers: {'content-type': 'text/plain'}},
    ],
    [
      'metrics',
      {
        operation: {verb: 'get', isResourceRequest: false, path: '/metrics'},
        headers: {'content-type': 'text/plain; version=0.0.4'},
      },
    ],
  ])('goes %s', async (_what, of) => {
    expect(await isCompressed(of)).toBe(true);
  });

  test.each<[string, Of]>([
    ['anything unless the operator asked for it', {enabled: false}],
    ['what the agent does not take so', {acceptEncoding: 'gzip;q=0'}],
    ['what an agent asks for that says nothing', {acceptEncoding: undefined}],
    ['what is shorter than 128 KiB', {headers: {...json, 'content-length': '131071'}}],
    ['a failure', {status: 403}],
    ['part of something', {status: 206}],
    ['a watch', {operation: {verb: 'watch', query: 'watch=1'}}],
    ['a followed log', {operation: {verb: 'get', subresource: 'log', query: 'follow=true'}}],
    ['what an application streams', {operation: {verb: 'get', subresource: 'proxy'}}],
    ['what an aggregated API server streams', {operation: {verb: 'get', resource: 'machines', subresource: 'console'}}],
    ['the answer to HEAD', {operation: {verb: 'get', method: 'HEAD'}}],
    ['the answer to a write', {operation: {verb: 'create', method: 'POST'}}],
    ['what is in another encoding', {headers: {...json, 'content-encoding': 'br'}}],
    ['what is no text', {headers: {'content-type': 'application/octet-stream'}}],
    ['what says no type', {headers: {}}],
    ['what the client asks for again by its tag', {headers: {...json, etag: '"1A2B"'}}],
  ])('does not go %s', async (_what, of) => {
    expect(await isCompressed(of)).toBe(false);
  });
});

let open: Exchange | undefined;
afterEach(() => open?.close());

/** A call of a real client for a list that is masked and compressed, with the API server's side in the test's hands. */
async function listing(protocol: Protocol) {
  const served = Promise.withResolvers<{relay: Relay; response: ServedResponse}>();
  const filter = withCompression(true, async (call, {openBody}) => {
    const relay = new Relay(call.response, openBody, new OutboxBuffers());
    served.resolve({relay, response: call.response});
  });
  const masker = new Maskers().take('json', cardsPlan, false);
  open = await exchange(protocol, (request, response) =>
    filter(
      {request, response} as Call,
      dispatchable(operation(), () => masker),
    ),
  );
  const asking = open.ask({headers: {'accept-encoding': 'gzip'}});
  const {relay, response} = await served.promise;
  const told: string[] = [];
  const controller = {
    pause: () => void told.push('pause'),
    resume: () => void told.push('resume'),
    abort: () => void told.push('abort'),
  };
  relay.done.catch(() => {});
  relay.onRequestStart(controller);
  relay.onResponseStart(controller, 200, {...json, vary: 'Accept', 'transfer-encoding': 'chunked'});
  return {
    asking,
    told,
    relay,
    response,
    masker,
    data: (bytes: Buffer) => relay.onResponseData(controller, bytes),
    fail: () => relay.onResponseError(controller, Object.assign(new Error('gone'), {code: 'ECONNRESET'})),
  };
}

describe.each<Protocol>(['HTTP/1.1', 'HTTP/2'])('to an agent that speaks %s', (protocol) => {
  const items = (card: string) =>
    Array.from({length: 5_000}, (_, index) => `{"name":"pod-${index}","note":"paid with ${card}."}`).join(',');
  const list = Buffer.from(`{"items":[${items('4111111111111111')}]}`);
  const masked = `{"items":[${items('************1111')}]}`;

  test.each([1_000, 16_384, 65_536, 65_537, list.length])(
    'a list in pieces of %d bytes is masked, then compressed',
    async (size) => {
      const {asking, data, relay, masker} = await listing(protocol);
      for (let at = 0; at < list.length; at += size) data(Buffer.from(list.subarray(at, at + size)));
      relay.onResponseEnd();
      const {headers, body, whole} = await asking.answer();
      expect(headers).toMatchObject({'content-encoding': 'gzip', vary: 'Accept, Accept-Encoding'});
      expect(headers).not.toHaveProperty('content-length');
      expect({whole, same: body === masked}).toEqual({whole: true, same: true});
      expect(masker.counts.PAN).toBe(5_000);
      await relay.done;
    },
  );

  test('a list that breaks off does not look whole', async () => {
    const {asking, data, fail, relay, response} = await listing(protocol);
    data(Buffer.from(list));
    await asking.head;
    const answer = asking.answer();
    fail();
    await expect(relay.done).rejects.toThrow('gone');
    // As the outermost filter does with what has begun.
    breakOff(response);
    expect(await answer).toMatchObject({whole: false});
  });

  test('a slow agent stops the API server, and reading on starts it again', async () => {
    const {asking, data, told, relay} = await listing(protocol);
    data(Buffer.from('['));
    let sent = 0;
    for (; !told.includes('pause') && sent < 1_000; sent++)
      data(Buffer.from(`"${randomBytes(150_000).toString('base64')}",`));
    expect(told).toEqual(['pause']);
    const answer = asking.answer();
    await eventually(() => expect(told).toEqual(['pause', 'resume']));
    data(Buffer.from('1]'));
    relay.onResponseEnd();
    const {body, whole} = await answer;
    expect({whole, items: JSON.parse(body).length}).toEqual({whole: true, items: sent + 1});
  });
});
