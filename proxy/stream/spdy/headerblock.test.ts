import {setImmediate} from 'node:timers/promises';
import {constants, createDeflate, createInflate, deflateSync} from 'node:zlib';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {headerDictionary} from './dictionary.ts';
import {SpdyError} from './error.ts';
import {HeaderBlockReader, HeaderBlockWriter, type HeaderPairs} from './headerblock.ts';

const flush = {finishFlush: constants.Z_SYNC_FLUSH};

const name = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
const blocks = fc.array(fc.array(fc.tuple(name, fc.string({unit: 'binary-ascii'}))).map((pairs) => new Map(pairs)));

test('blocks are read as they were written, each with those before it', () => {
  fc.assert(
    fc.property(blocks, (all) => {
      const [writer, reader] = [new HeaderBlockWriter(), new HeaderBlockReader()];
      for (const headers of all) expect(reader.read(writer.write(headers))).toEqual(headers);
    }),
  );
});

test('bytes that are no ASCII come back as they were', () => {
  const headers = new Map([['any', String.fromCharCode(...Array.from({length: 256}, (_, code) => code))]]);
  expect(new HeaderBlockReader().read(new HeaderBlockWriter().write(headers))).toEqual(headers);
});

/** So many that they reach far beyond what zlib looks back to, with much that repeats. */
const many = Array.from(
  {length: 1000},
  (_, id) =>
    new Map([
      ['streamtype', id % 2 ? 'data' : 'error'],
      ['requestid', String(id >> 1)],
      ['other', String(Math.imul(id, 2654435761)).repeat(10)],
    ]),
);

describe('with one zlib stream on the other side, as the draft has it', () => {
  test('what is written can be inflated', async () => {
    const inflate = createInflate({dictionary: headerDictionary, ...flush});
    const plain = inflate.toArray();
    const writer = new HeaderBlockWriter();
    for (const headers of many) inflate.write(writer.write(headers));
    inflate.end();
    expect(Buffer.concat(await plain)).toEqual(Buffer.concat(many.map(plainOf)));
  });

  test('what was deflated there is read', async () => {
    const deflate = createDeflate({dictionary: headerDictionary, level: constants.Z_BEST_COMPRESSION});
    let block = Buffer.alloc(0);
    deflate.on('data', (part: Buffer) => {
      block = Buffer.concat([block, part]);
    });
    const reader = new HeaderBlockReader();
    for (const headers of many) {
      deflate.write(plainOf(headers));
      deflate.flush(constants.Z_SYNC_FLUSH);
      while (!block.subarray(-4).equals(Buffer.from([0, 0, 255, 255]))) await setImmediate();
      expect(reader.read(block)).toEqual(headers);
      block = Buffer.alloc(0);
    }
  });
});

describe('what cannot be read is an error', () => {
  const deflated = (plain: Buffer) => deflateSync(plain, {...flush, dictionary: headerDictionary});
  test.each([
    ['no zlib', Buffer.from('nothing of the kind'), 'Malformed'],
    ['nothing', Buffer.alloc(0), 'Malformed'],
    ['another dictionary', deflateSync(plainOf(new Map()), {...flush, dictionary: Buffer.from('other')}), 'Malformed'],
    ['a count without its pairs', deflated(Buffer.from([0, 0, 0, 1])), 'Malformed'],
    ['a count of 2^32-1', deflated(Buffer.from([255, 255, 255, 255, 0, 0, 0, 1, 97])), 'Malformed'],
    ['a length beyond the block', deflated(Buffer.from([0, 0, 0, 1, 255, 255, 255, 255, 97])), 'Malformed'],
    ['bytes behind the last pair', deflated(Buffer.from([0, 0, 0, 0, 0])), 'Malformed'],
    ['a name in upper case', deflated(plainOf(new Map([['streamType', 'stdin']]))), 'Malformed'],
    ['a name of no length', deflated(plainOf(new Map([['', 'stdin']]))), 'Malformed'],
    [
      'a name twice',
      deflated(Buffer.concat([Buffer.from([0, 0, 0, 2]), pairOf('a', 'b'), pairOf('a', 'c')])),
      'Malformed',
    ],
    ['a bomb', deflated(Buffer.alloc(10_000_000)), 'TooLarge'],
  ])('%s', (_name, block, code) => {
    expect(() => new HeaderBlockReader().read(block)).toThrow(expect.objectContaining({name: 'SpdyError', code}));
  });

  test('whatever comes is headers or a SpdyError', () => {
    const plain = fc.uint8Array({maxLength: 60}).map((bytes) => deflated(Buffer.from(bytes)));
    const noise = fc.uint8Array({maxLength: 60}).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.array(fc.oneof(plain, noise)), (all) => {
        const reader = new HeaderBlockReader();
        try {
          for (const block of all) reader.read(block);
        } catch (error) {
          expect(error).toBeInstanceOf(SpdyError);
        }
      }),
    );
  });
});

function plainOf(headers: HeaderPairs): Buffer {
  return Buffer.concat([lengthOf(headers.size), ...[...headers].map(([key, value]) => pairOf(key, value))]);
}

function pairOf(key: string, value: string): Buffer {
  return Buffer.concat([lengthOf(key.length), Buffer.from(key), lengthOf(value.length), Buffer.from(value)]);
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}
