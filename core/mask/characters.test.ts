import {expect, test} from '@jest/globals';
import {meaningOf} from './characters.ts';

const CODE_POINTS = Array.from({length: 0x110000}, (_, codePoint) => codePoint).filter(
  (codePoint) => codePoint < 0xd800 || codePoint > 0xdfff,
);
const matching = (category: RegExp): number[] =>
  CODE_POINTS.filter((codePoint) => category.test(String.fromCodePoint(codePoint)));
const unless = (codePoints: readonly number[], kind: string): string[] =>
  codePoints.filter((codePoint) => meaningOf(codePoint).kind !== kind).map((codePoint) => codePoint.toString(16));

test('every decimal digit of Unicode has its value', () => {
  const digits = matching(/\p{Nd}/u);
  expect(digits.length).toBeGreaterThanOrEqual(760);
  expect(unless(digits, 'digit')).toEqual([]);
  // Each set has its ten in order, and no other set begins within it.
  const values = digits.map((codePoint) => meaningOf(codePoint)).map((meaning) => 'value' in meaning && meaning.value);
  expect(values).toEqual(digits.map((_, index) => index % 10));
});

test('every space is a separator', () => {
  expect(unless(matching(/\p{Zs}/u), 'separator')).toEqual([]);
});

test('the characters of format that have no width are invisible', () => {
  const known = matching(/\p{Default_Ignorable_Code_Point}/u).filter((codePoint) => codePoint <= 0xffff);
  // Hangul fillers have a width.
  expect(unless(known, 'invisible')).toEqual([
    '115f',
    '1160',
    '17b4',
    '17b5',
    '3164',
    'ffa0',
    'fff0',
    'fff1',
    'fff2',
    'fff3',
    'fff4',
    'fff5',
    'fff6',
    'fff7',
    'fff8',
  ]);
});

test.each(['a', 'x', '/', ',', ':', ';', '_', '\n', '\t', 'é', '中', '²', '½', 'Ⅳ', '①'])(
  '%j is none of these',
  (text) => {
    expect(meaningOf(text.codePointAt(0) ?? 0)).toEqual({kind: 'other'});
  },
);
