import {expect, test} from '@jest/globals';
import {CodeMasker} from '../codemasker.ts';
import {ChunkScan} from './chunkscan.ts';
import {BEFORE_BYTES} from './scanner.ts';

/** What the next detector is given of each piece that a CodeMasker emits. */
function passedOn(chunks: readonly string[]): (ChunkScan | undefined)[] {
  const masker = new CodeMasker('text');
  const passed: (ChunkScan | undefined)[] = [];
  for (const text of chunks) masker.push(Buffer.from(text), (bytes) => passed.push(masker.scanOf(bytes)));
  return passed;
}

test('what a scan lists of a chunk is passed on with it', () => {
  const [scanned] = passedOn(['nothing to hide in 4111 1111 1111 1111 ']);
  expect(scanned?.blocks.map(({stretches}) => [...stretches])).toEqual([[18, 39]]);
});

test('it is not where the chunk was changed, nor where it is passed on in part', () => {
  expect(passedOn(['cvv: 123 and more'])).toEqual([undefined]);
  expect(passedOn(['cvv: 12', '3 and more'])).toEqual([undefined, undefined, undefined]);
});

test('a byte is in the block that has it, and none is where no block is', () => {
  const scanned = new ChunkScan(Buffer.alloc(100_000, 'x'), Buffer.alloc(BEFORE_BYTES), false);
  for (const index of [0, 32_767, 32_768, 99_999]) {
    const {start, end} = scanned.blockAt(index);
    expect(index >= start && index < end).toBe(true);
  }
  expect(() => scanned.blockAt(200_000)).toThrow(RangeError);
});
