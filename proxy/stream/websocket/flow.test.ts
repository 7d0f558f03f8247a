import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, afterEach, beforeAll, describe, expect, test} from '@jest/globals';
import type {WebSocket} from 'ws';
import {failure} from '../../../core/status.ts';
import {eventually} from '../../../test/eventually.ts';
import {Loopback, Peer, PlayedCommand} from '../../../test/proxy/websockets.ts';
import type {StreamRelay} from '../session.ts';
import {relayCommandOverWebSocket} from './commandrelay.ts';
import {type ChannelProtocol, commandProtocols} from './protocols.ts';

const v5 = commandProtocols.get('v5.channel.k8s.io') as ChannelProtocol;
const mebibyte = 1024 * 1024;
const messageBytes = 32 * 1024;
/** What the kernel takes of three connections in one direction, and what the relay lets wait. */
const boundBytes = 40 * mebibyte;

let loopback: Loopback;
beforeAll(async () => {
  loopback = await Loopback.start();
});
afterAll(() => loopback.close());

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});

async function world(pingMilliseconds = 30_000) {
  const agentSide = await loopback.connect('server');
  const upstreamSide = await loopback.connect('client');
  const agent = new Peer(agentSide.client);
  const upstream = new Peer(upstreamSide.server);
  agent.keeps = false;
  upstream.keeps = false;
  const session = new PlayedCommand();
  const sides = {agent: agentSide.server, upstream: upstreamSide.client};
  const relay: StreamRelay = relayCommandOverWebSocket({
    ...sides,
    protocol: v5,
    session,
    pingMilliseconds,
    stdin: true,
  });
  ending.push(() => {
    agent.socket.terminate();
    upstream.socket.terminate();
    return relay.done;
  });
  return {agent, upstream, session, relay, sides};
}

/** Sends until so many bytes are on their way, as fast as they are taken. */
function pump(socket: WebSocket, channel: number, totalBytes: number) {
  const progress = {bytes: 0, done: Promise.resolve()};
  const message = Buffer.alloc(messageBytes, channel);
  progress.done = (async () => {
    while (progress.bytes < totalBytes) {
      await new Promise<void>((resolve) => socket.send(message, () => resolve()));
      progress.bytes += messageBytes;
    }
  })();
  return progress;
}

/** The number once it no longer changes. */
async function settled(value: () => number): Promise<number> {
  for (let before = -1; before !== value(); ) {
    before = value();
    await sleep(200);
  }
  return value();
}

test('much flows both ways at once in little memory', async () => {
  const {agent, upstream, session, sides} = await world();
  const totalBytes = 200 * mebibyte;
  let waiting = 0;
  const watch = setInterval(() => {
    waiting = Math.max(waiting, sides.agent.bufferedAmount, sides.upstream.bufferedAmount);
  }, 1);
  const up = pump(agent.socket, 0, totalBytes);
  const down = pump(upstream.socket, 1, totalBytes);
  await Promise.all([up.done, down.done]);
  await eventually(() => expect([agent.bytes, upstream.bytes]).toEqual([totalBytes, totalBytes]));
  clearInterval(watch);
  expect(session.stdinBytes).toBe(totalBytes - totalBytes / messageBytes);
  expect(waiting).toBeLessThan(2 * mebibyte);
}, 60_000);

describe('one that does not read is waited for', () => {
  const totalBytes = 2 * boundBytes;

  test('the agent', async () => {
    const {agent, upstream, sides} = await world();
    agent.socket.pause();
    const down = pump(upstream.socket, 1, totalBytes);
    expect(await settled(() => down.bytes)).toBeLessThan(boundBytes);
    expect(sides.agent.bufferedAmount).toBeLessThan(2 * mebibyte);
    agent.socket.resume();
    await down.done;
    await eventually(() => expect(agent.bytes).toBe(totalBytes));
  }, 30_000);

  test('the API server', async () => {
    const {agent, upstream, sides} = await world();
    upstream.socket.pause();
    const up = pump(agent.socket, 0, totalBytes);
    expect(await settled(() => up.bytes)).toBeLessThan(boundBytes);
    expect(sides.upstream.bufferedAmount).toBeLessThan(2 * mebibyte);
    upstream.socket.resume();
    await up.done;
    await eventually(() => expect(upstream.bytes).toBe(totalBytes));
  }, 30_000);

  test('the session, by both sides', async () => {
    const {agent, upstream, session} = await world();
    session.congested = true;
    const down = pump(upstream.socket, 1, totalBytes);
    const up = pump(agent.socket, 0, totalBytes);
    expect(await settled(() => down.bytes + up.bytes)).toBeLessThan(2 * boundBytes);
    // What was read together with the message that found it congested.
    expect(agent.bytes).toBeLessThan(mebibyte);
    session.congested = false;
    session.onDrain();
    await Promise.all([down.done, up.done]);
    await eventually(() => expect([agent.bytes, upstream.bytes]).toEqual([totalBytes, totalBytes]));
  }, 30_000);
});

test('a slow agent reads all of a command that has ended, and then its end', async () => {
  const {agent, upstream, relay} = await world();
  agent.socket.pause();
  const totalBytes = 8 * mebibyte;
  const down = pump(upstream.socket, 1, totalBytes);
  await down.done;
  upstream.socket.close(1000);
  await sleep(500);
  agent.socket.resume();
  expect(await agent.closed).toBe(1000);
  expect(agent.bytes).toBe(totalBytes);
  expect(await relay.done).toEqual({by: 'Upstream'});
});

test('an agent that does not read is cut off when the stream is ended', async () => {
  const {agent, upstream, relay} = await world();
  agent.socket.pause();
  pump(upstream.socket, 1, boundBytes);
  await sleep(200);
  relay.end(failure(403, 'revoked'));
  expect(await relay.done).toEqual({by: 'Proxy'});
});

test('what the agent sent before it closed reaches an API server that reads slowly', async () => {
  const {agent, upstream} = await world();
  upstream.socket.pause();
  const totalBytes = 8 * mebibyte;
  await pump(agent.socket, 0, totalBytes).done;
  agent.socket.close(1000);
  await sleep(500);
  upstream.socket.resume();
  expect(await upstream.closed).toBe(1000);
  expect(upstream.bytes).toBe(totalBytes);
});

describe('pings', () => {
  test('go to both sides', async () => {
    const {agent, upstream} = await world(20);
    await eventually(() => expect(Math.min(agent.pings, upstream.pings)).toBeGreaterThan(3));
  });

  test('are answered', async () => {
    const {agent, upstream} = await world();
    agent.socket.ping('a');
    upstream.socket.ping('b');
    await eventually(() => expect([agent.pongs, upstream.pongs]).toEqual([1, 1]));
  });

  test('that nobody answers end nothing', async () => {
    const {agent, upstream, sides} = await world(20);
    agent.socket.pause();
    upstream.socket.pause();
    await sleep(500);
    expect([sides.agent.readyState, sides.upstream.readyState]).toEqual([1, 1]);
    agent.socket.resume();
    await eventually(() => expect(agent.pings).toBeGreaterThan(0));
  });

  test('go to nobody who sends, or whom nobody reads', async () => {
    // A server that closes with a ping unread resets its connection, and takes back what it sent last.
    const {agent, upstream, session} = await world(100);
    const sending = setInterval(() => upstream.socket.send(Buffer.of(1, 65)), 10);
    await eventually(() => expect(agent.pings).toBeGreaterThan(2));
    expect(upstream.pings).toBe(0);
    session.congested = true;
    session.onDrain();
    clearInterval(sending);
    await sleep(500);
    expect(upstream.pings).toBe(0);
  });

  test('of a peer that does not read cost nothing', async () => {
    const {agent, upstream, sides} = await world();
    agent.socket.pause();
    const down = pump(upstream.socket, 1, 2 * boundBytes);
    await settled(() => down.bytes);
    const before = sides.agent.bufferedAmount;
    for (let i = 0; i < 1000; i++) agent.socket.ping('x'.repeat(100));
    await sleep(300);
    expect(sides.agent.readyState).toBe(1);
    expect(sides.agent.bufferedAmount - before).toBeLessThan(1000);
  });
});
