import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {flushed} from '../../test/maskcuts.ts';
import {planOf} from '../../test/maskplan.ts';
import {createMasker, type MaskerOptions} from './createmasker.ts';
import {isPanText} from './pan.ts';
import type {PanPlan} from './plan.ts';

const TEXT: MaskerOptions = {mediaType: 'text'};
const JSON_: MaskerOptions = {mediaType: 'json'};
const TEXT_BASE64: MaskerOptions = {mediaType: 'text', base64: true};

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a flush of text', () => {
  test.each([
    ['releases digits that may be the first of a PAN', ['$ 4', '\n'], ['$ 4', '\n'], 0],
    ['releases no more than six of them', ['4111111', 'x'], ['411111*', 'x'], 0],
    ['hides all digits that follow', ['411', '1111111111111', ' 1'], ['411', '111**********', ' 1'], 1],
    ['hides digits that come one by one', [...'4111111111111111', '\n'], [...'411111**********', '\n'], 1],
    ['hides over separators', ['4111 ', '1111 ', '1111-1111 x'], ['4111 ', '11** ', '****-**** x'], 1],
    ['hides a whole PAN that may go on', ['4111111111111111', '\n'], ['411111**********', '\n'], 1],
    ['keeps the mask of a PAN that may go on', ['4111 1111 1111 1111 ', 'x'], ['**** **** **** **** ', 'x'], 1],
    ['masks a PAN whose word goes on', ['4111111111111111a', 'b\n'], ['************1111a', 'b\n'], 1],
    ['hides the next PAN of the same row', ['4111 ', '5555 5555 5555 4444\n'], ['4111 ', '55** **** **** ****\n'], 1],
    ['counts nothing that is no PAN', ['4111111', '111111112\n'], ['411111*', '*********\n'], 0],
    [
      'hides no more once it is too long',
      ['4111111', '1111111111111111', '1x'],
      ['411111*', '************1111', '1x'],
      0,
    ],
    ['hides no more once it is no grouping', ['4111 1', '11 1111\n'], ['4111 1', '1* 1111\n'], 0],
    ['holds again after the run', ['411', '1x4111111111111111\n'], ['411', '1x************1111\n'], 1],
    ['leaves what cannot be a PAN', ['1234567890', '12\n'], ['1234567890', '12\n'], 0],
    ['releases a backslash', ['\\', 'n'], ['\\', 'n'], 0],
    ['releases half an escape', ['\\u00', '34111111111111111\n'], ['\\u00', '3411111**********\n'], 1],
    [
      'holds half an escape that it may have to hide',
      ['411111\\u003', '1111111111\n'],
      ['411111', '\\u002a*********\n'],
      1,
    ],
    ['hides whole escapes', ['411111', '\\u0031111111111\n'], ['411111', '\\u002a*********\n'], 1],
    ['releases an escape that is a word', ['\\u41', '11111111111111\n'], ['\\u41', '1111**********\n'], 1],
  ])('%s', (_, parts, out, found) => {
    expect(flushed(TEXT, parts)).toEqual({out, found});
  });

  test('leaves nothing held back', () => {
    const masker = createMasker(TEXT);
    masker.push(Buffer.from('a 4111 11'), () => {});
    expect(masker.heldBytes).toBe(7);
    masker.flush(() => {});
    expect(masker.heldBytes).toBe(0);
    masker.push(Buffer.from('11'), () => {});
    expect(masker.heldBytes).toBe(0);
  });

  test('does not reach into the next stream of the same masker', () => {
    const masker = createMasker(TEXT);
    let out = '';
    const emit = (bytes: Buffer): void => {
      out += bytes.toString();
    };
    masker.push(Buffer.from('4111111'), emit);
    masker.flush(emit);
    masker.end(emit);
    masker.push(Buffer.from('1111111114111111111111111\n4111111111111111'), emit);
    masker.end(emit);
    expect(out).toBe('411111*1111111114111111111111111\n************1111');
  });
});

describe('a flush of JSON', () => {
  test.each([
    ['a number', ['[4111', '111111111111]'], ['[', '"**********1111"]']],
    ['a string', ['["4111 ', '1111 1111 1111"]'], ['["', '**** **** **** 1111"]']],
  ])('holds %s', (_, parts, out) => {
    expect(flushed(JSON_, parts)).toEqual({out, found: 1});
    expect(flushed({...JSON_, base64: true}, parts)).toEqual({out, found: 1});
  });
});

describe('a flush of text with base64', () => {
  test('releases a word that has not ended', () => {
    expect(flushed(TEXT_BASE64, [...'ls -l\n'])).toEqual({out: [...'ls -l\n'], found: 0});
  });

  test('masks a PAN in what comes after', () => {
    const word = base64('no card: 4111111111111111.');
    const {out, found} = flushed(TEXT_BASE64, [word.slice(0, 7), word.slice(7)]);
    expect(Buffer.from(out.join(''), 'base64').toString()).toBe('no card: ************1111.');
    expect(found).toBe(1);
  });

  test('shows no more than eight digits, flushed at every offset', () => {
    for (const before of ['', 'x', 'xx']) {
      const word = base64(`${before}4929123456789015${before}`);
      for (let cut = 1; cut < word.length; cut++) {
        for (const parts of [
          [word.slice(0, cut), word.slice(cut)],
          [...word.slice(0, cut), word.slice(cut)],
        ]) {
          const text = flushed(TEXT_BASE64, parts).out.join('');
          expect(text).toHaveLength(word.length);
          const plain = Buffer.from(text, 'base64').toString('latin1').slice(before.length);
          const shown = [...'4929123456789015'].filter((digit, index) => index < 12 && plain[index] === digit);
          expect(shown.length).toBeLessThanOrEqual(8);
        }
      }
    }
  });
});

/** Some text, of which each part may be one digit of a PAN. */
type Piece = readonly {readonly text: string; readonly isDigit: boolean}[];

/** Luhn's check digit appended. */
function withCheckDigit(digits: string): string {
  const check = [...'0123456789'].find((digit) => isPanText(digits + digit));
  return digits + (check ?? '0');
}

const digit = fc.constantFrom(...'0123456789');

const card = fc
  .tuple(fc.constantFrom('4', '51', '2221', '6011', '3530'), fc.array(digit, {minLength: 15, maxLength: 15}))
  .map(([prefix, rest]) => withCheckDigit((prefix + rest.join('')).slice(0, 15)));

const separated = fc
  .tuple(card, fc.constantFrom('', ' ', '-', '.', '\u00a0', '\u200b', '%20', '&nbsp;', '\u001b[0m '))
  .map(
    ([number, separator]): Piece =>
      [...number].flatMap((character, index) => [
        {text: index > 0 && index % 4 === 0 ? separator : '', isDigit: false},
        {text: character, isDigit: true},
      ]),
  );

/** Each way to write a digit. */
const WRITTEN: readonly ((digit: string) => string)[] = [
  ...[(digit: string) => digit, (digit: string) => `\\u003${digit}`, (digit: string) => `%3${digit}`],
  ...[(digit: string) => `&#${48 + Number(digit)};`, (digit: string) => `\\uff1${digit}`],
  ...[(digit: string) => String.fromCharCode(0xff10 + Number(digit)), (digit: string) => `%EF%BC%9${digit}`],
];

/** Among other digits, of which there are more than any card has. */
const inside = fc
  .tuple(fc.array(digit, {minLength: 4, maxLength: 24}), card, fc.array(digit, {maxLength: 24}))
  .map(
    ([before, number, after]): Piece => [
      {text: before.join(''), isDigit: false},
      ...[...number].map((character) => ({text: character, isDigit: true})),
      {text: after.join(''), isDigit: false},
    ],
  );

const escaped = fc.tuple(card, fc.nat(), fc.constantFrom(...WRITTEN), fc.constantFrom(...WRITTEN)).map(
  ([number, which, one, other]): Piece =>
    [...number].map((character, index) => ({
      text: (which >> index) & 1 ? one(character) : other(character),
      isDigit: true,
    })),
);

/** What is between the cards begins and ends with a byte that no card has, nor a word that could excuse one. */
const between = fc
  .array(
    fc.constantFrom(
      ...[
        'a',
        ' ',
        '-',
        '.',
        '4',
        '41 ',
        '55',
        '1234',
        '2026',
        '\\',
        '\\u00',
        'é',
        '\n',
        ':',
        '%',
        '%3',
        '&',
        '&#5',
        '\u2009',
      ],
      ...['\u001b', '\u001b[', '\r'],
    ),
    {maxLength: 6},
  )
  .map((parts): Piece => [{text: `;${parts.join('')}x`, isDigit: false}]);

const pieces = fc
  .array(fc.oneof(separated, escaped, between), {maxLength: 8})
  .chain((some) =>
    fc
      .array(between, {minLength: some.length + 1, maxLength: some.length + 1})
      .map((gaps) => gaps.flatMap((gap, index) => [gap, ...some.slice(index, index + 1)])),
  );

const cuts = fc.array(fc.tuple(fc.integer({min: 1, max: 12}), fc.boolean()), {minLength: 1, maxLength: 20});

const panPlan = fc.oneof(
  fc.constant({show: 'LastFour', longDigitRuns: false} as const),
  fc.record({show: fc.constantFrom('None' as const, 'LastFour', 'FirstSixLastFour'), longDigitRuns: fc.boolean()}),
);

/** The bytes out, flushed at these offsets, cut there and where else it is said. */
function run(
  input: Buffer,
  pan: PanPlan,
  flushes: ReadonlySet<number>,
  cut: ReadonlySet<number>,
): {out: Buffer; found: number} {
  const masker = createMasker({...TEXT, plan: planOf({detector: 'PAN', ...pan})});
  const emitted: Buffer[] = [];
  const emit = (bytes: Buffer): void => {
    emitted.push(Buffer.from(bytes));
  };
  let from = 0;
  for (let to = 1; to <= input.length; to++) {
    if (!flushes.has(to) && !cut.has(to)) continue;
    masker.push(Buffer.from(input.subarray(from, to)), emit);
    if (flushes.has(to)) {
      masker.flush(emit);
      // Nothing is held but what has begun where digits are hidden, and may be one when it is whole.
      const [first = 0x80] = input.subarray(to - masker.heldBytes, to);
      expect(masker.heldBytes).toBeLessThan(12);
      expect(first >= 0x80 || '\\%&\u001b\r'.includes(String.fromCharCode(first))).toBe(true);
      expect(Buffer.concat(emitted)).toHaveLength(to - masker.heldBytes);
    }
    from = to;
  }
  masker.push(Buffer.from(input.subarray(from)), emit);
  masker.end(emit);
  return {out: Buffer.concat(emitted), found: masker.counts.PAN};
}

test('flushed anywhere, no PAN inside of a long run shows more', () => {
  fc.assert(
    fc.property(inside, panPlan, cuts, (piece, pan, steps) => {
      const input = Buffer.from(`x ${piece.map(({text}) => text).join('')} x`);
      const flushes = new Set<number>();
      let at = 0;
      for (let index = 0; at < input.length; index++) {
        const [length, isFlush] = steps[index % steps.length] ?? [1, true];
        at += length;
        if (isFlush) flushes.add(at);
      }
      const out = run(input, {...pan, longDigitRuns: true}, flushes, new Set()).out.toString();
      const [leading, last] = pan.show === 'None' ? [4, 0] : [6, 4];
      const start = 2 + (piece[0]?.text.length ?? 0);
      expect(out).toHaveLength(input.length);
      expect(out.slice(start + leading, start + 16 - last)).toBe('*'.repeat(16 - leading - last));
    }),
    {numRuns: 500},
  );
});

test('flushed anywhere, no PAN shows more than its first six and last four digits, and nothing but digits changes', () => {
  fc.assert(
    fc.property(pieces, panPlan, cuts, cuts, (parts, pan, steps, otherSteps) => {
      const input = Buffer.from(parts.flatMap((piece) => piece.map(({text}) => text)).join(''));
      const flushes = new Set<number>();
      const cut = new Set<number>();
      let at = 0;
      for (let index = 0; at < input.length; index++) {
        const [length, isFlush] = steps[index % steps.length] ?? [1, true];
        at += length;
        (isFlush ? flushes : cut).add(at);
      }
      const {out, found} = run(input, pan, flushes, cut);

      expect(out).toHaveLength(input.length);
      const [leading, last] = pan.show === 'None' ? [4, 0] : [6, 4];
      let start = 0;
      for (const piece of parts) {
        const digits = piece.filter(({isDigit}) => isDigit).length;
        let nth = 0;
        for (const {text, isDigit} of piece) {
          const end = start + Buffer.byteLength(text);
          const after = out.subarray(start, end).toString();
          // What is between may have digits, encoded too, that look like the first of a card.
          if (!isDigit) expect(after.replace(/[0-9a*]/g, '')).toBe(text.replace(/[0-9a*]/g, ''));
          else if (nth >= leading && nth < digits - last) expect(after).not.toBe(text);
          if (isDigit) nth++;
          start = end;
        }
      }
      // Part of one can be another, of 12 digits.
      expect(found).toBeGreaterThanOrEqual(parts.filter((piece) => piece.some(({isDigit}) => isDigit)).length);

      const others = new Set<number>();
      let other = 0;
      for (const [length] of otherSteps) {
        other += length;
        others.add(other);
      }
      expect(run(input, pan, flushes, others)).toEqual({out, found});
    }),
    {numRuns: 500},
  );
});
