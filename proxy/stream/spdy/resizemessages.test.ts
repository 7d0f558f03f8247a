import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {ResizeMessages} from './resizemessages.ts';

function messages(...chunks: readonly string[]): string[] {
  const found: string[] = [];
  const resizes = new ResizeMessages();
  for (const chunk of chunks) resizes.push(Buffer.from(chunk), (json) => found.push(json.toString()));
  return found;
}

const sizes = ['{"Width":80,"Height":24}', '{"Width":120,"Height":40}', '{}'];

test('messages are found wherever frames cut them', () => {
  const text = `${sizes.join('\n')}\n`;
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const sorted = [0, ...cuts.sort((a, b) => a - b), text.length];
      expect(messages(...sorted.slice(1).map((end, index) => text.slice(sorted[index], end)))).toEqual(sizes);
    }),
  );
});

test('what never ends is not held', () => {
  expect(messages('{"Width":'.padEnd(2000), '{"Width":80,"Height":24}')).toEqual(['{"Width":80,"Height":24}']);
});
