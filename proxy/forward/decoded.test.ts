import {randomBytes} from 'node:crypto';
import {gzipSync} from 'node:zlib';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {eventually} from '../../test/eventually.ts';
import {Received} from '../../test/proxy/upstream.ts';
import {Decoded} from './decoded.ts';
import type {ResponseController} from './transport.ts';

/** What the one who reads from the API server is told. */
class Upstream implements ResponseController {
  readonly told: string[] = [];
  pause(): void {
    this.told.push('pause');
  }
  resume(): void {
    this.told.push('resume');
  }
  abort(): void {
    this.told.push('abort');
  }
}

const text = '{"items":["4111111111111111"]}\n';
const gzip = {'content-type': 'application/json', 'content-encoding': 'gzip', 'content-length': '99'};

/** Gives an answer in pieces to the decoder. */
function answering(headers: Record<string, string>, pieces: readonly Buffer[]) {
  const upstream = new Upstream();
  const received = new Received();
  const decoded = new Decoded(received);
  decoded.onRequestStart(upstream);
  decoded.onResponseStart(upstream, 200, headers);
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    decoded.onResponseData(upstream, bytes);
    // A transport reads into the same buffer again.
    bytes.fill(0);
  }
  return {upstream, received, decoded};
}

test.each(['gzip', 'GZIP', 'x-gzip'])(
  'an answer in %s loses it, and the length that no longer holds',
  async (encoding) => {
    const {received, decoded} = answering({...gzip, 'content-encoding': encoding}, [gzipSync(text)]);
    decoded.onResponseEnd();
    expect(await received.ended).toBeUndefined();
    expect(received.body).toBe(text);
    expect(await received.started).toEqual({status: 200, headers: {'content-type': 'application/json'}});
  },
);

test.each([
  ['none', undefined],
  ['another', 'br'],
  ['several', 'gzip, gzip'],
])('an answer with %s is handed on as it is', async (_which, encoding) => {
  const headers = {'content-length': '30', ...(encoding && {'content-encoding': encoding})};
  const {received, decoded} = answering(headers, [Buffer.from(text)]);
  decoded.onResponseEnd();
  expect(await received.ended).toBeUndefined();
  expect([received.body, (await received.started).headers]).toEqual([text, headers]);
});

test('an answer without a body ends', async () => {
  const {received, decoded} = answering(gzip, []);
  decoded.onResponseEnd();
  expect(await received.ended).toBeUndefined();
  expect(received.body).toBe('');
});

test('however it is cut, it is whole', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({maxLength: 500}), fc.array(fc.nat(50)), async (content, cuts) => {
      let rest = gzipSync(content);
      const pieces = cuts.map((cut) => {
        const piece = rest.subarray(0, cut);
        rest = rest.subarray(cut);
        return piece;
      });
      const {received, decoded} = answering(gzip, [...pieces, rest]);
      decoded.onResponseEnd();
      expect(await received.ended).toBeUndefined();
      expect(received.body).toBe(content);
    }),
  );
});

describe('pitfall 14: an answer is not whole', () => {
  const bytes = gzipSync(text);
  test.each([
    ['that ends in the middle', [bytes.subarray(0, 20)]],
    ['that ends before its checksum', [bytes.subarray(0, -4)]],
    ['whose checksum does not match', [bytes.subarray(0, -8), Buffer.alloc(8)]],
    ['that is no gzip', [Buffer.from(text)]],
  ])('%s', async (_what, pieces) => {
    const {upstream, received, decoded} = answering(gzip, pieces);
    decoded.onResponseEnd();
    expect(await received.ended).toMatchObject({code: expect.stringMatching(/^Z_/)});
    expect(received.events).not.toContain('end');
    expect(upstream.told).toContain('abort');
  });

  test('that the connection cut', async () => {
    const {upstream, received, decoded} = answering(gzip, [bytes.subarray(0, 20)]);
    const cut = new Error('cut');
    decoded.onResponseError(upstream, cut);
    expect(await received.ended).toBe(cut);
  });
});

test('a reader that is slow slows the API server, whatever the answer unpacks to', async () => {
  const unpacked = 256 * 1024 * 1024;
  const bomb = gzipSync(Buffer.alloc(unpacked), {level: 9});
  const {upstream, received, decoded} = answering(gzip, []);
  received.controller.pause();
  for (let at = 0; !upstream.told.includes('pause'); at += 16_384) {
    decoded.onResponseData(upstream, bomb.subarray(at, at + 16_384));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(received.bytes).toBeLessThan(1024 * 1024);
  expect(upstream.told).toEqual(['pause']);
  received.controller.abort(new Error('enough'));
  expect(upstream.told).toEqual(['pause', 'abort']);
});

test('a reader that goes on makes the API server go on', async () => {
  const {upstream, received, decoded} = answering(gzip, []);
  received.controller.pause();
  decoded.onResponseData(upstream, gzipSync(randomBytes(1024 * 1024)));
  expect(upstream.told).toEqual(['pause']);
  received.controller.resume();
  await eventually(() => expect(upstream.told).toEqual(['pause', 'resume']));
  decoded.onResponseEnd();
  expect(await received.ended).toBeUndefined();
  expect(received.bytes).toBe(1024 * 1024);
});
