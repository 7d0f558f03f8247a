import {createHash} from 'node:crypto';
import {once} from 'node:events';
import type {IncomingMessage, ServerResponse} from 'node:http';
import {createServer, type Server} from 'node:https';
import {type AddressInfo, createServer as createTCPServer, type Socket} from 'node:net';
import {text} from 'node:stream/consumers';
import {afterEach, beforeAll, beforeEach, describe, expect, jest, test} from '@jest/globals';
import type {WebSocket} from 'ws';
import {eventually} from '../../../test/eventually.ts';
import {loopbackCertificate, type Presented} from '../../../test/proxy/upstream.ts';
import {Peer} from '../../../test/proxy/websockets.ts';
import type {UpstreamTarget} from '../../forward/transport.ts';
import {acceptWebSocket} from './accept.ts';
import {tunnelProtocol} from './protocols.ts';
import {openWebSocketUpstream, type WebSocketAnswer, type WebSocketRequest} from './upstream.ts';

let presented: Presented;
beforeAll(async () => {
  presented = await loopbackCertificate();
});

/** An API server that the test plays. */
let server: Server;
let target: UpstreamTarget;
let sockets: Socket[];
beforeEach(async () => {
  server = createServer(presented);
  sockets = [];
  server.on('connection', (socket) => sockets.push(socket));
  // Otherwise it would not see that the other side has gone.
  server.on('upgrade', (_request, socket) => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  target = {origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, tls: {ca: presented.ca}};
});
afterEach(async () => {
  jest.useRealTimers();
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
});

function open(differing: Partial<WebSocketRequest> = {}, to = target): Promise<WebSocketAnswer> {
  const {signal} = new AbortController();
  const path = '/api/v1/namespaces/a/pods/b/exec?command=id';
  return openWebSocketUpstream(to, {path, headers: [], subprotocols: ['v5.channel.k8s.io'], signal, ...differing});
}

/** Takes the next WebSocket and gives it with the request that asked for it. */
function accepting(protocol: string): Promise<{request: IncomingMessage; socket: WebSocket}> {
  return new Promise((resolve) => {
    server.once('upgrade', (request, socket, head) => {
      resolve({request, socket: acceptWebSocket(request, socket as Socket, head, protocol)});
    });
  });
}

/** Answers the next request to upgrade with these lines, to which the key's answer is added. */
function answering(...lines: string[]): void {
  server.once('upgrade', (request, socket) => {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write([...lines, `Sec-WebSocket-Accept: ${accept}`, '', ''].join('\r\n'));
  });
}

async function refusedWith(answer: Promise<WebSocketAnswer>): Promise<IncomingMessage> {
  const given = await answer;
  if (given.kind !== 'Refused') throw new Error('it was opened');
  return given.response;
}

const switching = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];

test('the API server gets the path as it came, every header and the subprotocols in their order', async () => {
  const asked = accepting('v4.channel.k8s.io');
  const path = "/api/v1/namespaces/a/pods/b/exec?command=sh&command=-c&command=echo+'%41'&x={|}/../%2e%2e";
  const headers = [
    'impersonate-user',
    'x',
    'impersonate-group',
    'a',
    'authorization',
    'Bearer s',
    'impersonate-group',
    'b',
  ];
  const answer = await open({path, headers, subprotocols: ['v5.channel.k8s.io', 'v4.channel.k8s.io']});
  const {request} = await asked;
  expect(answer).toMatchObject({kind: 'Open', protocol: 'v4.channel.k8s.io'});
  expect(request.url).toBe(path);
  expect(request.method).toBe('GET');
  expect(request.headersDistinct).toMatchObject({
    'impersonate-user': ['x'],
    'impersonate-group': ['a', 'b'],
    authorization: ['Bearer s'],
    'sec-websocket-protocol': ['v5.channel.k8s.io, v4.channel.k8s.io'],
    host: [target.origin.slice('https://'.length)],
  });
  expect(request.headers).not.toHaveProperty('sec-websocket-extensions');
  expect(request.headers).not.toHaveProperty('origin');
});

test.each([
  ['none', [], ''],
  ['a tunnel', [tunnelProtocol], tunnelProtocol],
  ['base64', ['base64.channel.k8s.io'], 'base64.channel.k8s.io'],
])('a WebSocket is opened with the subprotocol %s', async (_, subprotocols, protocol) => {
  const asked = accepting(protocol);
  expect(await open({subprotocols})).toMatchObject({kind: 'Open', protocol});
  expect((await asked).request.headers['sec-websocket-protocol']).toBe(subprotocols[0]);
});

test('nothing that comes before anybody listens is lost', async () => {
  const asked = accepting('v5.channel.k8s.io').then(({socket}) => socket.send(Buffer.from('first')));
  const answer = await open();
  await asked;
  if (answer.kind !== 'Open') throw new Error('it was refused');
  // The API server's first message comes together with its answer.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const peer = new Peer(answer.socket);
  answer.socket.resume();
  await eventually(() => expect(String(peer.messages[0]?.data)).toBe('first'));
  answer.socket.terminate();
});

describe('a refusal', () => {
  test('is handed over, and its connection never used again', async () => {
    // Pitfall 20.
    const status = JSON.stringify({kind: 'Status', code: 403});
    server.once('upgrade', (_request, socket) => {
      socket.write(
        `HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ${status.length}\r\n\r\n${status}`,
      );
    });
    const response = await refusedWith(open());
    expect(response.statusCode).toBe(403);
    expect(response.headers['content-type']).toBe('application/json');
    expect(await text(response)).toBe(status);
    await eventually(() => expect(sockets.map(({destroyed}) => destroyed)).toEqual([true]));
    const asked = accepting('v5.channel.k8s.io');
    await open();
    await asked;
    expect(sockets).toHaveLength(2);
  });

  test.each([200, 302, 404, 500])('may have any code: %i', async (code) => {
    server.once('upgrade', (_request, socket) => {
      socket.end(`HTTP/1.1 ${code} x\r\nLocation: /elsewhere\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno`);
    });
    const response = await refusedWith(open());
    expect(response.statusCode).toBe(code);
    expect(await text(response)).toBe('no');
  });

  test('of a server that knows no upgrade is one as well', async () => {
    server.removeAllListeners('upgrade');
    server.once('request', (_request: IncomingMessage, response: ServerResponse) => response.end('not here'));
    expect(await text(await refusedWith(open()))).toBe('not here');
    await eventually(() => expect(sockets.map(({destroyed}) => destroyed)).toEqual([true]));
  });

  test('that breaks off is an error of its body', async () => {
    server.once('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhalf');
      setTimeout(() => socket.destroy(), 50);
    });
    await expect(text(await refusedWith(open()))).rejects.toMatchObject({code: 'ECONNRESET'});
  });
});

describe('an answer that cannot be understood is none:', () => {
  test.each<[string, readonly string[], readonly string[], RegExp]>([
    ['a subprotocol that was not offered', [...switching, 'Sec-WebSocket-Protocol: v6'], ['v5'], /not offered/],
    ['a subprotocol where none was offered', [...switching, 'Sec-WebSocket-Protocol: v6'], [], /not offered/],
    ['no subprotocol where some were offered', switching, ['v5'], /not offered/],
    ['an extension', [...switching, 'Sec-WebSocket-Extensions: permessage-deflate'], [], /Extensions/],
    ['another protocol', [switching[0] ?? '', 'Upgrade: SPDY/3.1', 'Connection: Upgrade'], [], /Upgrade/],
    ['another answer to the key', [...switching, 'Sec-WebSocket-Accept: eA=='], [], /Accept/],
  ])('%s', async (_, lines, subprotocols, message) => {
    answering(...lines);
    await expect(open({subprotocols})).rejects.toMatchObject({message: expect.stringMatching(message)});
    await eventually(() => expect(sockets.map(({destroyed}) => destroyed)).toEqual([true]));
  });
});

describe('no answer', () => {
  test('where nobody listens', async () => {
    const closed = createTCPServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const {port} = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    await expect(open({}, {...target, origin: `https://127.0.0.1:${port}`})).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  test('where the certificate is of an authority that is not trusted', async () => {
    const {ca} = await loopbackCertificate();
    await expect(open({}, {...target, tls: {ca}})).rejects.toMatchObject({
      code: expect.stringMatching(/CERT|SIGNATURE/),
    });
  });

  test('where the server hangs up', async () => {
    server.once('upgrade', (_request, socket) => socket.destroy());
    await expect(open()).rejects.toMatchObject({code: 'ECONNRESET'});
  });

  test.each([
    ['the handshake of TLS never ends', 10_000, /no connection/],
    ['the server says nothing', 65_000, /no answer/],
  ])('where %s', async (_, milliseconds, message) => {
    const silent = createTCPServer((socket) => void sockets.push(socket));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const asked = once(server, 'upgrade');
    const connected = once(silent, 'connection');
    jest.useFakeTimers({doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date']});
    const slow = milliseconds === 10_000;
    const origin = slow ? `https://127.0.0.1:${(silent.address() as AddressInfo).port}` : target.origin;
    const answer = open({}, {...target, origin});
    await (slow ? connected : asked);
    jest.advanceTimersByTime(milliseconds - 1);
    jest.advanceTimersByTime(1);
    await expect(answer).rejects.toMatchObject({code: 'ETIMEDOUT', message: expect.stringMatching(message)});
    jest.useRealTimers();
    await eventually(() => expect(sockets.every(({destroyed}) => destroyed)).toBe(true));
    silent.close();
  });

  test('for a body that never ends', async () => {
    server.once('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhalf');
    });
    jest.useFakeTimers({doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date']});
    const response = await refusedWith(open());
    const body = text(response);
    jest.advanceTimersByTime(65_000);
    await expect(body).rejects.toMatchObject({message: expect.any(String)});
  });
});

describe('an agent that has gone', () => {
  test('before the call makes none', async () => {
    const reason = new Error('gone');
    await expect(open({signal: AbortSignal.abort(reason)})).rejects.toBe(reason);
    expect(sockets).toEqual([]);
  });

  test('meanwhile ends the call', async () => {
    const leaving = new AbortController();
    const asked = once(server, 'upgrade');
    const answer = open({signal: leaving.signal});
    await asked;
    const reason = new Error('gone');
    leaving.abort(reason);
    await expect(answer).rejects.toBe(reason);
    await eventually(() => expect(sockets.map(({destroyed}) => destroyed)).toEqual([true]));
  });

  test('later is the relay to notice', async () => {
    const leaving = new AbortController();
    const asked = accepting('v5.channel.k8s.io');
    const answer = await open({signal: leaving.signal});
    await asked;
    leaving.abort();
    expect(answer).toMatchObject({kind: 'Open', socket: {readyState: 1}});
  });
});

test('a path that would be two lines is not sent', async () => {
  await expect(open({path: '/a HTTP/1.1\r\nx: y'})).rejects.toThrow('printable');
  expect(sockets).toEqual([]);
});
