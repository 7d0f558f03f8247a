import {once} from 'node:events';
import type {Duplex} from 'node:stream';
import {buffer} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, afterEach, beforeAll, describe, expect, test} from '@jest/globals';
import {eventually} from '../../../test/eventually.ts';
import {Loopback, Peer} from '../../../test/proxy/websockets.ts';
import {webSocketDuplex} from './duplex.ts';

const mebibyte = 1024 * 1024;

let loopback: Loopback;
beforeAll(async () => {
  loopback = await Loopback.start();
});
afterAll(() => loopback.close());

const open: {peer: Peer; duplex: Duplex}[] = [];
afterEach(() => {
  for (const {peer, duplex} of open.splice(0)) {
    duplex.destroy();
    peer.socket.terminate();
  }
});

/** A duplex over one end, and the other end. */
async function world(end: 'server' | 'client' = 'server', pingMilliseconds = 30_000) {
  const connection = await loopback.connect(end);
  const duplex = webSocketDuplex(connection[end], pingMilliseconds);
  const peer = new Peer(connection[end === 'server' ? 'client' : 'server']);
  duplex.on('error', () => {});
  open.push({peer, duplex});
  return {duplex, peer, socket: connection[end]};
}

test.each(['server', 'client'] as const)('bytes pass both ways on the %s, in any messages', async (end) => {
  const {duplex, peer} = await world(end);
  for (const part of ['a', '', 'bc', 'd']) peer.socket.send(Buffer.from(part));
  peer.socket.close(1000);
  expect(String(await buffer(duplex))).toBe('abcd');

  const other = await world(end);
  for (const part of ['a', 'bc', 'd']) other.duplex.write(part);
  other.duplex.end('e');
  other.duplex.resume();
  expect(await other.peer.closed).toBe(1000);
  expect(other.peer.messages.map(({data}) => String(data)).join('')).toBe('abcde');
  expect(other.peer.messages.every(({isBinary}) => isBinary)).toBe(true);
});

describe('the end', () => {
  test.each([
    ['as it should', 1000],
    ['without a code', undefined],
    ['going away', 1001],
  ])('of a peer that closes %s is the end of the stream', async (_, code) => {
    const {duplex, peer} = await world();
    peer.socket.send(Buffer.from('last'));
    peer.socket.close(code);
    expect(String(await buffer(duplex))).toBe('last');
    await eventually(() => expect(duplex.closed).toBe(true));
    expect(duplex.errored).toBeNull();
  });

  test.each([
    ['with an error', (peer: Peer) => peer.socket.close(1011), '1011'],
    ['without a word', (peer: Peer) => peer.socket.terminate(), 'broke off'],
    ['with text', (peer: Peer) => peer.socket.send('text'), 'text'],
    ['with a message past the bound', (peer: Peer) => peer.socket.send(Buffer.alloc(5 * mebibyte)), 'payload'],
  ])('of a peer %s is an error', async (_, end, message) => {
    const {duplex, peer} = await world();
    duplex.resume();
    end(peer);
    await eventually(() => expect(duplex.closed).toBe(true));
    expect(duplex.errored).toMatchObject({message: expect.stringContaining(message)});
    expect(duplex.readableEnded).toBe(false);
    await peer.closed;
  });

  test('by destroy is at once', async () => {
    const {duplex, peer} = await world();
    duplex.destroy();
    expect(await peer.closed).toBe(1006);
  });

  test('was there already', async () => {
    const {server} = await loopback.connect('server');
    const {closed} = new Peer(server);
    server.terminate();
    await closed;
    const duplex = webSocketDuplex(server, 30_000);
    await expect(once(duplex, 'data')).rejects.toThrow('broke off');
  });
});

test('neither side runs ahead of the other', async () => {
  const {duplex, peer, socket} = await world();
  peer.keeps = false;
  const totalBytes = 80 * mebibyte;
  const message = Buffer.alloc(64 * 1024);

  let sent = 0;
  const sending = (async () => {
    for (; sent < totalBytes; sent += message.length) {
      await new Promise((resolve) => peer.socket.send(message, resolve));
    }
  })();
  duplex.once('readable', () => {});
  await sleep(500);
  expect(sent).toBeLessThan(totalBytes / 2);
  expect(duplex.readableLength).toBeLessThan(mebibyte);
  let received = 0;
  duplex.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await sending;
  await eventually(() => expect(received).toBe(totalBytes));

  peer.socket.pause();
  let written = 0;
  const writing = (async () => {
    for (; written < totalBytes; written += message.length) {
      if (!duplex.write(message)) await once(duplex, 'drain');
    }
  })();
  await sleep(500);
  expect(written).toBeLessThan(totalBytes / 2);
  expect(socket.bufferedAmount).toBeLessThan(mebibyte);
  peer.socket.resume();
  await writing;
  await eventually(() => expect(peer.bytes).toBe(totalBytes));
}, 30_000);

test('it pings and answers pings', async () => {
  const {duplex, peer} = await world('server', 20);
  duplex.resume();
  peer.socket.ping();
  await eventually(() => {
    expect(peer.pings).toBeGreaterThan(2);
    expect(peer.pongs).toBeGreaterThan(0);
  });
});
