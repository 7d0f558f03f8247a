import type net from 'node:net';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {eventually} from '../../../test/eventually.ts';
import {socketPair} from '../../../test/stream/sockets.ts';
import {RawPeer, type SpdyEnd, spdyEnd} from '../../../test/stream/spdyends.ts';
import * as frames from './frames.ts';
import {HeaderBlockWriter} from './headerblock.ts';

let ours: net.Socket;
let theirs: net.Socket;
beforeEach(async () => {
  [ours, theirs] = await socketPair();
});
afterEach(() => {
  ours.destroy();
  theirs.destroy();
});

function data(streamId: number, fin: boolean, text: string): Buffer {
  return Buffer.concat([frames.dataHeader(streamId, fin, text.length), Buffer.from(text)]);
}

describe('two ends', () => {
  let client: SpdyEnd;
  let server: SpdyEnd;
  const start = (options: Parameters<typeof spdyEnd>[2] = {}) => {
    server = spdyEnd('Server', theirs, options);
    client = spdyEnd('Client', ours);
  };

  test('a stream opens, is taken, carries data both ways and ends one way after the other', async () => {
    start();
    const stdin = client.open('stdin', {port: '80'});
    await eventually(() => expect(stdin.log).toBe('|reply|'));
    const [there] = server.opened;
    expect(there?.stream.headers).toEqual(
      new Map([
        ['streamtype', 'stdin'],
        ['port', '80'],
      ]),
    );
    stdin.stream.write(Buffer.from('typed'));
    stdin.stream.end();
    await eventually(() => expect(there?.log).toBe('typed|end|'));
    there?.stream.write(Buffer.from('answer'));
    there?.stream.end();
    await eventually(() => expect(stdin.log).toBe('|reply|answer|end|'));
  });

  test('a reset ends the stream both ways, and data still on its way is dropped', async () => {
    start();
    const stream = client.open('stdout');
    await eventually(() => expect(stream.log).toBe('|reply|'));
    server.opened[0]?.stream.write(Buffer.from('out'));
    stream.stream.reset(5);
    server.opened[0]?.stream.write(Buffer.from('more'));
    await eventually(() => expect(server.opened[0]?.log).toBe('|reset 5|'));
    client.open('next');
    await eventually(() => expect(server.opened).toHaveLength(2));
    expect([stream.log, client.ended, server.ended]).toEqual(['|reply|', undefined, undefined]);
  });

  test('streams above the bound are refused, and taken again when others have ended', async () => {
    start({maximumStreams: 1});
    const first = client.open('a');
    const second = client.open('b');
    await eventually(() => expect(second.log).toBe('|reset 3|'));
    first.stream.reset(5);
    const third = client.open('c');
    await eventually(() => expect(third.log).toBe('|reply|'));
  });

  test('a reader that is held back congests the writer, and gets all in the end', async () => {
    start();
    const stream = client.open('stdin');
    await eventually(() => expect(stream.log).toBe('|reply|'));
    server.connection.read(false);
    let written = 0;
    for (; !client.connection.congested; written += 64 * 1024) {
      stream.stream.write(Buffer.alloc(64 * 1024, 'x'));
      await new Promise(setImmediate);
    }
    server.connection.read(true);
    await eventually(() => expect(server.opened[0]?.log).toHaveLength(written));
    expect(client.connection.congested).toBe(false);
  });

  test('an end after GOAWAY is a clean one, one without it is not', async () => {
    start();
    client.connection.goAway();
    client.connection.end();
    await eventually(() => expect(server.ended).toBe('GOAWAY'));
    expect(server.connection.peerSaidGoAway).toBe(true);
    server.connection.end();
    await eventually(() => expect(client.ended).toBe('the connection was closed without GOAWAY'));
    await Promise.all([client.connection.closed, server.connection.closed]);
  });

  test('what is called after the end does nothing', async () => {
    start();
    const stream = client.open('stdin');
    await eventually(() => expect(server.opened).toHaveLength(1));
    client.connection.destroy();
    await eventually(() => expect(server.ended).toBeDefined());
    server.connection.destroy();
    for (const {stream: each} of [stream, ...server.opened]) {
      each.write(Buffer.from('late'));
      each.reply();
      each.end();
      each.reset(5);
    }
    server.connection.goAway();
    server.connection.read(true);
    client.open('late');
    await Promise.all([client.connection.closed, server.connection.closed]);
  });

  test('a receiver that throws is told of, and the connection reads on', async () => {
    start({
      onOpened: () => {
        throw new Error('no masking');
      },
    });
    client.open('stdin');
    await eventually(() => expect(server.failure?.message).toBe('no masking'));
  });
});

describe('with a peer that says what it likes', () => {
  let peer: RawPeer;
  let block: (headers?: Map<string, string>) => Buffer;
  beforeEach(() => {
    peer = new RawPeer(theirs);
    const writer = new HeaderBlockWriter();
    block = (headers = new Map()) => writer.write(headers);
  });

  test('what was read behind the handshake comes first', async () => {
    const frame = data(1, false, 'first words');
    const head = Buffer.concat([frames.synStream(1, false, block()), frame.subarray(0, 12)]);
    theirs.write(frame.subarray(12));
    const end = spdyEnd('Server', ours, {head});
    await eventually(() => expect(end.opened.map(({log}) => log)).toEqual(['first words']));
  });

  test('pings are answered, those that are answers are not', async () => {
    spdyEnd('Server', ours);
    theirs.write(Buffer.concat([frames.ping(1), frames.ping(2), frames.ping(2 ** 32 - 1)]));
    await eventually(() =>
      expect(peer.of('Ping')).toEqual([
        {type: 'Ping', id: 1},
        {type: 'Ping', id: 2 ** 32 - 1},
      ]),
    );
  });

  test.each([
    ['Server', [2, 4]],
    ['Client', [1, 3]],
  ] as const)('an idle %s pings at its interval', async (role, ids) => {
    spdyEnd(role, ours, {pingIntervalMilliseconds: 10});
    await eventually(() => expect(peer.of('Ping').slice(0, 2)).toEqual(ids.map((id) => ({type: 'Ping', id}))));
  });

  test('no ping goes to a peer that is sending', async () => {
    spdyEnd('Server', ours, {pingIntervalMilliseconds: 300});
    theirs.write(frames.synStream(1, false, block()));
    for (let sent = 0; sent < 50; sent++) {
      theirs.write(data(1, false, 'typed'));
      await tick();
    }
    expect(peer.of('Ping')).toEqual([]);
  });

  test('no data waits for a window until the peer shows that it has some', async () => {
    const end = spdyEnd('Server', ours);
    theirs.write(frames.synStream(1, false, block()));
    await eventually(() => expect(end.opened).toHaveLength(1));
    const received = () => (peer.of('Data') as {text: string}[]).reduce((sum, {text}) => sum + text.length, 0);
    end.opened[0]?.stream.write(Buffer.alloc(100_000));
    await eventually(() => expect(received()).toBe(100_000));

    theirs.write(frames.windowUpdate(1, 50_000));
    theirs.write(frames.ping(1));
    await eventually(() => expect(peer.of('Ping')).toHaveLength(1));
    end.opened[0]?.stream.write(Buffer.alloc(300_000));
    end.opened[0]?.stream.end();
    await eventually(() => expect(received()).toBe(65_536 + 50_000));
    expect(end.connection.congested).toBe(true);

    theirs.write(frames.settings(frames.initialWindowSetting, 65_536 + 10_000));
    await eventually(() => expect(received()).toBe(65_536 + 60_000));
    theirs.write(frames.windowUpdate(1, 1_000_000));
    await eventually(() => expect(received()).toBe(400_000));
    expect(peer.of('Data').at(-1)).toMatchObject({fin: true});
    expect(end.connection.congested).toBe(false);
  });

  test('what waited for a window goes with its stream', async () => {
    const end = spdyEnd('Server', ours);
    theirs.write(Buffer.concat([frames.synStream(1, false, block()), frames.windowUpdate(1, 1)]));
    await eventually(() => expect(end.opened).toHaveLength(1));
    end.opened[0]?.stream.write(Buffer.alloc(1_000_000));
    expect(end.connection.congested).toBe(true);
    theirs.write(frames.rstStream(1, 5));
    await eventually(() => expect(end.opened[0]?.log).toBe('|reset 5|'));
    await eventually(() => expect(end.connection.congested).toBe(false));
  });

  test.each([
    ['the number of an open stream, which ends too', 3, '|reset 1|'],
    ['a lower number', 1, ''],
    ['a number of ours', 2, ''],
  ])('pitfall 18: a stream is refused that has %s', async (_name, streamId, log) => {
    const end = spdyEnd('Server', ours);
    theirs.write(Buffer.concat([frames.synStream(3, false, block()), frames.synStream(streamId, false, block())]));
    await eventually(() => expect(peer.of('RstStream')).toEqual([{type: 'RstStream', streamId, status: 1}]));
    expect(end.opened.map((tap) => tap.log)).toEqual([log]);
    expect(end.ended).toBeUndefined();
  });

  test.each([
    ['refused for one that was never opened', 5, [{type: 'RstStream', streamId: 5, status: 2}]],
    ['refused for one of ours that was never opened', 2, [{type: 'RstStream', streamId: 2, status: 2}]],
    ['dropped for one that has ended', 1, []],
  ])('data for an unknown stream is %s', async (_name, streamId, resets) => {
    const end = spdyEnd('Server', ours, {onOpened: ({stream}) => stream.end()});
    theirs.write(Buffer.concat([frames.synStream(1, true, block()), data(streamId, false, 'late'), frames.ping(1)]));
    await eventually(() => expect(peer.of('Ping')).toHaveLength(1));
    expect(peer.of('RstStream')).toEqual(resets);
    expect(end.ended).toBeUndefined();
  });

  test('frames for streams that are not there do nothing', async () => {
    const end = spdyEnd('Server', ours);
    const headers = frames.controlFrame(frames.frameType.headers, 1, Buffer.from([0, 0, 0, 9]), block());
    const reply = frames.synReply(9, block());
    theirs.write(Buffer.concat([frames.rstStream(9, 5), headers, reply, frames.windowUpdate(9, 1), frames.ping(1)]));
    await eventually(() => expect(peer.of('Ping')).toHaveLength(1));
    expect(end.ended).toBeUndefined();
  });

  test('header blocks of frames that are refused or ignored count for those after them', async () => {
    const end = spdyEnd('Server', ours);
    const named = (value: string) => block(new Map([['streamtype', `a value that repeats: ${value}`]]));
    const unidirectional = frames.controlFrame(frames.frameType.synStream, 2, Buffer.alloc(10, 1), named('a'));
    const headers = frames.controlFrame(frames.frameType.headers, 0, Buffer.from([0, 0, 0, 9]), named('b'));
    theirs.write(Buffer.concat([unidirectional, headers, frames.synStream(0x01010103, false, named('c'))]));
    await eventually(() => expect(end.opened.map(({type}) => type)).toEqual(['a value that repeats: c']));
    expect(peer.of('RstStream')).toEqual([{type: 'RstStream', streamId: 0x01010101, status: 3}]);
  });

  test.each([
    ['data before the reply', (end: SpdyEnd) => [end.open('a'), data(1, false, 'early')] as const, '|reset 1|'],
    [
      'a second reply',
      (end: SpdyEnd) =>
        [end.open('a'), Buffer.concat([frames.synReply(1, block()), frames.synReply(1, block())])] as const,
      '|reply||reset 1|',
    ],
  ])('%s ends the stream alone', async (_name, act, log) => {
    const end = spdyEnd('Client', ours);
    const [tap, bytes] = act(end);
    theirs.write(bytes);
    await eventually(() => expect(tap.log).toBe(log));
    await eventually(() => expect(peer.of('RstStream')).toEqual([{type: 'RstStream', streamId: 1, status: 1}]));
    expect(end.ended).toBeUndefined();
  });

  test('data after the end of a stream is dropped', async () => {
    const end = spdyEnd('Server', ours);
    theirs.write(Buffer.concat([frames.synStream(1, false, block()), data(1, true, 'a'), data(1, true, 'b')]));
    theirs.write(frames.ping(1));
    await eventually(() => expect(peer.of('Ping')).toHaveLength(1));
    expect(end.opened.map(({log}) => log)).toEqual(['a|end|']);
  });

  test('what cannot be read ends the connection with GOAWAY', async () => {
    const end = spdyEnd('Server', ours);
    theirs.write(
      Buffer.concat([frames.synStream(1, false, Buffer.from('no block')), frames.synStream(3, false, block())]),
    );
    await eventually(() => expect(end.ended).toMatch('cannot be inflated'));
    await eventually(() => expect(peer.of('GoAway')).toEqual([{type: 'GoAway', lastGoodStreamId: 0, status: 1}]));
    expect(end.opened).toEqual([]);
  });

  test('a peer that makes us answer and reads nothing is cut off', async () => {
    const end = spdyEnd('Server', ours);
    theirs.pause();
    const pings = Buffer.concat(Array.from({length: 5000}, () => frames.ping(1)));
    while (end.ended === undefined) if (!theirs.write(pings)) await tick();
    expect(end.ended).toMatch('reads none of the answers');
    expect(ours.writableLength).toBeLessThan(9 * 1024 * 1024);
  });
});

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}
