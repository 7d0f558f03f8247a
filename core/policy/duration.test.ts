import {expect, test} from '@jest/globals';
import {durationSeconds} from './duration.ts';

test.each([
  ['15m', 900],
  ['1h30m', 5400],
  ['1h0m5s', 3605],
  ['90s', 90],
  ['0s', 0],
  ['2h', 7200],
])('%s is %d seconds', (text, seconds) => {
  expect(durationSeconds(text)).toBe(seconds);
});

test.each(['', '15', 'm', '1.5h', '-1m', '1m30', '30s1m', '1d', '500ms', ' 1m', '1m\n', '1234567s'])(
  '%j is no duration',
  (text) => {
    expect(durationSeconds(text)).toBeUndefined();
  },
);
