import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {DocumentEnd} from './documentend.ts';

function betweenAfter(text: string, chunkBytes = text.length): boolean {
  const end = new DocumentEnd();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) end.push(bytes.subarray(at, at + chunkBytes));
  return end.isBetween;
}

describe('a stream of documents on lines', () => {
  test.each([
    ['nothing', '', true],
    ['one', '{"type":"ADDED","object":{"a":[1]}}\n', true],
    ['two', '{}\n{"a":"b"}\n', true],
    ['one without its line feed', '{"a":1}', false],
    ['one that goes on', '{"a":\n', false],
    ['one over lines', '{\n "a": [\n', false],
    ['one over lines, whole', '{\n "a": [\n]\n}\n', true],
    ['brackets in strings', '{"a":"}]"\n', false],
    ['a quote in a string', '{"a":"\\"}\\\\"}\n', true],
    ['a number that ends with its line', '12\n', true],
    ['a number that may go on', '12', false],
    ['a string that was cut off', '"a\n', false],
  ])('of %s', (_, text, expected) => {
    for (const chunkBytes of [Math.max(text.length, 1), 1, 2, 3]) expect(betweenAfter(text, chunkBytes)).toBe(expected);
  });

  test('stands between two behind each line and nowhere else', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), {maxLength: 4}), fc.integer({min: 1, max: 9}), (values, chunkBytes) => {
        const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
        expect(betweenAfter(text, chunkBytes)).toBe(true);
        const end = new DocumentEnd();
        for (const [index, byte] of Buffer.from(text).entries()) {
          end.push(Buffer.of(byte));
          expect(end.isBetween).toBe(byte === 0x0a && text.slice(0, index + 1).endsWith('\n'));
        }
      }),
    );
  });
});
