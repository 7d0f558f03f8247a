import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {commonPath, parseFieldPath} from './fieldpath.ts';
import type {FieldPath} from './plan.ts';

describe('a path', () => {
  test.each<[string, FieldPath]>([
    ['data', ['data']],
    ['data.*', ['data', '*']],
    ['data[*]', ['data', '*']],
    ['spec.containers[*].env[*].value', ['spec', 'containers', '*', 'env', '*', 'value']],
    ['metadata.annotations["example.com/card"]', ['metadata', 'annotations', 'example.com/card']],
    ["data['tls.crt']", ['data', 'tls.crt']],
    [`data["it's"]['"']`, ['data', "it's", '"']],
    ['a-b_c9.1', ['a-b_c9', '1']],
    ['a[*][*].*.*', ['a', '*', '*', '*', '*']],
  ])('%s', (text, path) => {
    expect(parseFieldPath(text)).toEqual(path);
  });

  test.each([
    ...[
      '',
      '.',
      '*',
      '*.a',
      '[*]',
      '$.a',
      '.a',
      'a.',
      'a..b',
      'a b',
      'a.b c',
      'a[0]',
      'a[]',
      'a[b]',
      'a["b]',
      'a["b\']',
    ],
    ...['a[""]', 'a["*"]', 'a["b*"]', "a['*']", 'a.**', 'a.b*', 'a["b"]c', 'a\nb', 'ä', `a${'.a'.repeat(32)}`],
  ])('is not %j', (text) => {
    expect(parseFieldPath(text)).toBeUndefined();
  });

  test('whatever is written, it is a path of names or none', () => {
    const pieces = fc.array(fc.constantFrom('a', '.', '*', '[', ']', '"', "'", 'b c', '[*]', '["x"]'), {maxLength: 12});
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          pieces.map((parts) => parts.join('')),
        ),
        (text) => {
          const path = parseFieldPath(text);
          expect(path === undefined || (path.length > 0 && path[0] !== '*' && path.every((name) => name !== ''))).toBe(
            true,
          );
        },
      ),
    );
  });
});

describe('what two paths have in common', () => {
  test.each<[FieldPath, FieldPath, FieldPath | undefined]>([
    [['a'], ['a'], ['a']],
    [['a'], ['b'], undefined],
    [['a'], ['a', 'b'], ['a', 'b']],
    [
      ['a', '*'],
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ],
    [
      ['a', '*', 'c'],
      ['a', 'b', '*'],
      ['a', 'b', 'c'],
    ],
    [['a', 'b', 'c'], ['a', '*', 'd'], undefined],
  ])('%j and %j: %j', (one, other, common) => {
    expect(commonPath(one, other)).toEqual(common);
    expect(commonPath(other, one)).toEqual(common);
  });

  test('is where both lead, and nothing else', () => {
    const path = fc.array(fc.constantFrom('a', 'b', '*'), {minLength: 1, maxLength: 4});
    const place = fc.array(fc.constantFrom('a', 'b', 'c'), {minLength: 1, maxLength: 6});
    const leads = (to: readonly string[], of: FieldPath | undefined) =>
      of !== undefined && of.length <= to.length && of.every((name, at) => name === '*' || name === to[at]);
    fc.assert(
      fc.property(path, path, place, (one, other, at) => {
        expect(leads(at, commonPath(one, other))).toBe(leads(at, one) && leads(at, other));
      }),
      {numRuns: 2000},
    );
  });
});
