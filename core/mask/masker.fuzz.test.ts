import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {createMasker, type MaskerOptions} from './createmasker.ts';
import {isCardGrouping, isTight} from './grouping.ts';
import {isIdentifier} from './identifier.ts';
import {maskedNumber, readNumber} from './jsonnumber.ts';
import {isPanText} from './pan.ts';

const RUNS = {numRuns: 1000};

/** A digit, or a separator, as written: where, how long, which digit. */
interface Unit {
  readonly start: number;
  readonly end: number;
  readonly digit: string;
}

/** Groups of digits with one separator between each two. */
type Run = Unit[][];

/**
 * What the engine must do, on a whole document: slow, and as plain as can be. It shares with the engine only what is
 * decided about a number once it is found (issuers, groupings, identifiers, JSON numbers), each tested by itself.
 */
function reference(mediaType: 'json' | 'text', input: string): string {
  if (mediaType === 'text') return maskStretch(input, false);
  // Strings and what is between them.
  return input
    .split(/("(?:[^"\\]|\\.)*")/s)
    .map((part, index) => (index % 2 === 1 ? maskStretch(part, true) : maskNumbers(part)))
    .join('');
}

function maskNumbers(outside: string): string {
  return outside.replace(/-?[0-9][-+.eE0-9]*/g, (token) => {
    const number = readNumber(token);
    return number.kind === 'pan' ? maskedNumber(token.length, number.lastFour) : token;
  });
}

function maskStretch(text: string, json: boolean): string {
  const out = [...text];
  for (const window of runsOf(text, json).flatMap(cardsIn)) {
    const units = window.flat();
    const [first, last] = [units[0], units.at(-1)];
    if (first === undefined || last === undefined || standsInIdentifier(text, first.start, last.end)) continue;
    for (const {start, end} of units.slice(0, -4)) {
      if (end - start === 1) out[start] = '*';
      else out.splice(end - 2, 2, '2', 'a');
    }
  }
  return out.join('');
}

function standsInIdentifier(text: string, start: number, end: number): boolean {
  if (!/^[0-9-]*$/.test(text.slice(start, end))) return false;
  const from = start - (/[0-9A-Fa-f.+-]*$/.exec(text.slice(0, start))?.[0].length ?? 0);
  const to = end + (/^[0-9A-Fa-f.+-]*/.exec(text.slice(end))?.[0].length ?? 0);
  const word = {text: text.slice(from, to), before: text.slice(from - 1, from), after: text.slice(to, to + 1)};
  return isIdentifier(word, start - from, end - from);
}

function cardsIn(run: Run): Run[] {
  const found: Run[] = [];
  for (let from = 0; from < run.length; from++) {
    for (let to = from + 1; to <= run.length; to++) {
      const groups = run.slice(from, to);
      const sizes = groups.map((group) => group.length);
      const isWhole = groups.length === run.length;
      const digits = groups.flat().map(({digit}) => digit);
      if (groups.length > 1 && isTight(sizes[0] ?? 0) && !isWhole) continue;
      if (isCardGrouping(sizes) && isPanText(digits.join(''))) found.push(groups);
    }
  }
  return found;
}

function runsOf(text: string, json: boolean): Run[] {
  const runs: Run[] = [];
  let run: Run = [];
  let gap = true;
  const end = (): void => {
    if (run.length > 0) runs.push(run);
    run = [];
    gap = true;
  };
  const add = (digit: string, start: number, length: number): void => {
    if (gap) run.push([]);
    gap = false;
    run.at(-1)?.push({digit, start, end: start + length});
  };
  const separate = (): void => {
    if (gap) end();
    gap = true;
  };
  for (let at = 0; at < text.length; ) {
    const found = /^(\\\\?)u([0-9a-fA-F]{4})/.exec(text.slice(at));
    const character = text[at] ?? '';
    let length = 1;
    if (text.startsWith('\\\\\\', at)) {
      length = 2;
      end();
    } else if (found !== null) {
      const [whole, backslashes = '', hex = ''] = found;
      length = whole.length;
      const value = Number.parseInt(hex, 16);
      const meant = String.fromCharCode(value);
      if (/[0-9]/.test(meant)) add(meant, at, length);
      else if (/[ -]/.test(meant) && meant.length === 1 && ' -'.includes(meant)) separate();
      else {
        end();
        if (/^[0-9]{4}$/.test(hex) && value > 0xff && !(json && backslashes.length === 1)) {
          for (const [index, digit] of [...hex].entries()) add(digit, at + length - 4 + index, 1);
          gap = true;
        }
      }
    } else if (character === '\\') {
      length = text[at + 1] === '\\' ? 2 : 1;
      end();
    } else if (/[0-9]/.test(character)) add(character, at, 1);
    else if (' -'.includes(character)) separate();
    else end();
    at += length;
  }
  end();
  return runs;
}

function masked(options: MaskerOptions, input: Buffer, sizes: readonly number[]): string {
  const masker = createMasker(options);
  let out = '';
  const emit = (bytes: Buffer): void => {
    out += bytes.toString('latin1');
  };
  let from = 0;
  for (let index = 0; from < input.length; index++) {
    const to = from + (sizes[index % sizes.length] ?? input.length);
    masker.push(Buffer.from(input.subarray(from, to)), emit);
    from = to;
  }
  masker.end(emit);
  return out;
}

/** Luhn's check digit appended. */
function withCheckDigit(digits: string): string {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const weighted = index % 2 === 0 ? Number(digit) * 2 : Number(digit);
    return total + (weighted > 9 ? weighted - 9 : weighted);
  }, 0);
  return digits + ((10 - (sum % 10)) % 10);
}

const digits = (constraints: {minLength: number; maxLength: number}): fc.Arbitrary<string> =>
  fc.string({unit: fc.constantFrom(...'0123456789'), ...constraints});

const card = fc
  .tuple(
    fc.constantFrom('4', '51', '2221', '34', '37', '36', '6011', '3530', '62', '50', '61', '2200', '9792', '81'),
    digits({minLength: 9, maxLength: 16}),
  )
  .map(([prefix, rest]) => withCheckDigit(prefix + rest).slice(0, 20));

const grouped = fc
  .tuple(
    card,
    fc.constantFrom('', ' ', '-', '\\u0020', '\\u002d', '\\\\u002D'),
    fc.constantFrom([4], [4, 6], [6, 13], [1], [2], [5], [8]),
  )
  .map(([number, separator, sizes]) => {
    const groups: string[] = [];
    for (let from = 0, index = 0; from < number.length; index++) {
      const size = sizes[Math.min(index, sizes.length - 1)] ?? 4;
      groups.push(number.slice(from, from + size));
      from += size;
    }
    return groups.join(separator);
  });

const escaped = fc
  .tuple(card, fc.constantFrom('\\', '\\\\'), fc.nat())
  .map(([number, backslashes, which]) =>
    [...number].map((digit, index) => ((which >> index) & 1 ? `${backslashes}u003${digit}` : digit)).join(''),
  );

const filler = fc.constantFrom(
  ...['a', ' ', '-', '  ', '.', ',', ':', '_', 'x', 'e', 'E+', 'u', 'd', '0', '7', '42', '2026-07-30', '\n', '\\u00e9'],
  ...['\\u2014', '\\\\', '\\u12', '\\n', '\\u4111', 'deadbeef', '0.', '12.', 'e15', '550e8400-e29b-41d4-a716-', 'é'],
);

const content = fc
  .array(fc.oneof(card, grouped, escaped, filler, filler, digits({minLength: 1, maxLength: 24})), {maxLength: 12})
  // A word of more than 128 bytes is not waited for, which the reference does not know.
  .filter((parts) => !/[0-9A-Fa-f.+-]{100}/.test(parts.join('')))
  .map((parts) => parts.join(''));

const chunkSizes = fc.array(fc.integer({min: 1, max: 40}), {minLength: 1, maxLength: 20});

/** As latin1, so that an index is the same in bytes and in characters. */
const bytesOf = (text: string): Buffer => Buffer.from(text);

const numberToken = fc.oneof(
  card,
  card.map((number) => `-${number}`),
  fc.tuple(card, fc.nat(999)).map(([number, fraction]) => `${number}.${fraction}`),
  fc
    .tuple(card, fc.constantFrom('e', 'E+', 'e-'))
    .map(([number, e]) => `${number[0]}.${number.slice(1)}${e}${number.length - 1}`),
  card.map((number) => `0.${number}`),
  fc.integer().map(String),
  fc.double({noNaN: true, noDefaultInfinity: true}).map((value) => JSON.stringify(value)),
);

/** JSON text of a string: its escapes as they came, where they are escapes of JSON. */
const stringToken = content.map((text) => {
  const valid = text.replace(/\\(u[0-9a-fA-F]{4}|[\\n])|\\/g, (whole, kept) => (kept === undefined ? '' : whole));
  return `"${valid.replaceAll('\n', '\\n')}"`;
});

const space = fc.constantFrom('', '', '', ' ', '\n', '  ');

const jsonText: fc.Arbitrary<string> = fc.letrec<{value: string}>((tie) => ({
  value: fc.oneof(
    {depthSize: 'small'},
    numberToken,
    stringToken,
    fc.constantFrom('true', 'false', 'null', '""', '","', '":4111111111111111,"', '"[ 4111111111111111 ,"', '"\\""'),
    fc
      .tuple(fc.array(fc.tuple(space, tie('value')), {maxLength: 5}), space)
      .map(([values, last]) => `[${values.map(([before, value]) => before + value).join(',')}${last}]`),
    fc
      .array(fc.tuple(stringToken, space, tie('value')), {maxLength: 5})
      .map((members) => `{${members.map(([key, before, value]) => `${key}:${before}${value}`).join(',')}}`),
    stringToken.map((token) => JSON.stringify(`{"a":${token}}`)),
  ),
})).value;

test('text comes out as the reference masks it, however it is cut', () => {
  fc.assert(
    fc.property(content, chunkSizes, (text, sizes) => {
      const input = bytesOf(text);
      const expected = reference('text', input.toString('latin1'));
      expect(masked({mediaType: 'text'}, input, sizes)).toBe(expected);
      expect(masked({mediaType: 'text'}, input, [input.length])).toBe(expected);
    }),
    RUNS,
  );
});

describe('JSON', () => {
  test('comes out as the reference masks it, however it is cut', () => {
    fc.assert(
      fc.property(jsonText, chunkSizes, (text, sizes) => {
        const input = bytesOf(text);
        const expected = reference('json', input.toString('latin1'));
        expect(masked({mediaType: 'json'}, input, sizes)).toBe(expected);
        expect(masked({mediaType: 'json'}, input, [input.length])).toBe(expected);
      }),
      RUNS,
    );
  });

  test('parses as before, with the same shape and as many keys, but for numbers that became strings', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        const input = bytesOf(text);
        const out = Buffer.from(masked({mediaType: 'json'}, input, [input.length]), 'latin1');
        expect(out.length).toBe(input.length);
        expectSameShape(JSON.parse(input.toString()), JSON.parse(out.toString()));
      }),
      RUNS,
    );
  });
});

function expectSameShape(before: unknown, after: unknown): void {
  if (Array.isArray(before)) {
    expect(after).toHaveLength(before.length);
    for (const [index, value] of before.entries()) expectSameShape(value, (after as unknown[])[index]);
  } else if (typeof before === 'object' && before !== null) {
    // Two keys can become one when both are masked, or the order of keys that were numbers change.
    for (const [key, value] of Object.entries(before)) {
      const members = after as Record<string, unknown>;
      if (key in members && new Set(Object.keys(members)).size === Object.keys(before).length) {
        expectSameShape(value, members[key]);
      }
    }
    expect(typeof after).toBe('object');
  } else if (typeof before === 'number' && typeof after === 'string') {
    expect(after).toMatch(/^\*{6,}[0-9]{4}$/);
  } else expect(typeof after).toBe(typeof before);
}

test('base64 in a Secret decodes to what the reference masks, however it is cut', () => {
  fc.assert(
    fc.property(fc.array(content, {maxLength: 4}), chunkSizes, (values, sizes) => {
      const encoded = (texts: readonly Buffer[]): Buffer =>
        Buffer.from(JSON.stringify({kind: 'Secret', data: texts.map((text) => text.toString('base64'))}));
      const plain = values.map(bytesOf);
      const input = encoded(plain);
      const expected = encoded(plain.map((text) => Buffer.from(reference('text', text.toString('latin1')), 'latin1')));
      expect(masked({mediaType: 'json', base64: true}, input, sizes)).toBe(expected.toString());
    }),
    RUNS,
  );
});

test('any bytes come out at the same length, the same however they are cut', () => {
  const bytes = fc.oneof(
    fc.uint8Array({maxLength: 300}).map((array) => Buffer.from(array)),
    fc.string({unit: fc.constantFrom(...'4115 -\\u0023"e.:,{}[]'), maxLength: 300}).map((text) => Buffer.from(text)),
  );
  const options = fc.record({mediaType: fc.constantFrom('json' as const, 'text' as const), base64: fc.boolean()});
  fc.assert(
    fc.property(bytes, options, chunkSizes, (input, option, sizes) => {
      const whole = masked(option, input, [Math.max(input.length, 1)]);
      expect(whole).toHaveLength(input.length);
      expect(masked(option, input, sizes)).toBe(whole);
    }),
    RUNS,
  );
});
