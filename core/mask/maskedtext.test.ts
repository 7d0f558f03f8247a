import {describe, expect, test} from '@jest/globals';
import {holdsMask, type MaskTraces} from './maskedtext.ts';

const nothing: MaskTraces = {
  pan: false,
  panWithoutDigits: false,
  panInLongRuns: false,
  runs: false,
  cardVerificationCode: false,
};
const pan: MaskTraces = {...nothing, pan: true};
const none: MaskTraces = {...pan, panWithoutDigits: true};
const inside: MaskTraces = {...pan, panInLongRuns: true};
const all: MaskTraces = {
  pan: true,
  panWithoutDigits: true,
  panInLongRuns: true,
  runs: true,
  cardVerificationCode: true,
};

describe('masked are', () => {
  test.each<[string, MaskTraces]>([
    ['***', nothing],
    ['*******************', nothing],
    ['************1111', pan],
    ['paid with ************1111.', pan],
    ['card_********1111', pan],
    ['**** **** **** 1111', pan],
    ['****-****-****-1111', pan],
    ['****.****.****.1111', pan],
    ['**** ****** *1111', pan],
    ['411111******1111', pan],
    ['411111**1111', pan],
    ['4111 11** **** 1111', pan],
    ['**********1111', pan],
    ['******1111', pan],
    ['{"card":"************1111"}', pan],
    ['\\"************1111\\"', pan],
    [`${'\uff11'.padStart(37, '*')}\uff11\uff11\uff11`, pan],
    ['&#42;'.repeat(12) + '&#49;'.repeat(4), pan],
    ['%2a'.repeat(12) + '%31'.repeat(4), pan],
    [`${'%2A'.repeat(12)}1111`, pan],
    [`${'\\u002a'.repeat(12)}1111`, pan],
    ['**** ****\n**** 1111', pan],
    ['****+****+****+1111', pan],
    ['x\n************1111\ny', pan],
    ['411111****1111', pan],
    ['378282***0005', pan],
    ['411111**************1111', pan],
    ['no. ****************.', none],
    ['**** **** **** ****', none],
    ['**** ****** *****', none],
    ['{"a":"****************"}', none],
    [`no. ${'*'.repeat(48)}.`, none],
    [`${`${'*'.repeat(12)} `.repeat(3)}${'*'.repeat(12)}`, none],
    [`${'%2a'.repeat(16)}`, none],
    [`no. ${'*'.repeat(25)}.`, none],
    ['000000************44449999', inside],
    ['no. 9************4444999, ok', inside],
    ['000000555555*****44449999', inside],
    ['00************44440000************4444', inside],
    [`000000${'\\u002a'.repeat(12)}444499`, inside],
    ['password=******', all],
    ['%B****************************?', all],
    ['cvv: ***', all],
    ['cvc=****, ok', all],
    ['{"cvv":"***"}', all],
    ["cvv = '***'", all],
  ])('%s', (text, traces) => {
    expect(holdsMask(text, traces)).toBe(true);
  });
});

describe('not masked are', () => {
  test.each([
    ['', all],
    ['*', all],
    ['**', all],
    ['4111', all],
    ['* * * * *', all],
    ['*/5 * * * *', all],
    ['0 0 1 1 *', all],
    ['1 * * * 2024', all],
    ['**bold** and ***both***', all],
    ['a * 4 ** 2024', all],
    ['/**\n * a comment 2024\n **/', all],
    ['/********************\n * 2024\n ********************/', all],
    ['#############\n# ***** #\n#***********#', all],
    ['-- ****** --', all],
    ['src/**/*.ts', all],
    ['**** 2024', all],
    ['****** 2024-01-02 ******', pan],
    ['000000************44449999', pan],
    ['1**************1111', inside],
    ['00000000000000000000*****', {...inside, pan: false}],
    ['0000000000000000****', inside],
    ['a 20 ******************** b', inside],
    [`/*${'*'.repeat(39)}\n * 2024\n ${'*'.repeat(39)}*/`, none],
    ['************ 2024', pan],
    ['*****1111', pan],
    ['************111', pan],
    ['************11111', pan],
    ['1*************1111', pan],
    ['a ************ b', pan],
    ['&#42;&#42;', all],
    ['100%2a', all],
    ['cvv: *****', {...nothing, cardVerificationCode: true}],
    ['rate=***ok', {...nothing, cardVerificationCode: true}],
    ['a ***', {...nothing, cardVerificationCode: true}],
  ] as [string, MaskTraces][])('%s', (text, traces) => {
    expect(holdsMask(text, traces)).toBe(false);
  });
});

/** Where the work grew with the square of the length this would take hours. */
test('a text of megabytes is looked through', () => {
  for (const text of ['* * 1 '.repeat(500_000), `${'a line of text\n'.repeat(200_000)}*`, '*** a\n'.repeat(500_000)]) {
    expect(holdsMask(text, all)).toBe(false);
  }
}, 120_000);
