import {createHash} from 'node:crypto';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {computeHash, isChainOrigin, noPrevious, positionAfter, readSeal, seal} from './chain.ts';

const record = '{"kind":"Event","annotations":{"lockkeeper.dev/decision":"Allowed"';

describe('seal', () => {
  test('closes the record as JSON that ends with its hash', () => {
    const {line, hash} = seal(record, {origin: 'gateway-0', sequence: 0, previous: noPrevious});
    expect(JSON.parse(line)).toEqual({
      kind: 'Event',
      annotations: {
        'lockkeeper.dev/decision': 'Allowed',
        'lockkeeper.dev/chain-origin': 'gateway-0',
        'lockkeeper.dev/chain-sequence': '0',
        'lockkeeper.dev/chain-previous': noPrevious,
        'lockkeeper.dev/chain-hash': hash,
      },
    });
    expect(line.endsWith(`"lockkeeper.dev/chain-hash":"${hash}"}}`)).toBe(true);
  });

  test('hashes every byte before the annotation of the hash, as docs/audit.md tells an auditor', () => {
    const {line, hash} = seal(record, {origin: 'gateway-0', sequence: 7, previous: 'a'.repeat(64)});
    const covered = line.replace(/,"lockkeeper\.dev\/chain-hash":"[0-9a-f]{64}"}}$/, '');
    expect(createHash('sha256').update(covered).digest('hex')).toBe(hash);
  });

  test('chains the next line to the one before', () => {
    const first = seal(record, {origin: 'gateway-0', sequence: 0, previous: noPrevious});
    const next = positionAfter({origin: 'gateway-0', sequence: 0, hash: first.hash});
    expect(next).toEqual({origin: 'gateway-0', sequence: 1, previous: first.hash});
  });

  test('is read back from any text, with a hash that holds over its UTF-8 bytes', () => {
    const position = fc.record({
      origin: fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?$/),
      sequence: fc.nat(),
      previous: fc.constant('0123456789abcdef'.repeat(4)),
    });
    fc.assert(
      fc.property(fc.string({unit: 'binary'}), position, (text, at) => {
        const {line, hash} = seal(`{"annotations":{"text":${JSON.stringify(text)}`, at);
        const bytes = Buffer.from(line);
        expect(readSeal(bytes)).toEqual({...at, hash});
        expect(computeHash(bytes)).toBe(hash);
      }),
    );
  });
});

describe('readSeal', () => {
  const {line} = seal(record, {origin: 'gateway-0', sequence: 12, previous: noPrevious});

  test.each([
    ['nothing', ''],
    ['other JSON', '{"kind":"Event","annotations":{}}'],
    ['a byte after the end', `${line} `],
    ['a line without its end', line.slice(0, -1)],
    ['a sequence with a leading zero', line.replace('"12"', '"012"')],
    ['a sequence past what a number holds', line.replace('"12"', '"9007199254740993"')],
    ['a hash in capitals', line.replace(/[0-9a-f]{64}"}}$/, (end) => end.toUpperCase())],
    ['an origin of other characters', line.replace('gateway-0', 'gateway 0')],
    ['another order of annotations', line.replace(/("[^"]*origin":"[^"]*"),("[^"]*sequence":"[^"]*")/, '$2,$1')],
    ['spaces between tokens', line.replaceAll('":"', '": "')],
  ])('does not take %s for a seal', (_what, text) => {
    expect(readSeal(Buffer.from(text))).toBeUndefined();
  });
});

test.each([
  ['gateway-0.a_B', true],
  ['a', true],
  ['a'.repeat(128), true],
  ['a'.repeat(129), false],
  ['', false],
  ['-a', false],
  ['a.', false],
  ['a"b', false],
  ['ä', false],
])('%j as an origin: %j', (origin, expected) => {
  expect(isChainOrigin(origin)).toBe(expected);
});
