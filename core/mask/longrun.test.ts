import {describe, expect, test} from '@jest/globals';
import {cutEverywhere, flushed, maskedInChunks} from '../../test/maskcuts.ts';
import {planOf} from '../../test/maskplan.ts';
import {createMasker, type MaskerOptions} from './createmasker.ts';
import {isPanText} from './pan.ts';
import type {PanShow} from './plan.ts';
import {hiddenDigits} from './show.ts';

const optionsOf = (mediaType: MaskerOptions['mediaType'], show: PanShow = 'LastFour'): MaskerOptions => ({
  mediaType,
  plan: planOf({detector: 'PAN', longDigitRuns: true, show}),
});
const TEXT = optionsOf('text');
const JSON_ = optionsOf('json');
const SECRET: MaskerOptions = {...JSON_, base64: true};
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const star = (count: number): string => '*'.repeat(count);

/** What must be left of a run of digits that is longer than any card: written down as it is said. */
function reference(run: string, show: PanShow = 'LastFour'): string {
  const out = [...run];
  for (let from = 0; from < run.length; from++) {
    for (let digits = 12; digits <= 19; digits++) {
      if (from + digits > run.length || !isPanText(run.slice(from, from + digits))) continue;
      const hidden = hiddenDigits(show, digits);
      out.fill('*', from + hidden.from, from + hidden.to);
    }
  }
  return out.join('');
}

const MIDDLE = `${'0'.repeat(30)}5555555555554444${'1'.repeat(30)}`;

test('the reference hides a card, and where two overlap what either hides', () => {
  expect(reference('00000055555555555544449999')).toBe(`000000${star(12)}44449999`);
  expect(reference('00000041111111111111110000')).toBe(`000000${star(14)}110000`);
});

describe('in text', () => {
  test.each<[string, string, string]>([
    ['among zeros', '00000041111111111111110000', `000000${star(14)}110000`],
    ['at the start', '55555555555544449999', '************44449999'],
    ['at the end', '00004111111111111111', '0000************1111'],
    ['of 20 digits', '94111111111111111119', reference('94111111111111111119')],
    ['beside letters', 'x00000041111111111111110000y', `x000000${star(14)}110000y`],
    ['in the middle of 60 digits', MIDDLE, reference(MIDDLE)],
    ['two', '00555555555555444400005555555555554444', '00************44440000************4444'],
    ['two that touch', '55555555555544445555555555554444', reference('55555555555544445555555555554444')],
    ['in one of several groups', '12 0000005555555555554444 7', '12 000000************4444 7'],
    [
      'behind groups of a card',
      '4111 1111 1111 1111 0000005555555555554444',
      '**** **** **** 1111 000000************4444',
    ],
    ['escaped', '\\u0030000005555555555554444', '\\u003000000************4444'],
    ['escaped, as a digit of the card', '000000\\u0035555555555554444', '000000\\u002a***********4444'],
    ['percent-encoded', '%30%30%30%30%35555555555554444', '%30%30%30%30%2a***********4444'],
    [
      'full-width',
      '\uff10\uff10\uff10\uff10\uff10555555555555\uff14444',
      '\uff10\uff10\uff10\uff10\uff10************\uff14444',
    ],
    ['with something invisible', '0000\u200b0055555555\u200b55554444', '0000\u200b00********\u200b****4444'],
    ['with a fraction', '0000005555555555554444.25', '000000************4444.25'],
    ['a card alone', '4111111111111111', '************1111'],
    ['a card in groups', '4111-1111-1111-1111', '****-****-****-1111'],
    ['not an AWS account', '99995018000000090000.dkr.ecr', `${reference('99995018000000090000')}.dkr.ecr`],
  ])('masks a card %s', (_, input, expected) => {
    cutEverywhere(TEXT, input, expected);
  });

  test.each([
    ['in a run that is no longer than a card', '0004111111111111111'],
    ['in shorter groups', '1234 0004111111111111111 99'],
    ['in a digest', `sha256:${'a'.repeat(30)}0000005555555555554444${'b'.repeat(12)}`],
    ['in a SHA-512', `${'a'.repeat(10)}${'0000005555555555554444'.repeat(5)}${'c'.repeat(8)}`],
    ['in a fraction', 'ratio=0.0000005555555555554444'],
    ['with a wrong check digit', '00000055555555555544450000'],
  ])('leaves a card %s', (_, input) => {
    cutEverywhere(TEXT, input, input);
  });

  test.each<[PanShow, string]>([
    ['None', `000000${star(16)}0000`],
    ['FirstSixLastFour', `000000555555${star(6)}44440000`],
  ])('shows %s', (show, expected) => {
    cutEverywhere(optionsOf('text', show), '00000055555555555544440000', expected);
  });

  test('what overlaps shows no more than each does alone', () => {
    let state = 1;
    const digit = (): number => {
      state = (state * 48271) % 0x7fffffff;
      return state % 10;
    };
    for (let round = 0; round < 100; round++) {
      const run = Array.from({length: 20 + (round % 110)}, (_, index) => (index % 16 === 0 ? 4 : digit())).join('');
      for (const show of ['None', 'LastFour', 'FirstSixLastFour'] as const) {
        const cuts = Array.from({length: 12}, (_, index) => (index + 1) * 7).filter((cut) => cut < run.length);
        expect(maskedInChunks(optionsOf('text', show), Buffer.from(run), cuts)).toBe(reference(run, show));
      }
    }
  });

  test('of megabytes of digits is done in seconds', () => {
    const run = '4444444444444448'.repeat(60_000);
    const start = performance.now();
    const masked = maskedInChunks(TEXT, Buffer.from(run), [100_000, 800_000]);
    expect(masked.slice(0, 1000)).toBe(reference(run.slice(0, 2000)).slice(0, 1000));
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

describe('in JSON', () => {
  const long = '12'.repeat(70);
  test.each<[string, string, string]>([
    ['a string', '{"a":"0000005555555555554444"}', '{"a":"000000************4444"}'],
    ['a number', '{"a":1000005555555555554444}', `{"a":"${star(20)}"}`],
    ['a negative number', '[-10000055555555555544440]', `["${star(22)}"]`],
    ['a number with a fraction', '[1000005555555555554444.5]', `["${star(22)}"]`],
    ['a number with an exponent', '[1000005555555555554444e2]', `["${star(22)}"]`],
    ['a number alone', '1000005555555555554444', `"${star(20)}"`],
    ['a number of a card', '[5555555555554444]', '["**********4444"]'],
    ['JSON in a string', '{"a":"{\\"b\\":1000005555555555554444}"}', '{"a":"{\\"b\\":100000************4444}"}'],
    ['a number too long to wait for', `[${long}5555555555554444,1]`, `[${long}1000000000000000,1]`],
  ])('masks %s', (_, input, expected) => {
    cutEverywhere(JSON_, input, expected);
    expect(() => JSON.parse(expected)).not.toThrow();
  });

  test.each([
    ['a fraction', '[0.0000005555555555554444,12.1000005555555555554444]'],
    ['a counter', '{"availableBytes":10000055555555555544440}'],
    ['numbers without a card', '[99999999999999999999999,0.1,1e5,-7]'],
  ])('leaves %s', (_, input) => {
    cutEverywhere(JSON_, input, input);
  });

  test('keeps a number of hundreds of digits a number', () => {
    const number = `9${'4444444444444448'.repeat(25)}`;
    const input = `[${number},1]`;
    const whole = maskedInChunks(JSON_, Buffer.from(input));
    expect(whole).toMatch(/^\[9[0-9]*,1\]$/);
    expect(whole).not.toContain('44444444');
    cutEverywhere(JSON_, input, whole);
  });
});

test('in base64', () => {
  const secret = (value: string): string => JSON.stringify({data: {value: base64(`x ${value}.`)}});
  cutEverywhere(SECRET, secret('0000005555555555554444'), secret('000000************4444'));
});

describe('a flush', () => {
  test.each<[string, string[], string[], number]>([
    ['shows a number of four digits as it is typed', [...'4318\n'], [...'4318\n'], 0],
    ['shows what begins no card', [...'0000', '\n'], [...'0000', '\n'], 0],
    [
      'hides a card inside as it comes in',
      [...'0000005555555555554444', '\n'],
      [...`000000555555${star(10)}`, '\n'],
      1,
    ],
    ['hides the rest of a card', ['000000555555555', '5554444\n'], ['000000555555***', `${star(7)}\n`], 1],
    ['hides a card that was whole before', ['0005555555555554444', '00\n'], [`000555555${star(10)}`, '**\n'], 1],
    ['hides nothing that is out', ['x 04000000400080007000', '0000 x'], ['x 04000000400080******', '**** x'], 1],
    ['shows no more of a run that ends', ['000555555555', '\n'], ['000555555***', '\n'], 0],
  ])('%s', (_, parts, out, found) => {
    expect(flushed(TEXT, parts)).toEqual({out, found});
  });
});

describe('holding back', () => {
  function held(options: MaskerOptions, input: string): number {
    const masker = createMasker(options);
    masker.push(Buffer.from(input), () => {});
    return masker.heldBytes;
  }

  test.each<[string, MaskerOptions, string, number]>([
    ['nothing where no card can begin', TEXT, 'a 0000000', 0],
    ['from where a card may begin', TEXT, 'a 0000005', 1],
    ['a card until it is known that the run is longer', TEXT, 'a 0005555555555554444', 16],
    ['no card of a run that ends', TEXT, 'a 0005555555555554444 x', 0],
    ['a number of JSON, which may become a string', JSON_, '[1000000', 7],
  ])('%s', (_, options, input, expected) => {
    expect(held(options, input)).toBe(expected);
  });

  test('never exceeds a kilobyte, whatever comes', () => {
    const worst = [
      '4'.repeat(5000),
      `[${'4'.repeat(5000)}`,
      '44444444444444440'.repeat(300),
      '\\\\u0034'.repeat(1000),
      '\\\\\\\\\\\\\\\\u0034'.repeat(400),
      '&#000052;'.repeat(600),
      `4111${'\u200b'.repeat(2000)}`,
      '4\u001b[38;5;196m'.repeat(500),
      `4${'\u200b'.repeat(40)}`.repeat(60),
      base64('4'.repeat(3000)),
    ];
    for (const options of [TEXT, JSON_, SECRET]) {
      for (const input of worst) {
        const masker = createMasker(options);
        let bytesHeld = 0;
        for (const byte of Buffer.from(input)) {
          masker.push(Buffer.of(byte), () => {});
          bytesHeld = Math.max(bytesHeld, masker.heldBytes);
        }
        expect(bytesHeld).toBeLessThanOrEqual(1024);
      }
    }
  });
});

test('counts each card once, and what overlaps no more often than it hides something', () => {
  const masker = createMasker(TEXT);
  masker.push(Buffer.from('0055555555555544440000 0000005555555555554444\n'), () => {});
  masker.end(() => {});
  expect(masker.counts.PAN).toBe(2);
});
