import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {SpdyError} from './error.ts';
import {FrameReader} from './framereader.ts';
import * as frames from './frames.ts';

const block = Buffer.from('a header block');

/** What a reader made of bytes, its data as one run for each frame. */
type Read = frames.ControlFrame | {type: 'Data'; streamId: number; bytes: Buffer; fin: boolean};

function read(...chunks: readonly Buffer[]): Read[] {
  const all: Read[] = [];
  let open: Extract<Read, {type: 'Data'}> | undefined;
  const reader = new FrameReader({
    control: (frame) => {
      open = undefined;
      // Its block is a view of the chunk.
      all.push('headerBlock' in frame ? {...frame, headerBlock: Buffer.from(frame.headerBlock)} : frame);
    },
    data: (streamId, bytes, fin) => {
      if (open?.streamId === streamId && !open.fin) {
        open.bytes = Buffer.concat([open.bytes, bytes]);
        open.fin = fin;
      } else {
        open = {type: 'Data', streamId, bytes: Buffer.from(bytes), fin};
        all.push(open);
      }
    },
  });
  for (const chunk of chunks) reader.push(chunk);
  return all;
}

function data(streamId: number, fin: boolean, bytes: Buffer): Buffer {
  return Buffer.concat([frames.dataHeader(streamId, fin, bytes.length), bytes]);
}

const headersFrame = frames.controlFrame(frames.frameType.headers, frames.flag.fin, Buffer.from([0, 0, 0, 5]), block);

const written: [string, Buffer, Read][] = [
  [
    'SYN_STREAM',
    frames.synStream(1, true, block),
    {type: 'SynStream', streamId: 1, fin: true, unidirectional: false, headerBlock: block},
  ],
  ['SYN_REPLY', frames.synReply(3, block), {type: 'SynReply', streamId: 3, fin: false, headerBlock: block}],
  ['HEADERS', headersFrame, {type: 'Headers', streamId: 5, fin: true, headerBlock: block}],
  ['RST_STREAM', frames.rstStream(7, 5), {type: 'RstStream', streamId: 7, status: 5}],
  ['SETTINGS', frames.settings(7, 65_536), {type: 'Settings', settings: [{id: 7, value: 65_536}]}],
  ['PING', frames.ping(2 ** 32 - 1), {type: 'Ping', id: 2 ** 32 - 1}],
  ['GOAWAY', frames.goAway(9, 1), {type: 'GoAway', lastGoodStreamId: 9, status: 1}],
  ['WINDOW_UPDATE', frames.windowUpdate(0, 2 ** 31 - 1), {type: 'WindowUpdate', streamId: 0, deltaBytes: 2 ** 31 - 1}],
  ['DATA', data(2 ** 31 - 1, true, block), {type: 'Data', streamId: 2 ** 31 - 1, bytes: block, fin: true}],
  ['empty DATA', data(1, true, Buffer.alloc(0)), {type: 'Data', streamId: 1, bytes: Buffer.alloc(0), fin: true}],
];

test.each(written)('%s is read as it was written', (_name, bytes, frame) => {
  expect(read(bytes)).toEqual([frame]);
});

test('any split of the bytes gives the same frames', () => {
  const all = Buffer.concat(written.map(([, bytes]) => bytes));
  const whole = read(all);
  expect(whole).toHaveLength(written.length);
  for (let at = 0; at <= all.length; at++) expect(read(all.subarray(0, at), all.subarray(at))).toEqual(whole);
  fc.assert(
    fc.property(fc.array(fc.nat(all.length)), (cuts) => {
      const sorted = [0, ...cuts.sort((a, b) => a - b), all.length];
      const chunks = sorted.slice(1).map((end, index) => all.subarray(sorted[index], end));
      expect(read(...chunks)).toEqual(whole);
    }),
  );
});

test('the end of a stream comes with the last part of the data', () => {
  const parts: [string, boolean][] = [];
  const reader = new FrameReader({control() {}, data: (_id, bytes, fin) => parts.push([bytes.toString(), fin])});
  const frame = data(1, true, Buffer.from('abcd'));
  for (const [from, to] of [[0, 9] as const, [9, 10] as const, [10, 12] as const])
    reader.push(frame.subarray(from, to));
  expect(parts).toEqual([
    ['a', false],
    ['b', false],
    ['cd', true],
  ]);
});

test('data is not copied', () => {
  const frame = data(1, false, block);
  let passed: Buffer | undefined;
  new FrameReader({control() {}, data: (_id, bytes) => (passed = bytes)}).push(frame);
  expect(passed?.buffer).toBe(frame.buffer);
});

test.each([
  ['short', 12],
  ['longer than any that is known may be', 2 ** 24 - 1],
  ['empty', 0],
])('a control frame of an unknown type is skipped (%s)', (_name, length) => {
  const unknown = frames.controlFrame(10, 0, Buffer.alloc(length));
  expect(read(unknown, frames.ping(1))).toEqual([{type: 'Ping', id: 1}]);
});

const settingsOf = (...payload: number[]) => frames.controlFrame(frames.frameType.settings, 0, Buffer.from(payload));
const control = (type: number, bytes: number) => frames.controlFrame(type, 0, Buffer.alloc(bytes, 1));

describe('what cannot be read is an error', () => {
  test.each([
    ['another version', Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1])],
    ['DATA for stream 0', Buffer.alloc(8)],
    ['SYN_STREAM for stream 0', frames.synStream(0, false, block)],
    ['SYN_REPLY for stream 0', frames.synReply(0, block)],
    ['RST_STREAM for stream 0', frames.rstStream(0, 1)],
    ['RST_STREAM without a status', frames.rstStream(1, 0)],
    ['SYN_STREAM that is short', control(1, 9)],
    ['SYN_REPLY that is short', control(2, 3)],
    ['SYN_REPLY that is empty', control(2, 0)],
    ['RST_STREAM that is long', control(3, 12)],
    ['PING that is long', control(6, 8)],
    ['GOAWAY of SPDY/2', control(7, 4)],
    ['HEADERS that is short', control(8, 2)],
    ['WINDOW_UPDATE that is short', control(9, 4)],
    ['SETTINGS without a count', settingsOf(0, 0)],
    ['SETTINGS with more than its count', settingsOf(0, 0, 0, 0, 1)],
    ['SETTINGS with less than its count', settingsOf(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 7, 0, 0, 0, 1)],
  ])('%s', (_name, bytes) => {
    expect(() => read(bytes)).toThrow(expect.objectContaining({name: 'SpdyError', code: 'Malformed'}));
  });

  test('a control frame that is too long, before anything of it is held', () => {
    const header = control(1, frames.maximumControlBytes + 1).subarray(0, 8);
    expect(() => read(header)).toThrow(expect.objectContaining({code: 'TooLarge'}));
  });

  test('whatever comes is frames or a SpdyError', () => {
    const noise = fc.uint8Array({maxLength: 200}).map((bytes) => Buffer.from(bytes));
    const typed = fc
      .tuple(fc.integer({min: 0, max: 12}), fc.nat(255), fc.uint8Array({maxLength: 40}))
      .map(([type, flags, payload]) => frames.controlFrame(type, flags, Buffer.from(payload)));
    fc.assert(
      fc.property(fc.array(fc.oneof(noise, typed)), (chunks) => {
        try {
          read(...chunks);
        } catch (error) {
          expect(error).toBeInstanceOf(SpdyError);
        }
      }),
      {numRuns: 2000},
    );
  });
});
