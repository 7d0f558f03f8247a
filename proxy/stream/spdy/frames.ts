import {SpdyError} from './error.ts';

/*
 * The frames of SPDY/3.1 (the draft's section 2.2): eight bytes of header, of which the last three are the length of
 * what follows. HTTP over SPDY is no part of it: Kubernetes uses the framing alone.
 */

export const frameHeaderBytes = 8;
/** The length field's 24 bits. */
export const maximumFrameBytes = 2 ** 24 - 1;
/** The draft asks for 8 KiB at least; a stream of Kubernetes opens with some 100 bytes. */
export const maximumControlBytes = 16 * 1024;

export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const flag = {fin: 1, unidirectional: 2} as const;

/** Why a stream was reset (section 2.6.3). */
export const resetStatus = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
} as const;

export const goAwayStatus = {ok: 0, protocolError: 1} as const;

export const initialWindowSetting = 7;

export type ControlFrame =
  | {
      readonly type: 'SynStream';
      readonly streamId: number;
      readonly fin: boolean;
      readonly unidirectional: boolean;
      readonly headerBlock: Buffer;
    }
  | {
      readonly type: 'SynReply' | 'Headers';
      readonly streamId: number;
      readonly fin: boolean;
      readonly headerBlock: Buffer;
    }
  | {readonly type: 'RstStream'; readonly streamId: number; readonly status: number}
  | {readonly type: 'Settings'; readonly settings: readonly {readonly id: number; readonly value: number}[]}
  | {readonly type: 'Ping'; readonly id: number}
  | {readonly type: 'GoAway'; readonly lastGoodStreamId: number; readonly status: number}
  | {readonly type: 'WindowUpdate'; readonly streamId: number; readonly deltaBytes: number};

/** Reads the payload of a control frame; undefined for a type that is not known, which the draft says to ignore. */
export function parseControl(type: number, flags: number, payload: Buffer): ControlFrame | undefined {
  const fin = (flags & flag.fin) !== 0;
  switch (type) {
    case frameType.synStream:
      expect(payload.length >= 10, 'SYN_STREAM is too short');
      return {
        type: 'SynStream',
        streamId: openId(payload),
        fin,
        unidirectional: (flags & flag.unidirectional) !== 0,
        headerBlock: payload.subarray(10),
      };
    case frameType.synReply:
    case frameType.headers:
      expect(payload.length >= 4, 'SYN_REPLY or HEADERS is too short');
      return {
        type: type === frameType.headers ? 'Headers' : 'SynReply',
        streamId: openId(payload),
        fin,
        headerBlock: payload.subarray(4),
      };
    case frameType.rstStream: {
      expect(payload.length === 8, 'RST_STREAM has another length than 8');
      const status = payload.readUInt32BE(4);
      expect(status !== 0, 'RST_STREAM has no status');
      return {type: 'RstStream', streamId: openId(payload), status};
    }
    case frameType.settings:
      return {type: 'Settings', settings: parseSettings(payload)};
    case frameType.ping:
      expect(payload.length === 4, 'PING has another length than 4');
      return {type: 'Ping', id: payload.readUInt32BE(0)};
    case frameType.goAway:
      expect(payload.length === 8, 'GOAWAY has another length than 8');
      return {type: 'GoAway', lastGoodStreamId: readId(payload, 0), status: payload.readUInt32BE(4)};
    case frameType.windowUpdate:
      expect(payload.length === 8, 'WINDOW_UPDATE has another length than 8');
      return {type: 'WindowUpdate', streamId: readId(payload, 0), deltaBytes: readId(payload, 4)};
    default:
      return undefined;
  }
}

export function synStream(streamId: number, fin: boolean, headerBlock: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt32BE(streamId);
  return controlFrame(frameType.synStream, fin ? flag.fin : 0, head, headerBlock);
}

export function synReply(streamId: number, headerBlock: Buffer): Buffer {
  return controlFrame(frameType.synReply, 0, words(streamId), headerBlock);
}

export function rstStream(streamId: number, status: number): Buffer {
  return controlFrame(frameType.rstStream, 0, words(streamId, status));
}

export function settings(id: number, value: number): Buffer {
  return controlFrame(frameType.settings, 0, words(1, id, value));
}

export function ping(id: number): Buffer {
  return controlFrame(frameType.ping, 0, words(id));
}

export function goAway(lastGoodStreamId: number, status: number): Buffer {
  return controlFrame(frameType.goAway, 0, words(lastGoodStreamId, status));
}

export function windowUpdate(streamId: number, deltaBytes: number): Buffer {
  return controlFrame(frameType.windowUpdate, 0, words(streamId, deltaBytes));
}

export function controlFrame(type: number, flags: number, ...payload: readonly Buffer[]): Buffer {
  const length = payload.reduce((sum, part) => sum + part.length, 0);
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  header.writeUInt16BE(0x8003, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt32BE(flags * 2 ** 24 + length, 4);
  return Buffer.concat([header, ...payload]);
}

/** What goes out before so many bytes of data, at most `maximumFrameBytes`. */
export function dataHeader(streamId: number, fin: boolean, length: number): Buffer {
  return words(streamId, (fin ? flag.fin : 0) * 2 ** 24 + length);
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}

function parseSettings(payload: Buffer): readonly {id: number; value: number}[] {
  expect(payload.length >= 4, 'SETTINGS is too short');
  const count = payload.readUInt32BE(0);
  expect(payload.length === 4 + count * 8, 'SETTINGS has another length than its count says');
  return Array.from({length: count}, (_, index) => ({
    // The flags before it say whether a client is to keep the value, which is nothing to us.
    id: payload.readUIntBE(4 + index * 8 + 1, 3),
    value: payload.readUInt32BE(4 + index * 8 + 4),
  }));
}

/** The highest bit is reserved. */
function readId(payload: Buffer, offset: number): number {
  return payload.readUInt32BE(offset) & 0x7fff_ffff;
}

function openId(payload: Buffer): number {
  const id = readId(payload, 0);
  expect(id !== 0, 'a frame names stream 0');
  return id;
}

function expect(holds: boolean, message: string): asserts holds {
  if (!holds) throw new SpdyError('Malformed', message);
}
