import {once} from 'node:events';
import {type AddressInfo, createServer, type Socket} from 'node:net';
import {createSecureContext, TLSSocket} from 'node:tls';
import type {UpstreamTarget} from '../../proxy/forward/transport.ts';
import type {Presented} from './upstream.ts';

/** Types of HTTP/2 frames (RFC 9113, 6). */
export const frameType = {data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7} as const;
export const endStream = 0x1;
const endHeaders = 0x4;
const acknowledge = 0x1;
const preface = 24;
const headBytes = 9;

export interface Frame {
  readonly type: number;
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Buffer;
}

/** The whole of `:status: 200` (RFC 7541, appendix A). */
export const statusOK = (stream: number): Frame => ({
  type: frameType.headers,
  flags: endHeaders,
  stream,
  payload: Buffer.from([0x88]),
});

export const data = (stream: number, text: string, flags = 0): Frame => ({
  type: frameType.data,
  flags,
  stream,
  payload: Buffer.from(text),
});

export const reset = (stream: number, code: number): Frame => ({type: frameType.reset, stream, payload: uint32(code)});

export const goaway = (lastStream: number, code: number): Frame => ({
  type: frameType.goaway,
  payload: Buffer.concat([uint32(lastStream), uint32(code)]),
});

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** An HTTP/2 API server whose every frame the test decides, where Node's own server would choose better ones. */
export interface FrameUpstream {
  readonly target: UpstreamTarget;
  /** How many connections came so far. */
  readonly connections: () => number;
  close(): Promise<void>;
}

/** @param onRequest called with the stream that a client opened, and on which connection: 1 for the first that came */
export async function frameUpstream(
  presented: Presented,
  onRequest: (send: (...frames: Frame[]) => void, stream: number, connection: number) => void,
): Promise<FrameUpstream> {
  const secureContext = createSecureContext(presented);
  const sockets: Socket[] = [];
  const server = createServer((plain) => {
    const connection = sockets.push(plain);
    const socket = new TLSSocket(plain, {isServer: true, secureContext, ALPNProtocols: ['h2']});
    socket.on('error', () => {});
    plain.on('error', () => {});
    const send = (...frames: Frame[]) => void socket.write(Buffer.concat(frames.map(encode)));
    send({type: frameType.settings});
    let received = Buffer.alloc(0);
    let greeted = false;
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (!greeted) {
        if (received.length < preface) return;
        received = received.subarray(preface);
        greeted = true;
      }
      while (received.length >= headBytes) {
        const end = headBytes + received.readUIntBE(0, 3);
        if (received.length < end) return;
        const [type, flags = 0] = [received[3], received[4]];
        const stream = received.readUInt32BE(5);
        const payload = Buffer.from(received.subarray(headBytes, end));
        received = received.subarray(end);
        if (type === frameType.settings && (flags & acknowledge) === 0) send({type, flags: acknowledge});
        if (type === frameType.ping && (flags & acknowledge) === 0) send({type, flags: acknowledge, payload});
        if (type === frameType.headers) onRequest(send, stream, connection);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    target: {origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, tls: {ca: presented.ca}},
    connections: () => sockets.length,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function encode({type, flags = 0, stream = 0, payload = Buffer.alloc(0)}: Frame): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
