import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import type {ServerResponse} from 'node:http';
import {createServer, type Server} from 'node:https';
import type {AddressInfo} from 'node:net';
import {createServer as createTlsServer} from 'node:tls';
import {afterEach, beforeAll, describe, expect, test} from '@jest/globals';
import {pooledTransport} from '../../proxy/forward/pooled.ts';
import type {ResponseController, Transport} from '../../proxy/forward/transport.ts';
import {loopbackCertificate, type Presented, Received} from './upstream.ts';

/** What an answer is read into is read into again: what the handlers see must be as if it were not. */

let presented: Presented;
beforeAll(async () => {
  presented = await loopbackCertificate();
});

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Spoils each chunk when its time is over, as the masker may, and stops the API server now and then. */
class Spoiling extends Received {
  #calls = 0;
  override onResponseData(controller: ResponseController, chunk: Buffer): void {
    super.onResponseData(controller, chunk);
    chunk.fill('!');
    if (++this.#calls % 7 !== 0) return;
    controller.pause();
    setTimeout(() => controller.resume(), 1);
  }
}

async function transportTo(server: Server | ReturnType<typeof createTlsServer>): Promise<Transport> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = server.address() as AddressInfo;
  const transport = pooledTransport({origin: `https://127.0.0.1:${port}`, tls: {ca: presented.ca}});
  closing.push(
    async () => server.close(),
    () => transport.close(),
  );
  return transport;
}

async function get(transport: Transport, path: string, received: Received = new Spoiling()): Promise<Received> {
  transport.send({method: 'GET', path, headers: [], body: undefined}, received);
  expect(await received.ended).toBeUndefined();
  return received;
}

test.each(['content-length', 'chunked'])(
  'bodies framed by %s arrive whole, many at once and one after the other',
  async (framing) => {
    const bodies = [0, 1, 300, 16 * 1024, 16 * 1024 + 1, 100_000, 3_000_000].map((size) => randomBytes(size));
    const server = createServer(presented, (request, response) => {
      const body = bodies[Number(request.url?.slice(1))] as Buffer;
      if (framing === 'content-length') response.setHeader('content-length', body.length);
      for (let at = 0; at < body.length; at += 5000) response.write(body.subarray(at, at + 5000));
      response.end();
    });
    const transport = await transportTo(server);
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(bodies.map((_body, index) => get(transport, `/${index}`)));
      for (const [index, {content}] of answers.entries()) expect(content.equals(bodies[index] as Buffer)).toBe(true);
    }
  },
);

test('a head that comes byte by byte, each in a record of its own, is read as it was sent', async () => {
  const answer = `HTTP/1.1 200 OK\r\nX-First: ${'a'.repeat(40)}\r\nX-Second: b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Trailer: c\r\n\r\n`;
  const server = createTlsServer(presented, async (socket) => {
    socket.on('error', () => {});
    // What two answers are read into is used for a third one on the same connection.
    for await (const _request of socket) {
      for (const byte of answer) {
        socket.write(byte);
        await new Promise(setImmediate);
      }
    }
  });
  const transport = await transportTo(server);
  for (let round = 0; round < 3; round++) {
    const received = await get(transport, '/');
    expect(await received.started).toMatchObject({headers: {'x-first': 'a'.repeat(40), 'x-second': 'b'}});
    expect(received.body).toBe('body');
    await new Promise(setImmediate);
  }
});

test('an answer behind which the connection ends arrives whole, also when its reader was stopped at the end', async () => {
  const body = randomBytes(200_000);
  const server = createTlsServer(presented, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.end(body);
    });
  });
  const {content} = await get(await transportTo(server), '/');
  expect(content.equals(body)).toBe(true);
});

describe('a long answer that comes piece by piece', () => {
  const pieces = 2000;
  const piece = randomBytes(1000);
  const whole = Buffer.concat(Array.from({length: pieces}, () => piece));

  /** Sends one piece in each turn of the event loop, which is the reader's too. */
  async function trickle(response: ServerResponse): Promise<void> {
    for (let sent = 0; sent < pieces && !response.destroyed; sent++) {
      response.write(piece);
      await new Promise(setImmediate);
    }
  }

  /** Counts the turns in which something came. */
  class Turns extends Received {
    turns = 0;
    #inTurn = false;
    override onResponseData(controller: ResponseController, chunk: Buffer): void {
      super.onResponseData(controller, chunk);
      if (this.#inTurn) return;
      this.#inTurn = true;
      this.turns++;
      setImmediate(() => {
        this.#inTurn = false;
      });
    }
  }

  test('is read in fewer turns than it has pieces', async () => {
    const server = createServer(presented, (_request, response) => void trickle(response).then(() => response.end()));
    const received = new Turns();
    await get(await transportTo(server), '/', received);
    expect(received.content.equals(whole)).toBe(true);
    expect(received.turns).toBeLessThan(pieces / 2);
  });

  test('arrives whole by a reader that stops now and then', async () => {
    const server = createServer(presented, (_request, response) => void trickle(response).then(() => response.end()));
    const {content} = await get(await transportTo(server), '/');
    expect(content.equals(whole)).toBe(true);
  });

  test('that breaks off ends with an error', async () => {
    const server = createServer(presented, (_request, response) => {
      void trickle(response).then(() => response.destroy());
    });
    const received = new Received();
    (await transportTo(server)).send({method: 'GET', path: '/', headers: [], body: undefined}, received);
    expect(await received.ended).toMatchObject({code: 'UND_ERR_SOCKET'});
  });

  test('can be given up, and another call made', async () => {
    const server = createServer(presented, (_request, response) => void trickle(response).then(() => response.end()));
    const transport = await transportTo(server);
    for (let round = 0; round < 20; round++) {
      const received = new GivingUp(100_000 + 7_001 * round);
      transport.send({method: 'GET', path: '/', headers: [], body: undefined}, received);
      expect(await received.ended).toMatchObject({message: 'enough'});
    }
    const {content} = await get(transport, '/', new Received());
    expect(content.equals(whole)).toBe(true);
  });
});

/** Has enough after so many bytes. */
class GivingUp extends Received {
  readonly #enough: number;
  #bytes = 0;

  constructor(enough: number) {
    super();
    this.#enough = enough;
  }

  override onResponseData(controller: ResponseController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes >= this.#enough) controller.abort(new Error('enough'));
  }
}
