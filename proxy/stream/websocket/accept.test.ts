import {once} from 'node:events';
import type {IncomingMessage} from 'node:http';
import {connect, type Socket} from 'node:net';
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import type {WebSocket} from 'ws';
import {eventually} from '../../../test/eventually.ts';
import {Loopback, Peer} from '../../../test/proxy/websockets.ts';
import {acceptWebSocket} from './accept.ts';
import {tunnelProtocol} from './protocols.ts';

let loopback: Loopback;
beforeAll(async () => {
  loopback = await Loopback.start();
});
afterAll(() => loopback.close());

const handshake = [
  'GET /api/v1/namespaces/a/pods/b/exec HTTP/1.1',
  'Host: proxy.example.com',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** Asks with these lines and what follows them at once; gives the agent's socket and what the proxy makes of it. */
async function ask(lines: readonly string[], protocol: string, behind: Buffer = Buffer.alloc(0)) {
  const upgraded = new Promise<{request: IncomingMessage; socket: Socket; head: Buffer}>((resolve) => {
    loopback.onUpgrade((request, socket, head) => resolve({request, socket, head}));
  });
  const {port, hostname} = new URL(loopback.origin);
  const agent = connect(Number(port), hostname);
  let received = '';
  agent.on('data', (bytes) => {
    received += bytes.toString('latin1');
  });
  agent.on('error', () => {});
  agent.write(Buffer.concat([Buffer.from([...lines, '', ''].join('\r\n')), behind]));
  const {request, socket, head} = await upgraded;
  return {agent, socket, received: () => received, accept: () => acceptWebSocket(request, socket, head, protocol)};
}

/** A client's frame of one binary message; its mask is zero. */
function frame(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x82, 0x80 | payload.length, 0, 0, 0, 0), payload]);
}

const secret = 'base64url.bearer.authorization.k8s.io.c2VjcmV0';

test.each([
  ['one of several', ['Sec-WebSocket-Protocol: v5.channel.k8s.io, v4.channel.k8s.io'], 'v4.channel.k8s.io'],
  ['a tunnel', [`Sec-WebSocket-Protocol: ${tunnelProtocol}`], tunnelProtocol],
  ['none', [], ''],
  ['none of what was offered', ['Sec-WebSocket-Protocol: v5.channel.k8s.io'], ''],
  ['one beside a token', [`Sec-WebSocket-Protocol: ${secret}, base64.channel.k8s.io`], 'base64.channel.k8s.io'],
])('the agent is told the subprotocol: %s', async (_, lines, protocol) => {
  const {agent, received, accept} = await ask([...handshake, ...lines], protocol);
  accept();
  const answer = await eventually(() => {
    expect(received()).toContain('\r\n\r\n');
    return received();
  });
  const [status, ...headers] = answer.trimEnd().split('\r\n');
  expect(status).toBe('HTTP/1.1 101 Switching Protocols');
  const named = headers.filter((header) => /protocol/i.test(header));
  expect(named).toEqual(protocol === '' ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]);
  expect(headers).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  expect(answer).not.toContain('c2VjcmV0');
  expect(answer).not.toMatch(/extensions/i);
  agent.destroy();
});

test('compression is not agreed on', async () => {
  const {agent, received, accept} = await ask([...handshake, 'Sec-WebSocket-Extensions: permessage-deflate'], '');
  accept();
  await eventually(() => expect(received()).toContain('\r\n\r\n'));
  expect(received()).not.toMatch(/extensions/i);
  agent.destroy();
});

test('what came together with the request is not lost', async () => {
  const early = frame(Buffer.from('early'));
  const {agent, accept} = await ask(handshake, '', early);
  const webSocket = accept();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const peer = new Peer(webSocket);
  webSocket.resume();
  await eventually(() => expect(String(peer.messages[0]?.data)).toBe('early'));
  agent.destroy();
});

describe('nothing is answered', () => {
  test('to an agent that has gone', async () => {
    const {agent, socket, accept} = await ask(handshake, '');
    socket.resume();
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    agent.destroy();
    socket.end();
    await closed;
    expect(accept).toThrow('gone');
  });

  test('but an error to a request that is no WebSocket handshake, whose connection is closed', async () => {
    const {agent, socket, accept} = await ask(handshake.slice(0, -1), '');
    expect(accept).toThrow(/Sec-WebSocket-Key/);
    expect(socket.destroyed).toBe(true);
    await once(agent, 'close');
  });
});

test('an error before anybody listens ends only its own connection', async () => {
  const {agent, accept, socket} = await ask(handshake, '');
  const webSocket: WebSocket = accept();
  const peer = new Peer(webSocket);
  webSocket.removeAllListeners('message');
  socket.destroy(new Error('reset'));
  expect(await peer.closed).toBe(1006);
  agent.destroy();
});
