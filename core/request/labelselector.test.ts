import {describe, expect, test} from '@jest/globals';
import {isLabelSelector} from './labelselector.ts';

describe('label selectors that labels.Parse takes', () => {
  test.each([
    '',
    'app',
    '!app',
    'app=web',
    'app==web',
    'app!=web',
    'app=',
    'app=,x',
    'example.com/app=web',
    'app in (a,b)',
    'app in ()',
    'app in (,)',
    'app in (a,,b,)',
    'app notin (in,notin)',
    'in in (in)',
    'notin',
    ' app = web ',
    'app in(a)',
    'x>5',
    'x<9223372036854775807',
  ])('%j', (selector) => expect(isLabelSelector(selector)).toBe(true));
});

describe('label selectors that it refuses', () => {
  test.each([
    ',',
    'a,',
    ',a',
    '=',
    '!',
    '!!a',
    '!a=b',
    'a b',
    'a=b c',
    'a=b=c',
    'a===b',
    'a=!b',
    'a in x',
    'a in (a b)',
    'a in (a',
    'a in (',
    '(a)',
    '-a=b',
    'a=-b',
    '/b=c',
    'a/b/c',
    'A.b/c',
    'a=é',
    'x>a',
    'x>',
    'x<9223372036854775808',
    `${'a'.repeat(64)}`,
    `a=${'a'.repeat(64)}`,
    `${'a'.repeat(254)}/b`,
  ])('%j', (selector) => expect(isLabelSelector(selector)).toBe(false));
});
