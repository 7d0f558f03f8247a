import {describe, expect, test} from '@jest/globals';
import {ISSUER_RANGES} from './issuers.ts';
import {isPanText, PAN_MAXIMUM_DIGITS, PAN_MINIMUM_DIGITS} from './pan.ts';

/** The number of this many digits that begins so, with its check digit. */
function numberOf(prefix: string, length: number): string {
  const start = prefix.padEnd(length - 1, '0');
  let sum = 0;
  for (const [index, digit] of [...start].reverse().entries()) {
    const weighted = index % 2 === 0 ? Number(digit) * 2 : Number(digit);
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return `${start}${(10 - (sum % 10)) % 10}`;
}

test.each([
  ...['Visa', 'Mastercard', 'American Express', 'Diners Club', 'Discover', 'JCB', 'UnionPay', 'Maestro', 'Mir'],
  ...['Troy', 'Elo', 'Verve', 'Hiper', 'Hipercard', 'RuPay'],
])('%s is known', (network) => {
  expect(ISSUER_RANGES.some((range) => range.network === network)).toBe(true);
});

describe.each(ISSUER_RANGES)('$network $low to $high', ({low, high, lengths}) => {
  test('is a range of prefixes', () => {
    expect(low).toMatch(/^[0-9]{1,8}$/);
    expect(high).toMatch(/^[0-9]{1,8}$/);
    expect(high).toHaveLength(low.length);
    expect(Number(high)).toBeGreaterThanOrEqual(Number(low));
  });

  test('has numbers of its lengths only', () => {
    for (const length of lengths) {
      expect(length).toBeGreaterThanOrEqual(PAN_MINIMUM_DIGITS);
      expect(length).toBeLessThanOrEqual(PAN_MAXIMUM_DIGITS);
      expect(isPanText(numberOf(low, length))).toBe(true);
      expect(isPanText(numberOf(high, length))).toBe(true);
    }
  });
});

test.each([
  ['Mastercard of 15 digits', '51', 15],
  ['Mastercard above 2720', '2721', 16],
  ['Mastercard below 2221', '2220', 16],
  ['American Express of 16 digits', '37', 16],
  ['JCB below 3528', '3527', 16],
  ['old JCB of 16 digits', '1800', 16],
  ['Mir above 2205', '2206', 16],
  ['Visa of 14 digits', '4', 14],
  ['Visa of 15 digits', '4', 15],
  ['Visa of 17 digits', '4', 17],
])('%s is no card', (_, prefix, length) => {
  expect(isPanText(numberOf(prefix, length))).toBe(false);
});
