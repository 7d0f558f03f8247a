import {randomBytes} from 'node:crypto';
import {gunzipSync, inflateRawSync} from 'node:zlib';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {Gzipped} from './gzipped.ts';
import type {BodyReader} from './relay.ts';

const plain: BodyReader = {push: (chunk, emit) => emit(chunk), end: () => {}};
const piece = 64 * 1024;

/** What comes out, byte for byte, and the longest that anything waited for. */
function gzipped(chunks: readonly Buffer[], reader = plain) {
  const out: Buffer[] = [];
  const emit = (bytes: Buffer) => void out.push(Buffer.from(bytes));
  const gzip = new Gzipped(reader, {});
  for (const chunk of chunks) gzip.push(chunk, emit);
  const beforeEnd = out.length;
  gzip.end(emit);
  return {bytes: Buffer.concat(out), beforeEnd};
}

function cut(body: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((place) => Math.min(place, body.length)).toSorted((a, b) => a - b), body.length];
  return places.slice(1).map((end, index) => Buffer.from(body.subarray(places[index], end)));
}

test.each([0, 1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 17])('%d bytes come out as they are', (length) => {
  for (const body of [Buffer.alloc(length, '{"kind":"Pod"},'), randomBytes(length)]) {
    expect(gunzipSync(gzipped([body]).bytes).equals(body)).toBe(true);
  }
});

test('however the bytes were cut, they come out the same', () => {
  const body = Buffer.from(Array.from({length: 12_000}, (_, index) => `{"name":"pod-${index}"},`).join(''));
  const {bytes} = gzipped([body]);
  expect(body.length).toBeGreaterThan(3 * piece);
  expect(gunzipSync(bytes).equals(body)).toBe(true);
  fc.assert(
    fc.property(fc.array(fc.nat(body.length), {maxLength: 40}), (at) => {
      expect(gzipped(cut(body, at)).bytes.equals(bytes)).toBe(true);
    }),
    {numRuns: 30},
  );
});

test('it is one member, since curl reads no other', () => {
  const body = randomBytes(3 * piece + 5);
  const {bytes} = gzipped([body]);
  // Ends with the first block that says it is the last.
  expect(inflateRawSync(bytes.subarray(10, -8)).equals(body)).toBe(true);
});

test('no more than one piece is held', () => {
  const body = Buffer.alloc(piece - 1, 'x');
  expect(gzipped([body]).beforeEnd).toBe(0);
  expect(gzipped([body, Buffer.from('x')]).beforeEnd).toBeGreaterThan(0);
});

test('what the reader holds back comes too', () => {
  const last: BodyReader = {push: () => {}, end: (emit) => emit(Buffer.from('held'))};
  expect(gunzipSync(gzipped([Buffer.from('x')], last).bytes).toString()).toBe('held');
});

test('a reader that fails is not ended as if it were whole', () => {
  const failing: BodyReader = {
    push: plain.push,
    end() {
      throw new Error('half a string');
    },
  };
  expect(() => gzipped([Buffer.from('x')], failing)).toThrow('half a string');
});

describe('the headers', () => {
  test('say what it is, and no length', () => {
    const {headers} = new Gzipped(plain, {'content-type': 'application/json', 'content-length': '200000'});
    expect(headers).toEqual({
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      vary: 'Accept-Encoding',
    });
  });

  test("are the reader's where it has any", () => {
    const masked = {location: '/************1111'};
    const {headers} = new Gzipped({...plain, headers: masked}, {location: '/4111111111111111'});
    expect(headers).toMatchObject(masked);
  });

  test.each<[string | string[], string]>([
    ['Accept', 'Accept, Accept-Encoding'],
    ['Accept, accept-encoding', 'Accept, accept-encoding'],
    [['Accept', 'Origin'], 'Accept, Origin, Accept-Encoding'],
    ['*', '*'],
    ['', 'Accept-Encoding'],
  ])('vary by %j and by what is accepted', (vary, expected) => {
    expect(new Gzipped(plain, {vary: vary as string}).headers.vary).toBe(expected);
  });
});
