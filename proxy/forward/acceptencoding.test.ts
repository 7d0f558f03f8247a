import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {acceptsGzip} from './acceptencoding.ts';

test.each<[string | undefined, boolean]>([
  [undefined, false],
  ['', false],
  ['gzip', true],
  ['GZip', true],
  ['x-gzip', true],
  ['gzip, deflate, br, zstd', true],
  ['br;q=1.0, gzip;q=0.8, *;q=0.1', true],
  ['deflate,br', false],
  ['*', true],
  ['*;q=0', false],
  ['*, gzip;q=0', false],
  ['*;q=0, gzip', true],
  ['gzip;q=0', false],
  ['gzip;q=0.000', false],
  ['gzip ; q=0.001', true],
  ['gzip;Q=1.000', true],
  ['gzip, gzip;q=0', false],
  ['gzip;q=0, x-gzip', false],
  ['identity', false],
  ['identity;q=0', false],
  ['identity, gzip', true],
  ['identity;q=1, gzip;q=0.5', false],
  ['identity;q=0.5, gzip', true],
  ['identity, *;q=0.5', false],
  ['identity;q=0, gzip;q=0.1', true],
  ['gzip;q=', false],
  ['gzip;q=2', false],
  ['gzip;q=0.5555', false],
  ['gzip;q=-1', false],
  ['gzip;level=1', false],
  ['gzip;q=1;x=2', false],
  ['gzipped', false],
  ['br gzip', false],
])('gzip for %j: %j', (header, expected) => {
  expect(acceptsGzip(header)).toBe(expected);
});

const weights = fc.integer({min: 0, max: 1000}).map((thousandths) => thousandths / 1000);

test('gzip is given for a weight above 0 and not below that of identity, wherever the two stand', () => {
  fc.assert(
    fc.property(
      weights,
      weights,
      fc.boolean(),
      fc.array(fc.constantFrom('br', 'deflate;q=0.3', '', '*;q=0')),
      (gzip, identity, first, others) => {
        const two = [`gzip;q=${gzip}`, `identity;q=${identity}`];
        const header = [...others, ...(first ? two : two.reverse())].join(', ');
        expect(acceptsGzip(header)).toBe(gzip > 0 && gzip >= identity);
      },
    ),
  );
});

test('whatever is sent, it is read, and nothing is encoded that does not speak of gzip or of everything', () => {
  const word = fc.constantFrom('gzip', 'identity', '*', 'q', '=', ';', ',', ' ', '0', '1', '.', '\t', 'x-');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(word).map((words) => words.join('')),
      ),
      (header) => {
        if (acceptsGzip(header)) expect(header).toMatch(/gzip|\*/i);
      },
    ),
  );
});
