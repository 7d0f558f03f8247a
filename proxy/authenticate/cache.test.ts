import {describe, expect, test} from '@jest/globals';
import {ExpiringCache} from './cache.ts';

describe('ExpiringCache', () => {
  test('gives what was set, until its time', () => {
    const cache = new ExpiringCache<string>(10);
    cache.set('a', 'x', 1000);
    expect([cache.get('a', 999), cache.get('b', 999), cache.get('a', 1000), cache.get('a', 999)]).toEqual([
      'x',
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('never holds more than its bound', () => {
    const cache = new ExpiringCache<number>(10);
    for (let n = 0; n < 1000; n++) {
      cache.set(String(n), n, Number.POSITIVE_INFINITY);
      expect(cache.size).toBeLessThanOrEqual(10);
    }
    expect(cache.get('999', 0)).toBe(999);
    expect(cache.get('0', 0)).toBeUndefined();
  });

  test('keeps what is asked for', () => {
    const cache = new ExpiringCache<number>(10);
    cache.set('kept', 0, Number.POSITIVE_INFINITY);
    for (let n = 0; n < 1000; n++) {
      cache.set(String(n), n, Number.POSITIVE_INFINITY);
      expect(cache.get('kept', 0)).toBe(0);
    }
  });

  test('an entry that is set again has the new value and time', () => {
    const cache = new ExpiringCache<string>(4);
    cache.set('a', 'old', 10);
    cache.set('b', 'b', 10);
    cache.set('c', 'c', 10);
    cache.set('a', 'new', 20);
    expect(cache.get('a', 15)).toBe('new');
  });

  test('an entry that is past its time in the old generation is gone', () => {
    const cache = new ExpiringCache<string>(2);
    cache.set('a', 'a', 10);
    cache.set('b', 'b', 100);
    expect(cache.get('a', 50)).toBeUndefined();
    expect(cache.get('b', 50)).toBe('b');
  });
});
