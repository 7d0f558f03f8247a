import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {maskRequestURI} from './address.ts';

/** Stands in for the detector: four groups of four digits with at most one space or hyphen between. */
const maskText = (text: string) =>
  text.replace(/\d{4}([ -]?)\d{4}\1\d{4}\1(?=\d{4})/g, (found) => found.replace(/\d/g, '*'));

describe('maskRequestURI', () => {
  test.each([
    ['/api/v1/pods/4111111111111111', '/api/v1/pods/************1111'],
    ['/api/v1/pods?labelSelector=card%3D4111111111111111', '/api/v1/pods?labelSelector=card%3D************1111'],
    ['/x?q=4111-1111-1111-1111', '/x?q=****-****-****-1111'],
    ['/x?q=4111+1111+1111+1111', '/x?q=****+****+****+1111'],
    ['/x?q=4111%201111%201111%201111', '/x?q=****%20****%20****%201111'],
    ['/x?q=%34111111111111111', '/x?q=%2A***********1111'],
    ['/x?q=%34%31%31%31%31%31%31%31%31%31%31%31%31%31%31%31', `/x?q=${'%2A'.repeat(12)}%31%31%31%31`],
    ['/x?q=4111%2D1111%2d1111%2D1111', '/x?q=****%2D****%2d****%2D1111'],
    ['/api/v1/pods?limit=500&x=%ZZ%4&y=a%', '/api/v1/pods?limit=500&x=%ZZ%4&y=a%'],
    ['/x?q=%E9t%E9', '/x?q=%E9t%E9'],
  ])('%s', (uri, expected) => {
    expect(maskRequestURI(uri, maskText)).toBe(expected);
  });

  test('leaves an address without a number byte for byte', () => {
    fc.assert(
      fc.property(fc.string(), (uri) => {
        expect(maskRequestURI(uri, maskText)).toBe(uri);
      }),
    );
  });

  test('gives up the address rather than a number when the mask changes its length', () => {
    const shorten = (text: string) => text.replaceAll(' 4', '[masked]').replaceAll('4', 'X');
    const masked = maskRequestURI('/x?q=a+%34', shorten);
    expect(decodeURI(masked)).toBe('/x?q=a[masked]');
  });
});
