import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {maskedValues} from './counts.ts';
import {createMasker, type MaskerOptions, maskText} from './createmasker.ts';
import type {MaskPlan} from './plan.ts';

const TEXT: MaskerOptions = {mediaType: 'text'};
const JSON_: MaskerOptions = {mediaType: 'json'};
const SECRET: MaskerOptions = {mediaType: 'json', base64: true};

interface Masked {
  readonly out: string;
  readonly found: object;
}

function masked(options: MaskerOptions, input: string, cuts: readonly number[] = []): Masked {
  const masker = createMasker(options);
  const bytes = Buffer.from(input);
  const out: Buffer[] = [];
  const emit = (chunk: Buffer): void => {
    out.push(Buffer.from(chunk));
  };
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    masker.push(Buffer.from(bytes.subarray(from, to)), emit);
    from = to;
  }
  masker.end(emit);
  return {out: Buffer.concat(out).toString(), found: maskedValues(masker.counts)};
}

/** Whole, cut in two at every offset, and byte by byte. */
function expectMasked(options: MaskerOptions, input: string, expected: Masked): void {
  const {length} = Buffer.from(input);
  expect(masked(options, input)).toEqual(expected);
  for (let cut = 1; cut < length; cut++) expect({cut, ...masked(options, input, [cut])}).toEqual({cut, ...expected});
  const everyByte = Array.from({length: length - 1}, (_, index) => index + 1);
  expect(masked(options, input, everyByte)).toEqual(expected);
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A row of digits and other characters becomes as many asterisks. */
const hidden = (track: string): string => '*'.repeat(Buffer.byteLength(track));

const PAN = '4111111111111111';
const ONE = {TrackData: 1};

describe('a track is hidden from its card number to its end', () => {
  test.each([
    ['track 1', '%B', `${PAN}^DOE/JOHN^29121010000000000?`, ' x'],
    ['track 1 with a card number in groups', '%B', '3782 822463 10005^DOE/JOHN^29121010000000000?', '\n'],
    ['track 1 with a name beyond ASCII', '%B', `${PAN}^DOÉ/JOHN^29121010000000000?`, '\n'],
    ['track 1 without expiry', '%B', `${PAN}^DOE/JOHN^^^123?`, '\n'],
    ['track 1 without its last sentinel', '%B', `${PAN}^DOE/JOHN^29121010000000000`, '\n'],
    ['track 1, percent-encoded', '%25B', `${PAN}%5EDOE%2FJOHN%5E29121010000000000%3F`, '&x=1'],
    ['track 2', ';', `${PAN}=29121010000000000?`, ' x'],
    ['track 2 without sentinels', 'swiped ', `${PAN}=29121010000000000`, ' x'],
    ['track 2 of a card of 19 digits', ';', '4000000000000000006=29121010000000000?', ''],
    ['track 2, percent-encoded', 't=%3B', `${PAN}%3D29121010000000000%3F`, '&x=1'],
    ['track 2 of a chip', '', `${PAN}D29121010000000000F`, '\n'],
    ['track 2 of a chip in lower case', '', `${PAN}d29121010000000000f`, '\n'],
    ['track 2 in full-width digits', '', `${PAN.replaceAll('1', '１')}=29121010000000000?`, ''],
  ])('%s', (_, before, track, after) => {
    const expected = {out: `${before}${hidden(track)}${after}`, found: ONE};
    expectMasked(TEXT, before + track + after, expected);
    expectMasked(JSON_, `{"a":"${before}${track}${after.trim()}"}`, {
      out: `{"a":"${before}${hidden(track)}${after.trim()}"}`,
      found: ONE,
    });
  });

  test.each([
    ['escaped carets', `${PAN}\\u005eDOE\\/JOHN\\u005e29121010000000000?`],
    ['an escaped equals sign', `${PAN}\\u003d29121010000000000?`],
    ['escapes of a string in a string', `${PAN}\\\\u003d29121010000000000?`],
    ['a card number in escapes', `${PAN.replaceAll('4', '\\u0034')}=29121010000000000?`],
  ])('in JSON with %s', (_, track) => {
    expectMasked(JSON_, `{"a":"${track}","b":1}`, {out: `{"a":"${hidden(track)}","b":1}`, found: ONE});
  });

  test('both, one behind the other', () => {
    const [one, two] = [`${PAN}^DOE/JOHN^29121010000000000?`, `${PAN}=29121010000000000?`];
    expectMasked(TEXT, `%B${one};${two}`, {out: `%B${hidden(one)};${hidden(two)}`, found: {TrackData: 2}});
  });

  test('in the base64 of a Secret', () => {
    const track = `${PAN}=29121010000000000?`;
    const input = `{"data":{"swipe":"${base64(`;${track}\n`)}"}}`;
    const out = `{"data":{"swipe":"${base64(`;${hidden(track)}\n`)}"}}`;
    expectMasked(SECRET, input, {out, found: ONE});
  });

  test('in a string at hand', () => {
    expect(maskText(`;${PAN}=29121010000000000?`)).toBe(`;${hidden(`${PAN}=29121010000000000?`)}`);
  });
});

describe('what only begins as a track is a card number and what follows it', () => {
  test.each([
    ['a sum', `${PAN}=1`],
    ['a month that there is not', `${PAN}=2913101000`],
    ['no service code', `${PAN}=2912`],
    ['a caret', `${PAN}^2`],
    ['one caret and a name', `${PAN}^DOE/JOHN`],
    ['a name without an end', `${PAN}^${'x'.repeat(60)}^29121010000000000?`],
    ['hex that goes on otherwise', `${PAN}D0A1B2C3`],
    ['another card number', `${PAN}=5555555555554444`, '************1111=************4444', 2],
  ])('%s', (_, input, out = input.replace(PAN, '************1111'), found = 1) => {
    expectMasked(TEXT, input, {out, found: {PAN: found}});
    expectMasked(JSON_, `["${input}"]`, {out: `["${out}"]`, found: {PAN: found}});
  });

  test('where the number is none it is left alone', () => {
    const input = ';4111111111111112=29121010000000000?';
    expectMasked(TEXT, input, {out: input, found: {}});
  });
});

describe('by plan', () => {
  const plan: MaskPlan = {
    key: '',
    pan: undefined,
    trackData: true,
    cardVerificationCode: false,
    regexes: [],
    fields: [],
    decodeBase64: false,
    exemptFields: [],
  };
  const swipe = `${PAN} ;${PAN}=29121010000000000?`;

  test('tracks alone are hidden', () => {
    const {out, found} = masked({mediaType: 'text', plan}, swipe);
    expect(out).toBe(`${PAN} ;${hidden(`${PAN}=29121010000000000?`)}`);
    expect(found).toMatchObject({TrackData: 1});
  });

  test('in a track that is not asked for, the card number is hidden', () => {
    const pan = {show: 'LastFour', longDigitRuns: false} as const;
    const {out, found} = masked({mediaType: 'text', plan: {...plan, pan, trackData: false}}, swipe);
    expect(out).toBe('************1111 ;************1111=29121010000000000?');
    expect(found).toMatchObject({PAN: 2});
  });
});

describe('a flush', () => {
  function flushed(parts: readonly string[]): {out: string[]; found: object} {
    const masker = createMasker(TEXT);
    const out = parts.map((part, index) => {
      let emitted = '';
      const emit = (bytes: Buffer): void => {
        emitted += bytes.toString('latin1');
      };
      masker.push(Buffer.from(part), emit);
      if (index < parts.length - 1) masker.flush(emit);
      else masker.end(emit);
      return emitted;
    });
    return {out, found: maskedValues(masker.counts)};
  }

  test.each([
    [
      'hides what follows the number',
      [`;${PAN}=291`, '21010000', '?\n'],
      [`;${'*'.repeat(20)}`, '********', '*\n'],
      ONE,
    ],
    ['hides a name', [`%B${PAN}^DO`, 'E/J^2912', '101?'], [`%B${'*'.repeat(19)}`, '********', '****'], ONE],
    ['holds half an escape', [`${PAN}%`, '3D2912101 x'], ['411111**********', '********** x'], ONE],
    ['hides no more where it is no track', [`${PAN}=2`, '9x5'], ['*'.repeat(18), '*x5'], {PAN: 1}],
    [
      'hides the card that it is instead',
      [`${PAN}=5`, '555555555554444\n'],
      ['*'.repeat(18), '**555**********\n'],
      {PAN: 2},
    ],
  ])('%s', (_, parts, out, found) => {
    expect(flushed(parts)).toEqual({out, found});
  });

  test('leaves nothing held back', () => {
    const masker = createMasker(TEXT);
    masker.push(Buffer.from(`${PAN}=2912`), () => {});
    masker.flush(() => {});
    expect(masker.heldBytes).toBe(0);
  });

  test('after any byte shows no more than the first six digits', () => {
    for (const track of [`${PAN}^DOE/JOHN^29121010000000000?`, `${PAN}=29121010000000000?`]) {
      for (const parts of [[...track], ...Array.from(track, (_, cut) => [track.slice(0, cut), track.slice(cut)])]) {
        expect(flushed(parts).out.join('')).toMatch(/^[41]{0,6}\*+$/);
      }
    }
  });
});

test('anything like a track comes out the same however it is cut, in as many bytes', () => {
  const piece = fc.constantFrom(
    ...[PAN, '4000000000006', '=', '^', 'D', '%3D', '%5E', '\\u005e', '2912', '101', '0', 'DOE/J', '?', '%', ' ', '-'],
  );
  fc.assert(
    fc.property(
      fc.array(piece, {maxLength: 20}),
      fc.array(fc.nat({max: 40}), {maxLength: 10}),
      fc.constantFrom(TEXT, JSON_),
      (pieces, steps, options) => {
        const input = options === JSON_ ? `["${pieces.join('')}"]` : pieces.join('');
        let at = 0;
        const cuts = steps.map((step) => {
          at = Math.min(at + step, input.length);
          return at;
        });
        const whole = masked(options, input);
        expect(whole.out).toHaveLength(input.length);
        expect(masked(options, input, cuts)).toEqual(whole);
      },
    ),
    {numRuns: 2000},
  );
});
