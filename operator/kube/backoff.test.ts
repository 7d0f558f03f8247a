import {describe, expect, test} from '@jest/globals';
import {backoffMilliseconds} from './backoff.ts';

describe('backoff', () => {
  const options = {baseMilliseconds: 200, maximumMilliseconds: 30_000};

  test.each([
    [1, 200],
    [2, 400],
    [3, 800],
    [8, 25_600],
    [9, 30_000],
    [10_000, 30_000],
  ])('after %d failures waits at most %d ms', (failures, milliseconds) => {
    expect(backoffMilliseconds(failures, options, () => 0)).toBe(milliseconds);
  });

  test('takes at most half away at random', () => {
    expect(backoffMilliseconds(3, options, () => 0.999_999)).toBeCloseTo(400, 1);
  });
});
