import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {LineSplitter} from './lines.ts';

function split(chunks: readonly Buffer[], maximumBytes: number) {
  const splitter = new LineSplitter(maximumBytes);
  const lines = chunks.flatMap((chunk) => [...splitter.push(chunk)]);
  return [...lines, ...splitter.end()].map((line) =>
    line.kind === 'Whole' ? line.bytes.toString('latin1') : line.kind,
  );
}

test.each([
  ['', []],
  ['a\n', ['a']],
  ['a\nb', ['a', 'Torn']],
  ['\n\n', ['', '']],
  ['a\r\n', ['a\r']],
  ['12345\n', ['12345']],
  ['123456\nb\n', ['TooLong', 'b']],
  ['123456', ['TooLong']],
])('%j', (text, expected) => {
  expect(split([Buffer.from(text)], 5)).toEqual(expected);
});

test('does not depend on where the input is cut', () => {
  const bytes = fc.uint8Array({maxLength: 60}).map((array) => array.map((byte) => (byte % 4 === 0 ? 10 : byte)));
  fc.assert(
    fc.property(bytes, fc.array(fc.nat({max: 60})), (array, cuts) => {
      const whole = Buffer.from(array);
      const places = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length];
      const chunks = places.slice(1).map((end, i) => whole.subarray(places[i], end));
      expect(split(chunks, 8)).toEqual(split([whole], 8));
    }),
  );
});
