import type {IncomingHttpHeaders} from 'node:http';
import {afterEach, describe, expect, jest, test} from '@jest/globals';
import {eventually} from '../../test/eventually.ts';
import {type Asked, type Exchange, exchange, type Protocol} from '../../test/proxy/exchange.ts';
import type {ServedResponse} from '../path/call.ts';
import {Refusal} from '../path/refusal.ts';
import {OutboxBuffers} from './outbox.ts';
import {type BodyReader, ClientGone, type OpenBody, Relay, type Started} from './relay.ts';
import {NotTaken, type ResponseController} from './transport.ts';

const plain: BodyReader = {push: (chunk, emit) => emit(chunk), end: () => {}};

/** Holds every chunk back until the next one, or the end. */
function delaying(): BodyReader {
  let held: Buffer | undefined;
  return {
    push(chunk, emit) {
      if (held !== undefined) emit(held);
      held = chunk;
    },
    end(emit) {
      if (held !== undefined) emit(held);
    },
  };
}

/** Holds back 100 bytes until the next chunk, or the end. */
function holdingBack(): BodyReader {
  let held = Buffer.alloc(0);
  return {
    push(chunk, emit) {
      emit(held);
      held = Buffer.from(chunk.subarray(-100));
      emit(chunk.subarray(0, -100));
    },
    end: (emit) => emit(held),
  };
}

/** What the relay told the one who reads from the API server. */
class Controller implements ResponseController {
  readonly told: string[] = [];
  aborted: Error | undefined;
  pause(): void {
    this.told.push('pause');
  }
  resume(): void {
    this.told.push('resume');
  }
  abort(reason: Error): void {
    this.told.push('abort');
    this.aborted = reason;
  }
}

const denied = new Refusal('PolicyDenied', 403, 'frozen');

let open: Exchange | undefined;
afterEach(() => open?.close());

/** A call that a real client makes, and the relay that is to answer it, with the API server's side in the test's hands. */
async function relaying(
  protocol: Protocol,
  {openBody = () => plain, started, ...asked}: Asked & {openBody?: OpenBody; started?: Started} = {},
) {
  const served = Promise.withResolvers<ServedResponse>();
  open = await exchange(protocol, (_request, response) => served.resolve(response));
  const asking = open.ask(asked);
  const response = await served.promise;
  const controller = new Controller();
  const relay = new Relay(response, openBody, new OutboxBuffers(), started);
  const ended = relay.done.then(
    () => undefined,
    (error: Error) => error,
  );
  relay.onRequestStart(controller);
  return {
    asking,
    response,
    relay,
    controller,
    ended,
    head: (code: number, headers: IncomingHttpHeaders) => relay.onResponseStart(controller, code, headers),
    data: (text: string | Buffer) => relay.onResponseData(controller, Buffer.from(text)),
    end: () => relay.onResponseEnd(),
    fail: (error: Error) => relay.onResponseError(controller, error),
  };
}

describe.each<Protocol>(['HTTP/1.1', 'HTTP/2'])('to a client that speaks %s', (protocol) => {
  test('a response of known length arrives as it is, and is whole with its last byte', async () => {
    const {asking, head, data, ended} = await relaying(protocol);
    head(200, {'content-type': 'text/plain', 'content-length': '10', connection: 'keep-alive'});
    data('01234');
    data('56789');
    expect(await ended).toBeUndefined();
    expect(await asking.answer()).toMatchObject({
      status: 200,
      headers: {'content-type': 'text/plain', 'content-length': '10'},
      body: '0123456789',
      whole: true,
    });
  });

  test('a response of unknown length ends when the API server ends it', async () => {
    const {asking, head, data, end, ended} = await relaying(protocol);
    head(201, {'content-type': 'text/plain', 'transfer-encoding': 'chunked'});
    for (const text of ['a', 'b', 'c']) data(text);
    end();
    expect(await ended).toBeUndefined();
    expect(await asking.answer()).toMatchObject({status: 201, body: 'abc', whole: true});
  });

  test.each<[string, string, number, IncomingHttpHeaders]>([
    ['HEAD', 'HEAD', 200, {'content-type': 'application/json', 'content-length': '1234'}],
    ['204', 'DELETE', 204, {}],
    ['304', 'GET', 304, {etag: '"1"'}],
    ['a length of 0', 'GET', 200, {'content-length': '0'}],
  ])('the answer to %s has no body and ends', async (_name, method, code, headers) => {
    const {asking, head, end, ended} = await relaying(protocol, {method});
    head(code, headers);
    end();
    expect(await ended).toBeUndefined();
    expect(await asking.answer()).toMatchObject({status: code, headers, body: '', whole: true});
  });

  test('an interim response does not count as the answer', async () => {
    const {asking, head, data} = await relaying(protocol);
    head(103, {link: '</a>'});
    head(200, {'content-length': '2'});
    data('ok');
    expect(await asking.answer()).toMatchObject({status: 200, body: 'ok'});
  });

  test('a reader that leaves bytes out does so under headers that do not say the length', async () => {
    const shortening: BodyReader = {
      headers: {'content-type': 'text/plain'},
      push: (chunk, emit) => emit(chunk.subarray(0, 1)),
      end: () => {},
    };
    const {asking, head, data, ended} = await relaying(protocol, {openBody: () => shortening});
    head(200, {'content-type': 'text/plain', 'content-length': '6', location: '/4111111111111111'});
    data('abc');
    data('def');
    expect(await ended).toBeUndefined();
    const {headers, ...answer} = await asking.answer();
    expect(answer).toEqual({status: 200, body: 'ad', whole: true});
    expect(headers).not.toHaveProperty('location');
    expect(headers).not.toHaveProperty('content-length');
  });

  test('what the reader holds back goes out before the end', async () => {
    const {asking, head, data, end} = await relaying(protocol, {openBody: delaying});
    head(200, {});
    for (const text of ['a', 'b', 'c']) data(text);
    end();
    expect(await asking.answer()).toMatchObject({body: 'abc', whole: true});
  });

  test('what the reader holds back goes out before the end of a known length', async () => {
    const {asking, head, data} = await relaying(protocol, {openBody: delaying});
    head(200, {'content-length': '3'});
    for (const text of ['a', 'b', 'c']) data(text);
    expect(await asking.answer()).toMatchObject({body: 'abc', whole: true});
  });

  test('a slow client stops the API server, and reading on starts it again', async () => {
    const {asking, head, data, end, controller, ended} = await relaying(protocol);
    head(200, {});
    const chunk = Buffer.alloc(256 * 1024, 'x');
    let sent = 0;
    for (; !controller.told.includes('pause') && sent < 1000; sent++) data(chunk);
    expect(controller.told).toEqual(['pause']);
    const answer = asking.answer();
    await eventually(() => expect(controller.told).toEqual(['pause', 'resume']));
    end();
    expect(await ended).toBeUndefined();
    const {body, whole} = await answer;
    expect({length: body.length, whole}).toEqual({length: sent * chunk.length, whole: true});
  });

  test('what comes in one turn is written in large pieces, also where the reader holds a little of each back', async () => {
    const {asking, response, head, data, end} = await relaying(protocol, {openBody: holdingBack});
    const writes: number[] = [];
    const write = response.write.bind(response) as (bytes: Buffer, written?: () => void) => boolean;
    response.write = ((bytes: Buffer, written?: () => void) => {
      writes.push(bytes.length);
      return write(bytes, written);
    }) as typeof response.write;
    head(200, {});
    for (let sent = 0; sent < 64; sent++) data(Buffer.alloc(16 * 1024, 'x'));
    end();
    expect((await asking.answer()).body).toHaveLength(1024 * 1024);
    expect(writes).toEqual([128 * 1024 - 100, ...Array(7).fill(128 * 1024), 100]);
  });

  test('nothing is left to do at the end of the turn that brings a whole answer', async () => {
    const {asking, head, data} = await relaying(protocol);
    head(200, {'content-length': '3'});
    const schedule = jest.spyOn(globalThis, 'setImmediate');
    try {
      data('abc');
      expect(schedule).not.toHaveBeenCalled();
    } finally {
      schedule.mockRestore();
    }
    expect(await asking.answer()).toMatchObject({body: 'abc', whole: true});
  });

  test('a client that reads along never stops the API server', async () => {
    const {asking, head, data, end, controller} = await relaying(protocol);
    head(200, {});
    data('a');
    data('b');
    end();
    await asking.answer();
    expect(controller.told).toEqual([]);
  });

  test('the head of a call that lasts goes out before its first byte', async () => {
    const codes: number[] = [];
    const {asking, head, relay} = await relaying(protocol, {started: (code) => void codes.push(code)});
    head(200, {'content-type': 'application/json'});
    expect(await asking.head).toMatchObject({status: 200});
    expect(codes).toEqual([200]);
    relay.finish();
  });

  test('a client that goes away cancels the call', async () => {
    const {asking, controller, ended} = await relaying(protocol);
    asking.leave();
    expect(await ended).toBeInstanceOf(ClientGone);
    expect(controller.aborted).toBeInstanceOf(ClientGone);
  });

  test('a client that goes away in the middle of the answer cancels the call', async () => {
    const {asking, head, data, controller, ended} = await relaying(protocol);
    head(200, {});
    data('half');
    await asking.head;
    asking.leave();
    expect(await ended).toBeInstanceOf(ClientGone);
    expect(controller.aborted).toBeInstanceOf(ClientGone);
  });

  test('a client that went away before there was a relay cancels the call too', async () => {
    const {asking, response} = await relaying(protocol);
    asking.leave();
    await new Promise((resolve) => response.once('close', resolve));
    const relay = new Relay(response, () => plain, new OutboxBuffers());
    const controller = new Controller();
    relay.onRequestStart(controller);
    await expect(relay.done).rejects.toThrow(ClientGone);
    expect(controller.aborted).toBeInstanceOf(ClientGone);
  });

  test('a client that goes away once it has the whole answer cancels nothing', async () => {
    const {asking, head, data, controller, ended} = await relaying(protocol);
    head(200, {'content-length': '2'});
    data('ok');
    expect(await ended).toBeUndefined();
    expect(await asking.answer()).toMatchObject({whole: true});
    asking.leave();
    expect(controller.told).toEqual([]);
  });

  test('draining ends a stream cleanly and cancels the call', async () => {
    const {asking, head, data, relay, controller, ended} = await relaying(protocol, {started: () => {}});
    head(200, {});
    data('so far');
    relay.finish();
    expect(await ended).toBeUndefined();
    expect(controller.told).toEqual(['abort']);
    expect(await asking.answer()).toMatchObject({body: 'so far', whole: true});
  });

  test.each([
    ['between two events ends at once', 'application/json', ['{"n":1}\n'], '', '{"n":1}\n'],
    ['in the middle of an event ends behind it', 'application/json', ['{"n"', ':1'], '}\n{"n":2}\n{"n', '{"n":1}\n'],
    ['in the middle of a line of a log ends at once', 'text/plain', ['one\n', 'tw'], '', 'one\ntw'],
  ])('draining %s', async (_name, type, before, after, body) => {
    const of = {openBody: delaying, started: () => {}};
    const {asking, head, data, relay, controller, ended} = await relaying(protocol, of);
    head(200, {'content-type': type});
    for (const text of before) data(text);
    relay.finish();
    if (after !== '') {
      expect(controller.told).toEqual([]);
      data(after);
    }
    data('too late\n');
    expect(await ended).toBeUndefined();
    expect(controller.told).toEqual(['abort']);
    expect(await asking.answer()).toMatchObject({body, whole: true});
  });

  test('draining leaves an answer of known length to its end', async () => {
    const {asking, head, data, relay, ended} = await relaying(protocol, {started: () => {}});
    head(403, {'content-type': 'application/json', 'content-length': '4'});
    data('{}');
    relay.finish();
    data('\n\n');
    expect(await ended).toBeUndefined();
    expect(await asking.answer()).toMatchObject({body: '{}\n\n', whole: true});
  });

  test('a watch that is permitted no longer ends with an event that says why', async () => {
    const of = {openBody: delaying, started: () => {}};
    const {asking, head, data, relay, controller, ended} = await relaying(protocol, of);
    head(200, {'content-type': 'application/json;stream=watch'});
    data('{"n":1}\n');
    relay.end(denied);
    data('{"n":2}\n');
    expect(await ended).toMatchObject({name: 'StreamEnded', refusal: denied});
    expect(controller.told).toEqual(['abort']);
    const {body, whole} = await asking.answer();
    const [first = '', last = '', rest] = body.split('\n');
    expect([first, rest, whole]).toEqual(['{"n":1}', '', true]);
    expect(JSON.parse(last)).toEqual({type: 'ERROR', object: denied.status()});
  });

  test.each([
    ['a watch in the middle of an event', 200, {'content-type': 'application/json'}, '{"n":1}\n{"n'],
    ['a watch in another format', 200, {'content-type': 'application/vnd.kubernetes.protobuf;stream=watch'}, 'k8s'],
    ['a followed log', 200, {'content-type': 'text/plain'}, 'one\n'],
    ['an answer of known length', 200, {'content-type': 'application/json', 'content-length': '40'}, '{}\n'],
  ])('%s that is permitted no longer is left without an end', async (_name, code, headers, sent) => {
    const {head, data, relay, response, controller, ended} = await relaying(protocol, {started: () => {}});
    head(code, headers);
    data(sent);
    relay.end(denied);
    expect(await ended).toMatchObject({name: 'StreamEnded', refusal: denied});
    expect(controller.told).toEqual(['abort']);
    expect(response.writableEnded).toBe(false);
  });

  test('a call that is permitted no longer before it was answered is refused', async () => {
    const {relay, response, controller, ended} = await relaying(protocol, {started: () => {}});
    relay.end(denied);
    expect(await ended).toBe(denied);
    expect(controller.aborted).toBe(denied);
    expect(response.headersSent).toBe(false);
  });

  test('a watch that cannot be masked to its end is left without one', async () => {
    const failing = () => ({
      ...plain,
      end() {
        throw new Error('masking failed');
      },
    });
    const {head, relay, response, ended} = await relaying(protocol, {openBody: failing, started: () => {}});
    head(200, {'content-type': 'application/json'});
    relay.end(denied);
    expect(await ended).toMatchObject({name: 'StreamEnded'});
    expect(response.writableEnded).toBe(false);
  });

  test('an agent that does not read why its watch ended keeps no connection', async () => {
    const {asking, head, data, relay, response} = await relaying(protocol, {started: () => {}});
    head(200, {'content-type': 'application/json'});
    await asking.head;
    for (let sent = 0; sent < 32; sent++) data(`"${'x'.repeat(1024 * 1024)}"\n`);
    relay.end(denied);
    await new Promise((resolve) => response.once('close', resolve));
    expect(await asking.answer()).toMatchObject({whole: false});
  });

  test('draining gives no answer for the API server where it has given none', async () => {
    const {relay, response, controller, ended} = await relaying(protocol);
    relay.finish();
    expect(await ended).toMatchObject({code: 'Draining', httpStatus: 503});
    expect(controller.aborted).toBeDefined();
    expect(response.headersSent).toBe(false);
  });

  test('nothing is written once the relay has settled', async () => {
    const {asking, head, data, end, fail, relay, ended} = await relaying(protocol);
    head(200, {'content-length': '2'});
    data('ok');
    data('more');
    end();
    fail(new Error('late'));
    head(500, {});
    relay.finish();
    expect(await ended).toBeUndefined();
    expect(await asking.answer()).toMatchObject({status: 200, body: 'ok', whole: true});
  });
});

describe('what goes wrong', () => {
  const errno = (code: string) => Object.assign(new Error('upstream'), {code});

  test.each<[string, string, number, Error]>([
    ['a connection refused', 'UpstreamUnavailable', 503, errno('ECONNREFUSED')],
    ['a name that is not known', 'UpstreamUnavailable', 503, errno('ENOTFOUND')],
    ['no answer in time', 'UpstreamTimeout', 504, errno('UND_ERR_HEADERS_TIMEOUT')],
    ['no connection in time', 'UpstreamTimeout', 504, errno('UND_ERR_CONNECT_TIMEOUT')],
    ['an error without a code', 'UpstreamUnavailable', 502, new Error('upstream')],
  ])('%s before the answer is refused with %s and %d', async (_name, code, httpStatus, cause) => {
    const {fail, ended} = await relaying('HTTP/1.1');
    fail(cause);
    expect(await ended).toMatchObject({name: 'Refusal', code, httpStatus, cause});
  });

  test.each(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', 'ERR_HTTP2_STREAM_ERROR'])(
    'a connection that broke before the answer (%s): a read may be sent again, of a write nobody knows',
    async (code) => {
      const read = await relaying('HTTP/1.1', {method: 'GET'});
      read.fail(errno(code));
      expect(await read.ended).toMatchObject({code: 'UpstreamUnavailable', httpStatus: 503, retryAfterSeconds: 1});
      await open?.close();
      const write = await relaying('HTTP/1.1', {method: 'POST', body: '{}'});
      write.fail(errno(code));
      expect(await write.ended).toMatchObject({code: 'UpstreamUnavailable', httpStatus: 502});
      expect(await write.ended).not.toMatchObject({retryAfterSeconds: expect.any(Number)});
    },
  );

  test('pitfall 16: a write that the API server did not take may be sent again: 429, and when', async () => {
    const {fail, ended} = await relaying('HTTP/1.1', {method: 'POST', body: '{}'});
    fail(new NotTaken('refused'));
    expect(await ended).toMatchObject({code: 'UpstreamUnavailable', httpStatus: 429, retryAfterSeconds: 1});
  });

  test('an error in the middle is no Refusal, for the answer has begun', async () => {
    const {asking, response, head, data, fail, ended} = await relaying('HTTP/1.1');
    head(200, {});
    data('half');
    const cause = new Error('cut');
    fail(cause);
    expect(await ended).toBe(cause);
    expect(response.writableEnded).toBe(false);
    asking.leave();
  });

  test('a Refusal of what reads the body comes before the head, and cancels the call', async () => {
    const refusal = new Refusal('MaskingImpossible', 502, 'unreadable');
    const {head, data, end, response, controller, ended} = await relaying('HTTP/1.1', {
      openBody: () => {
        throw refusal;
      },
    });
    head(200, {'content-length': '5'});
    data('4111');
    end();
    expect(await ended).toBe(refusal);
    expect(controller.aborted).toBe(refusal);
    expect(response.headersSent).toBe(false);
  });

  test.each(['push', 'end'] as const)('a reader that throws at %s lets not one byte more through', async (at) => {
    const failure = new Error('cannot be masked');
    const throwing: BodyReader = {
      push(chunk, emit) {
        if (at === 'push' && chunk.includes('2')) throw failure;
        if (!chunk.includes('2')) emit(chunk);
      },
      end: () => {
        throw failure;
      },
    };
    const {asking, response, head, data, end, ended} = await relaying('HTTP/1.1', {openBody: () => throwing});
    head(200, {});
    data('1');
    await asking.head;
    data('2');
    data('3');
    end();
    expect(await ended).toBe(failure);
    response.destroy();
    const {body, whole} = await asking.answer();
    expect(whole).toBe(false);
    expect('13'.startsWith(body)).toBe(true);
    if (at === 'push') expect(body).not.toContain('3');
  });

  test('a reader that throws cancels the call', async () => {
    const {head, data, controller, ended} = await relaying('HTTP/1.1', {
      openBody: () => ({
        push: () => {
          throw new Error('cannot be masked');
        },
        end: () => {},
      }),
    });
    head(200, {'content-length': '1'});
    data('x');
    expect(await ended).toMatchObject({message: 'cannot be masked'});
    expect(controller.aborted).toBeDefined();
  });

  test('a head that cannot be sent is refused', async () => {
    const {head, ended, controller} = await relaying('HTTP/1.1');
    head(200, {'x-bad': 'line\nbreak'});
    expect(await ended).toMatchObject({code: 'UpstreamUnavailable', httpStatus: 502});
    expect(controller.aborted).toBeDefined();
  });
});
