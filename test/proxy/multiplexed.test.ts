import {once} from 'node:events';
import * as http2 from 'node:http2';
import {Readable} from 'node:stream';
import {afterEach, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {multiplexedTransport} from '../../proxy/forward/multiplexed.ts';
import type {Transport, UpstreamRequest, UpstreamTarget} from '../../proxy/forward/transport.ts';
import {eventually} from '../eventually.ts';
import {data, endStream, type Frame, frameUpstream, goaway, reset, statusOK} from './frames.ts';
import {
  type Http2Upstream,
  http2Upstream,
  loopbackCertificate,
  type OnStream,
  type Presented,
  Received,
  wireTo,
} from './upstream.ts';

let presented: Presented;
beforeAll(async () => {
  presented = await loopbackCertificate();
});

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Node's own errors are of another realm than the test's. */
const anError = {message: expect.any(String), stack: expect.any(String)};

/** An API server that the test plays, and the transport to it. */
async function world(onStream: OnStream, settings?: http2.Settings) {
  const upstream = await http2Upstream(presented, onStream, settings);
  closing.push(() => upstream.close());
  return {upstream, ...transportTo(upstream.target)};
}

function transportTo(target: UpstreamTarget) {
  const transport: Transport = multiplexedTransport(target, () => 0);
  /** Sends and gives what comes of it. */
  const call = (differing: Partial<UpstreamRequest> = {}, received = new Received()): Received => {
    const path = '/api/v1/pods?watch=true';
    transport.send({method: 'GET', path, headers: [], body: undefined, ...differing}, received);
    return received;
  };
  return {transport, call};
}

/** Begins an answer that goes on until somebody ends it. */
const beginWatch: OnStream = (stream) => {
  stream.respond({':status': 200, 'content-type': 'application/json'});
  stream.write('first\n');
};

/** Lets the API server end its connections, so that those of the transport are gone too. */
async function connectionsEnd(upstream: Http2Upstream) {
  await Promise.all(upstream.sessions.map((session) => session.destroyed || once(session, 'close')));
}

test('a call arrives as it was sent, and its answer comes back', async () => {
  const seen = Promise.withResolvers<http2.IncomingHttpHeaders>();
  const {call, upstream} = await world((stream, headers) => {
    seen.resolve(headers);
    stream.respond({':status': 404, 'content-type': 'application/json', 'audit-id': 'a-1'});
    stream.end('{"kind":"Status"}');
  });
  const received = call({
    method: 'GET',
    path: '/api/v1/watch/pods?x=%2F',
    headers: ['impersonate-user', 'agent:a', 'impersonate-group', 'one', 'impersonate-group', 'two'],
  });
  expect(await received.ended).toBeUndefined();
  expect(await received.started).toMatchObject({status: 404, headers: {'audit-id': 'a-1'}});
  expect(received.body).toBe('{"kind":"Status"}');
  expect(received.events).toEqual(['requestStart', 'start', 'end']);
  expect(await seen.promise).toMatchObject({
    ':method': 'GET',
    ':path': '/api/v1/watch/pods?x=%2F',
    ':authority': new URL(upstream.target.origin).host,
    'impersonate-user': 'agent:a',
    'impersonate-group': 'one, two',
  });
});

test('names in UTF-8 arrive byte for byte', async () => {
  const seen = Promise.withResolvers<http2.IncomingHttpHeaders>();
  const {call} = await world((stream, headers) => {
    seen.resolve(headers);
    stream.respond();
    stream.end();
  });
  await call({headers: ['impersonate-user', Buffer.from('agent:Jürgen 日本').toString('latin1')]}).ended;
  const user = (await seen.promise)['impersonate-user'] as string;
  expect(Buffer.from(user, 'latin1').toString()).toBe('agent:Jürgen 日本');
});

test.each([
  ['a buffer', () => Buffer.from('the body')],
  ['a stream', () => Readable.from([Buffer.from('the '), Buffer.from('body')])],
])('%s is sent as the body', async (_name, body) => {
  const {call} = await world((stream) => {
    stream.respond();
    stream.pipe(stream);
  });
  const received = call({method: 'POST', body: body()});
  expect(await received.ended).toBeUndefined();
  expect(received.body).toBe('the body');
});

describe('connections', () => {
  test('many streams share one', async () => {
    const {call, upstream} = await world(beginWatch);
    const received = Array.from({length: 50}, () => call());
    await Promise.all(received.map(({started}) => started));
    expect(upstream.sessions).toHaveLength(1);
  });

  test('pitfall 31: every call starts where there are more than one connection takes', async () => {
    const {call, upstream} = await world(beginWatch, {maxConcurrentStreams: 4});
    // The first tells how many streams the server allows.
    await call().started;
    const received = Array.from({length: 9}, () => call());
    await Promise.all(received.map(({started}) => started));
    expect(upstream.sessions.length).toBeGreaterThanOrEqual(3);
  });

  test('calls that come before the server said how many streams it allows start too', async () => {
    const {call} = await world(beginWatch, {maxConcurrentStreams: 4});
    const received = Array.from({length: 9}, () => call());
    await Promise.all(received.map(({started}) => started));
  });

  test('a stream that ended makes room on its connection', async () => {
    const streams: http2.ServerHttp2Stream[] = [];
    const {call, upstream} = await world(
      (stream, headers) => {
        streams.push(stream);
        beginWatch(stream, headers);
      },
      {maxConcurrentStreams: 2},
    );
    const first = call();
    await first.started;
    await call().started;
    streams[0]?.end();
    await first.ended;
    await call().started;
    expect(upstream.sessions).toHaveLength(1);
  });

  test('one that the server is about to close takes no further call, and those on it end in peace', async () => {
    const streams: http2.ServerHttp2Stream[] = [];
    const {call, upstream} = await world((stream) => {
      streams.push(stream);
      beginWatch(stream, {});
    });
    const before = call();
    await before.started;
    upstream.sessions[0]?.goaway(http2.constants.NGHTTP2_NO_ERROR);
    const after = await eventually(async () => {
      const received = call();
      await received.started;
      expect(upstream.sessions).toHaveLength(2);
      return received;
    });
    streams[0]?.end('last\n');
    expect(await before.ended).toBeUndefined();
    expect(before.body).toBe('first\nlast\n');
    after.controller.abort(new Error('enough'));
  });

  test('a server that cannot be reached is an error with its code, and never a crash', async () => {
    const upstream = await http2Upstream(presented, beginWatch);
    await upstream.close();
    const {call} = transportTo(upstream.target);
    const received = [call(), call()];
    received[1]?.controller.abort(new Error('left at once'));
    expect(await Promise.all(received.map(({ended}) => ended))).toMatchObject([
      {code: 'ECONNREFUSED'},
      {message: 'left at once'},
    ]);
    expect(await call().ended).toMatchObject({code: 'ECONNREFUSED'});
  });

  test('a server that nobody vouches for gets no call', async () => {
    let streams = 0;
    const upstream = await http2Upstream(presented, () => void streams++);
    closing.push(() => upstream.close());
    const other = await loopbackCertificate();
    const {call} = transportTo({...upstream.target, tls: {ca: other.ca}});
    expect(await call().ended).toMatchObject(anError);
    expect(streams).toBe(0);
  });

  test('closing waits for what is under way', async () => {
    let stream: http2.ServerHttp2Stream | undefined;
    const {transport, call} = await world((opened) => {
      stream = opened;
      beginWatch(opened, {});
    });
    const received = call();
    await received.started;
    const closed = transport.close();
    stream?.end();
    expect(await received.ended).toBeUndefined();
    await closed;
  });
});

describe('an answer that breaks off is an error, not an end', () => {
  test.each<[string, (stream: http2.ServerHttp2Stream) => void]>([
    // `close` would end the stream cleanly whatever the code.
    ['the stream is reset', (stream) => stream.destroy(new Error('broken'))],
    ['the stream is cancelled', (stream) => stream.destroy(Object.assign(new Error('off'), {name: 'AbortError'}))],
    ['the connection breaks', (stream) => stream.session?.destroy()],
    ['the socket breaks', (stream) => stream.session?.socket.destroy()],
    ['the connection ends in an error', (stream) => stream.session?.goaway(http2.constants.NGHTTP2_PROTOCOL_ERROR)],
  ])('when %s', async (_name, cut) => {
    const streams: http2.ServerHttp2Stream[] = [];
    const {call} = await world((stream) => {
      streams.push(stream);
      beginWatch(stream, {});
    });
    const received = call();
    await eventually(() => expect(received.body).toBe('first\n'));
    for (const stream of streams) cut(stream);
    expect(await received.ended).toMatchObject(anError);
    expect(received.events).toEqual(['requestStart', 'start', 'error']);
  });

  test('when it comes before the head', async () => {
    const {call} = await world((stream) => stream.destroy(new Error('broken')));
    const received = call();
    expect(await received.ended).toMatchObject(anError);
    expect(received.events).toEqual(['requestStart', 'error']);
  });

  test('when it is shorter than it said', async () => {
    const {call} = await world((stream) => {
      stream.respond({':status': 200, 'content-length': '10'});
      stream.end('half');
    });
    expect(await call().ended).toMatchObject(anError);
  });
});

describe('frames that no well-behaved server sends in this order', () => {
  test.each<[string, Frame[], string | undefined]>([
    ['an end', [data(1, 'last', endStream)], undefined],
    ['an end, and a reset that asks for no more of the request', [data(1, 'last', endStream), reset(1, 0)], undefined],
    ['a reset without an error', [reset(1, 0)], 'ended early (HTTP/2 code 0)'],
    ['more, and at once a reset without an error', [data(1, 'last'), reset(1, 0)], 'ended early (HTTP/2 code 0)'],
  ])('an answer that goes on with %s is whole or not', async (_name, frames, error) => {
    const upstream = await frameUpstream(presented, (send) => {
      send(statusOK(1), data(1, 'first'));
      setTimeout(() => send(...frames), 20);
    });
    closing.push(() => upstream.close());
    for (const slow of [false, true]) {
      const {call} = transportTo(upstream.target);
      const received = call({}, slow ? new Stopped() : new Received());
      await received.started;
      if (slow) setTimeout(() => received.controller.resume(), 100);
      const ended = await received.ended;
      if (error === undefined) expect(ended).toBeUndefined();
      else expect(ended).toMatchObject({message: expect.stringContaining(error)});
    }
  });

  const unseen = goaway(0, http2.constants.NGHTTP2_NO_ERROR);

  test('a call that the server says goodbye to unseen is sent again on another connection', async () => {
    const upstream = await frameUpstream(presented, (send, stream, connection) => {
      if (connection === 1) send(unseen);
      else send(statusOK(stream), data(stream, 'seen', endStream));
    });
    closing.push(() => upstream.close());
    const received = transportTo(upstream.target).call();
    expect(await received.ended).toBeUndefined();
    expect([received.body, upstream.connections()]).toEqual(['seen', 2]);
  });

  test('a call that the server has begun to answer goes on behind its goodbye', async () => {
    const upstream = await frameUpstream(presented, (send, stream) => {
      send(statusOK(stream), data(stream, 'first'), goaway(stream, http2.constants.NGHTTP2_NO_ERROR));
      setTimeout(() => send(data(stream, ' last', endStream)), 50);
    });
    closing.push(() => upstream.close());
    const received = transportTo(upstream.target).call();
    expect(await received.ended).toBeUndefined();
    expect(received.body).toBe('first last');
  });

  test('pitfall 16: a call whose body is gone is not sent again, but known not to be taken', async () => {
    const upstream = await frameUpstream(presented, (send) => send(unseen));
    closing.push(() => upstream.close());
    const received = transportTo(upstream.target).call({method: 'POST', body: Readable.from([Buffer.from('body')])});
    expect(await received.ended).toMatchObject({code: 'NotTaken'});
    expect(upstream.connections()).toBe(1);
  });

  test('a server that takes no call at all is asked three times', async () => {
    const upstream = await frameUpstream(presented, (send) => send(unseen));
    closing.push(() => upstream.close());
    expect(await transportTo(upstream.target).call().ended).toMatchObject({code: 'NotTaken'});
    expect(upstream.connections()).toBe(3);
  });
});

describe('a call that is given up', () => {
  test('is reset upstream, and told once', async () => {
    const reset = Promise.withResolvers<number | undefined>();
    const {call} = await world((stream) => {
      stream.once('close', () => reset.resolve(stream.rstCode));
      beginWatch(stream, {});
    });
    const received = call();
    await received.started;
    const gone = new Error('the agent went away');
    received.controller.abort(gone);
    expect(await received.ended).toBe(gone);
    expect(await reset.promise).toBe(http2.constants.NGHTTP2_CANCEL);
    expect(received.events).toEqual(['requestStart', 'start', 'error']);
  });

  test('as it begins is not sent', async () => {
    let streams = 0;
    const {call, upstream} = await world((stream) => {
      streams++;
      beginWatch(stream, {});
    });
    const gone = new Error('the agent went away');
    expect(await call({}, new Received((controller) => controller.abort(gone))).ended).toBe(gone);
    await call().started;
    expect({streams, connections: upstream.sessions.length}).toEqual({streams: 1, connections: 1});
  });

  test('while it waits for its reader leaves its place to another', async () => {
    const streams: http2.ServerHttp2Stream[] = [];
    const {call, upstream} = await world(
      (stream) => {
        streams.push(stream);
        stream.respond();
        stream.write(Buffer.alloc(1024 * 1024, 'x'));
      },
      {maxConcurrentStreams: 1},
    );
    for (let round = 0; round < 3; round++) {
      const received = call({}, new Stopped());
      await received.started;
      received.controller.abort(new Error('the agent went away'));
      await eventually(() => expect(streams[round]?.closed).toBe(true));
    }
    expect(upstream.sessions).toHaveLength(1);
  });
});

/** An agent that takes the head of the answer and no more, until somebody resumes it. */
class Stopped extends Received {
  override onResponseStart(...started: Parameters<Received['onResponseStart']>): void {
    super.onResponseStart(...started);
    this.controller.pause();
  }
}

test('a slow reader does not hold up the other streams of its connection', async () => {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const {call, upstream} = await world((stream, headers) => {
    stream.respond({':status': 200});
    if (headers[':path'] === '/endless') {
      const more = () => {
        if (!stream.destroyed) stream.write(chunk, () => setImmediate(more));
      };
      more();
    } else {
      stream.end(Buffer.concat(Array.from({length: 32}, () => chunk)));
    }
  });
  const slow = Array.from({length: 8}, () => call({path: '/endless'}, new Stopped()));
  await Promise.all(slow.map(({started}) => started));
  const quick = call({path: '/large'});
  expect(await quick.ended).toBeUndefined();
  expect(quick.bytes).toBe(32 * chunk.length);
  expect(upstream.sessions).toHaveLength(1);
  const before = slow[0]?.bytes ?? 0;
  expect(before).toBeLessThan(4 * chunk.length);
  slow[0]?.controller.resume();
  await eventually(() => expect(slow[0]?.bytes).toBeGreaterThan(before + 4 * chunk.length));
  for (const {controller} of slow) controller.abort(new Error('enough'));
});

describe('a connection on which nothing comes', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test.each([
    ['', false],
    [', also one that takes no further calls', true],
  ])(
    'pitfall 22: is given up within 45 s when its peer does not answer a ping, and its streams with it%s',
    async (_which, going) => {
      const upstream = await http2Upstream(presented, beginWatch);
      closing.push(() => upstream.close());
      const wire = await wireTo(upstream.target);
      closing.push(() => wire.close());
      jest.useFakeTimers({doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date']});
      const {call} = transportTo({...upstream.target, origin: wire.origin});
      const received = call();
      await received.started;
      if (going) {
        upstream.sessions[0]?.goaway(http2.constants.NGHTTP2_NO_ERROR);
        await eventually(async () => {
          await call().started;
          expect(upstream.sessions).toHaveLength(2);
        });
      }
      wire.silence();
      jest.advanceTimersByTime(45_000);
      expect(await received.ended).toMatchObject({message: expect.stringContaining('ping')});
    },
  );

  test('pitfall 19: is kept for as long as its peer answers pings', async () => {
    const upstream = await http2Upstream(presented, beginWatch);
    closing.push(() => upstream.close());
    jest.useFakeTimers({doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date']});
    const {call} = transportTo(upstream.target);
    const received = call();
    await received.started;
    for (let minute = 0; minute < 5; minute++) {
      const pinged = once(upstream.sessions[0] as http2.ServerHttp2Session, 'ping');
      jest.advanceTimersByTime(30_000);
      await pinged;
      // The answer travels back.
      await call({path: '/other'}).started;
    }
    expect(received.events).toEqual(['requestStart', 'start']);
    received.controller.abort(new Error('enough'));
  });

  test('is closed when it carried nothing for a while', async () => {
    let now = 0;
    const upstream = await http2Upstream(presented, (stream) => {
      stream.respond();
      stream.end();
    });
    closing.push(() => upstream.close());
    jest.useFakeTimers({doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date']});
    const transport = multiplexedTransport(upstream.target, () => now);
    const received = new Received();
    transport.send({method: 'GET', path: '/', headers: [], body: undefined}, received);
    await received.ended;
    now = 120_000;
    jest.advanceTimersByTime(60_000);
    await connectionsEnd(upstream);
  });
});
