import {describe, expect, test} from '@jest/globals';
import {cutEverywhere, flushed} from '../../test/maskcuts.ts';
import {planOf} from '../../test/maskplan.ts';
import type {MaskerOptions} from './createmasker.ts';
import {isPanText} from './pan.ts';
import type {PanShow} from './plan.ts';
import {maskedPan} from './show.ts';

const optionsOf = (show: PanShow): Omit<MaskerOptions, 'mediaType'> => ({plan: planOf({detector: 'PAN', show})});
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const fullWidth = [...'4111111111111111'].map((digit) => String.fromCharCode(0xff10 + Number(digit)));
const escaped = [...'4111111111111111'].map((digit) => `\\u003${digit}`);
const percent = [...'4111111111111111'].map((digit) => `%3${digit}`);
const star = (count: number, written: string): string => written.repeat(count);

describe('in text', () => {
  test.each<[string, string, string, string]>([
    ['16 digits', '4111111111111111', '****************', '411111******1111'],
    ['19 digits', '4000000000000000006', '*******************', '400000*********0006'],
    ['15 digits', '378282246310005', '***************', '378282*****0005'],
    ['14 digits', '30569309025904', '**************', '**********5904'],
    ['13 digits', '4222222222222', '*************', '*********2222'],
    ['12 digits', '501800000009', '************', '********0009'],
    ['groups', '4111 1111-1111 1111', '**** ****-**** ****', '4111 11**-**** 1111'],
    ['4-6-5', '3782 822463 10005', '**** ****** *****', '3782 82**** *0005'],
    ['dots', '4111.1111.1111.1111', '****.****.****.****', '4111.11**.****.1111'],
    ['full-width digits', fullWidth.join(''), star(48, '*'), written(fullWidth, '***')],
    ['escapes', escaped.join(''), star(16, '\\u002a'), written(escaped, '\\u002a')],
    ['percent encoding', percent.join(''), star(16, '%2a'), written(percent, '%2a')],
    ['one that may be shorter', '4000 0000 0000 0000 006', '**** **** **** **** ***', '4000 00** **** ***0 006'],
  ])('%s', (_, input, none, firstSix) => {
    cutEverywhere({mediaType: 'text', ...optionsOf('None')}, input, none);
    cutEverywhere({mediaType: 'text', ...optionsOf('FirstSixLastFour')}, input, firstSix);
  });
});

/** The first six and the last four of 16 digits as they are written, the others hidden. */
function written(digits: readonly string[], hidden: string): string {
  return [...digits.slice(0, 6), star(6, hidden), ...digits.slice(12)].join('');
}

describe('in JSON', () => {
  test.each<[string, string, string, string]>([
    ['a string', '{"pan":"4111111111111111"}', '{"pan":"****************"}', '{"pan":"411111******1111"}'],
    ['a number', '{"pan":4111111111111111}', '{"pan":"**************"}', '{"pan":"411111****1111"}'],
    ['a number of 15 digits', '[378282246310005]', '["*************"]', '["378282***0005"]'],
    ['a number of 14 digits', '[30569309025904]', '["************"]', '["********5904"]'],
    ['a number of 12 digits', '[501800000009]', '["**********"]', '["******0009"]'],
    ['a negative number', '[-4111111111111111]', '["***************"]', '["411111*****1111"]'],
    ['a fraction', '[4111111111111111.00]', '["*****************"]', '["411111*******1111"]'],
    ['an exponent', '[4.111111111111111e15]', '["******************"]', '["411111********1111"]'],
    ['a negative exponent', '[41111111111111110e-1]', '["******************"]', '["411111********1111"]'],
    ['the shortest mantissa', '[5.01800000008e18]', '["**************"]', '["501800****0000"]'],
    [
      'a counter',
      '{"availableBytes":4222222222222}',
      '{"availableBytes":4222222222222}',
      '{"availableBytes":4222222222222}',
    ],
  ])('%s', (_, input, none, firstSix) => {
    cutEverywhere({mediaType: 'json', ...optionsOf('None')}, input, none);
    cutEverywhere({mediaType: 'json', ...optionsOf('FirstSixLastFour')}, input, firstSix);
  });
});

test.each<[PanShow, string]>([
  ['None', '**** **** **** ****'],
  ['FirstSixLastFour', '4111 11** **** 1111'],
])('in base64: %s', (show, expected) => {
  const secret = (value: string): string => JSON.stringify({data: {value: base64(`x ${value}.`)}});
  cutEverywhere({mediaType: 'json', base64: true, ...optionsOf(show)}, secret('4111 1111 1111 1111'), secret(expected));
});

describe('tracks are hidden whole', () => {
  test.each<PanShow>(['None', 'LastFour', 'FirstSixLastFour'])('%s', (show) => {
    const plan = planOf({detector: 'PAN', show}, {detector: 'TrackData'});
    const track = ';4111111111111111=29121011234567890?';
    cutEverywhere({mediaType: 'text', plan}, track, `;${star(track.length - 1, '*')}`);
  });
});

describe('a flush', () => {
  test.each<[string, PanShow, string[], string[], number]>([
    ['shows a number of four digits as it is typed', 'None', [...'4318\n'], [...'4318\n'], 0],
    ['hides what follows of what may be a PAN', 'None', [...'41111111', '\n'], [...'4111****', '\n'], 0],
    ['hides a PAN as it comes in', 'None', ['4111 11', '11 1111 1111\n'], ['4111 **', '** **** ****\n'], 1],
    ['hides a PAN whose word goes on, whole', 'None', ['4111111111111111a', 'b\n'], [`${star(16, '*')}a`, 'b\n'], 1],
    ['has shown what might have been a reference', 'None', [...'&#542026x', '\n'], [...'&#542026x', '\n'], 0],
    ['shows the first six', 'FirstSixLastFour', [...'4111111111111111', '\n'], [...'411111**********', '\n'], 1],
    [
      'shows the first six of a PAN whose word goes on',
      'FirstSixLastFour',
      ['4111111111111111a', 'b\n'],
      ['411111******1111a', 'b\n'],
      1,
    ],
    [
      'shows the first six of a PAN that may go on',
      'FirstSixLastFour',
      ['4111 1111 1111 1111 ', 'x'],
      ['4111 11** **** **** ', 'x'],
      1,
    ],
  ])('%s: %s', (_, show, parts, out, found) => {
    expect(flushed({mediaType: 'text', ...optionsOf(show)}, parts)).toEqual({out, found});
  });
});

test('no masked form is a PAN, and each hides five digits or more', () => {
  for (const show of ['None', 'LastFour', 'FirstSixLastFour'] as const) {
    for (let digits = 12; digits <= 19; digits++) {
      const masked = maskedPan('4'.repeat(digits), digits, show);
      expect(masked).toHaveLength(digits);
      expect(masked.replace(/[^*]/g, '').length).toBeGreaterThanOrEqual(5);
      expect(isPanText(masked.replace(/\*/g, ''))).toBe(false);
    }
  }
});
