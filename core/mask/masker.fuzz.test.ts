import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {type Meaning, meaningOf, type Separator} from './characters.ts';
import {createMasker, type MaskerOptions} from './createmasker.ts';
import {isCardGrouping, isTight} from './grouping.ts';
import {isIdentifier} from './identifier.ts';
import {maskedNumber, readNumber} from './jsonnumber.ts';
import {isPanText} from './pan.ts';
import type {MaskPlan} from './plan.ts';

const RUNS = {numRuns: 1000};

/** What the reference hides. */
const CARD_NUMBERS: MaskPlan = {
  key: '',
  pan: {show: 'LastFour', longDigitRuns: false},
  trackData: false,
  cardVerificationCode: false,
  regexes: [],
  fields: [],
  decodeBase64: false,
  exemptFields: [],
};

interface Token {
  readonly start: number;
  readonly length: number;
  readonly meaning: Meaning | {readonly kind: 'boundary'};
}

/** A digit as written: where, and which. */
interface Unit {
  readonly start: number;
  readonly end: number;
  readonly digit: string;
}

interface Group {
  /** What stands before it. */
  readonly separator: Separator;
  readonly digits: Unit[];
}

/** Groups of digits with one separator between each two. */
type Run = Group[];

/**
 * What the engine must do, on a whole document: slow, and as plain as can be. It shares with the engine only what is
 * known of a character, and decided about a number once it is found (issuers, groupings, identifiers, JSON numbers),
 * each tested by itself.
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
  const runs = [false, true].flatMap((decode) => runsOf(tokensOf(text, json, decode)));
  for (const window of runs.flatMap(cardsIn)) {
    const units = window.flatMap(({digits}) => digits);
    const [first, last] = [units[0], units.at(-1)];
    if (first === undefined || last === undefined || standsInIdentifier(text, first.start, last.end)) continue;
    for (const {start, end} of units.slice(0, -4)) {
      const hidden = hiddenDigit(text.slice(start, end));
      for (const [index, character] of [...hidden].entries()) out[start + index] = character;
    }
  }
  return out.join('');
}

/** An asterisk, or some, as the digit is written. */
function hiddenDigit(written: string): string {
  if (written.length === 1) return '*';
  if (written.startsWith('%')) return written.replace(/[0-9a-f]{2}/gi, '2a');
  const reference = /^(.*#)(x?)([0-9a-f]+);$/is.exec(written);
  if (reference !== null) {
    const [, before = '', x = '', digits = ''] = reference;
    return `${before}${x}${(x === '' ? '42' : '2a').padStart(digits.length, '0')};`;
  }
  return written.startsWith('\\') ? written.replace(/u.{4}/gs, 'u002a') : '*'.repeat(written.length);
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
      const sizes = groups.map(({digits}) => digits.length);
      const separators = groups.slice(1).map(({separator}) => separator);
      const isWhole = groups.length === run.length;
      const number = groups.flatMap(({digits}) => digits.map(({digit}) => digit));
      if (groups.length > 1 && isTight(sizes[0] ?? 0) && !isWhole) continue;
      if (isCardGrouping(sizes, separators) && isPanText(number.join(''))) found.push(groups);
    }
  }
  return found;
}

function runsOf(tokens: readonly Token[]): Run[] {
  const runs: Run[] = [];
  let run: Run = [];
  let separator: Separator | undefined = 'gap';
  const end = (): void => {
    if (run.length > 0) runs.push(run);
    run = [];
    separator = 'gap';
  };
  for (const {start, length, meaning} of tokens) {
    switch (meaning.kind) {
      case 'digit':
        if (separator !== undefined) run.push({separator, digits: []});
        separator = undefined;
        run.at(-1)?.digits.push({start, end: start + length, digit: String(meaning.value)});
        break;
      case 'separator': {
        const last = run.at(-1);
        if (separator === 'gap' && meaning.separator === 'wrap' && last !== undefined) separator = 'wrap';
        else if (separator !== undefined || last === undefined) end();
        else {
          // Dots make a row of their own.
          if (run.length > 1 && (last.separator === 'dot') !== (meaning.separator === 'dot')) {
            runs.push(run);
            run = [last];
          }
          separator = meaning.separator;
        }
        break;
      }
      case 'boundary':
        separator = 'gap';
        break;
      case 'other':
        end();
        break;
      case 'invisible':
    }
  }
  end();
  return runs;
}

/** Latin-1 text is read one character of UTF-8, escape, or, decoded, encoded character at a time. */
function tokensOf(text: string, json: boolean, decode: boolean): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const {length, codePoint, isWord} = characterAt(text, at, json);
    const decoded = decode ? decodedAt(text, at, length, codePoint, json) : undefined;
    if (decoded !== undefined) tokens.push({start: at, ...decoded});
    else if (isWord && !(decode && meaningOf(codePoint).kind !== 'other')) {
      tokens.push({start: at, length: 1, meaning: {kind: 'other'}});
      for (let index = at + length - 4; index < at + length; index++) {
        tokens.push({start: index, length: 1, meaning: {kind: 'digit', value: Number(text[index])}});
      }
      tokens.push({start: at + length, length: 0, meaning: {kind: 'boundary'}});
    } else tokens.push({start: at, length, meaning: meaningOf(codePoint)});
    at += decoded?.length ?? length;
  }
  return tokens;
}

const NO_CHARACTER = 0;

/** The code point at this place, and whether it may as well be a word before four digits. */
function characterAt(text: string, at: number, json: boolean): {length: number; codePoint: number; isWord: boolean} {
  const rest = text.slice(at, at + 26);
  const backslashes = /^\\*/.exec(rest)?.[0].length ?? 0;
  if (backslashes > 0) {
    const own = [8, 4, 2, 1].find((count) => count <= backslashes) ?? 1;
    const hex = /^u([0-9a-f]{4})/i.exec(rest.slice(backslashes))?.[1];
    if (own < backslashes || hex === undefined) return {length: own, codePoint: NO_CHARACTER, isWord: false};
    const codePoint = Number.parseInt(hex, 16);
    const pair = /^(\\+u(d[89ab]..))(\\+u(d[c-f]..))/i.exec(rest);
    if (pair?.[1] !== undefined && pair[3]?.length === pair[1].length) {
      const character = String.fromCharCode(codePoint, Number.parseInt(pair[4] ?? '', 16)).codePointAt(0) ?? 0;
      return {length: pair[0].length, codePoint: character, isWord: false};
    }
    const isWord = /^[0-9]{4}$/.test(hex) && codePoint > 0xff && !(json && backslashes === 1);
    return {length: backslashes + 5, codePoint, isWord};
  }
  for (const length of [1, 2, 3, 4]) {
    const codePoint = utf8(Buffer.from(rest.slice(0, length), 'latin1'));
    if (codePoint !== undefined) return {length, codePoint, isWord: false};
  }
  return {length: 1, codePoint: NO_CHARACTER, isWord: false};
}

/** The one character that these bytes are. */
function utf8(bytes: Buffer): number | undefined {
  const [character, ...others] = bytes.toString();
  return others.length === 0 && character !== undefined && Buffer.from(character).equals(bytes)
    ? character.codePointAt(0)
    : undefined;
}

/** What is encoded at this place, where the character there has this length and code point. */
function decodedAt(
  text: string,
  at: number,
  length: number,
  codePoint: number,
  json: boolean,
): Pick<Token, 'length' | 'meaning'> | undefined {
  const rest = text.slice(at + length, at + length + 30);
  switch (String.fromCodePoint(codePoint)) {
    case '%':
      return length === 1 ? percentAt(text.slice(at, at + 12)) : undefined;
    case '&':
      return referenceAt(rest, length);
    case '\u001b': {
      const sequence = /^\[(?:[0-9]{0,3}[;:])*[0-9]{0,3}[mK]/.exec(rest)?.[0];
      if (sequence === undefined || sequence.length > 22) return undefined;
      return {length: length + sequence.length, meaning: {kind: 'invisible'}};
    }
    case '\r':
      if (json || length > 1 || !rest.startsWith('\n')) return undefined;
      return {length: 2, meaning: {kind: 'separator', separator: 'wrap'}};
    default:
      return undefined;
  }
}

function percentAt(text: string): Pick<Token, 'length' | 'meaning'> | undefined {
  for (const length of [3, 6, 9, 12]) {
    const written = text.slice(0, length);
    if (written.length < length || !/^(?:%[0-9a-f]{2})+$/i.test(written)) break;
    const codePoint = utf8(Buffer.from(written.replaceAll('%', ''), 'hex'));
    if (codePoint !== undefined && meaningOf(codePoint).kind !== 'other')
      return {length, meaning: meaningOf(codePoint)};
  }
  return /^%[0-9a-f]{2}/i.test(text) ? {length: 3, meaning: {kind: 'other'}} : undefined;
}

function referenceAt(rest: string, before: number): Pick<Token, 'length' | 'meaning'> | undefined {
  const numeric = /^#(?:x([0-9a-f]{1,6})|([0-9]{1,6}));/i.exec(rest);
  if (numeric !== null) {
    const [whole, hex, decimal = ''] = numeric;
    const meaning = meaningOf(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
    return meaning.kind === 'other' ? undefined : {length: before + whole.length, meaning};
  }
  if (rest.startsWith('nbsp;')) return {length: before + 5, meaning: {kind: 'separator', separator: 'gap'}};
  return rest.startsWith('shy;') ? {length: before + 4, meaning: {kind: 'invisible'}} : undefined;
}

function masked(options: MaskerOptions, input: Buffer, sizes: readonly number[]): string {
  const masker = createMasker({...options, plan: CARD_NUMBERS});
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

const SEPARATORS = [
  ...[
    '',
    ' ',
    '-',
    '+',
    '.',
    ' \r\n',
    '\u00a0',
    '\u2009',
    '\u2013',
    '\uff0e',
    '\\u0020',
    '\\u002d',
    '\\\\u002D',
    '\\u00a0',
    '\\u2009',
  ],
  ...[
    '\\\\u2009',
    '%20',
    '%2d',
    '%C2%A0',
    '%e2%80%89',
    '&nbsp;',
    '&#160;',
    '&#x2d;',
    '\\u0026nbsp;',
    '\u001b[0m \u001b[1m',
  ],
  ...[' \u200b', '\u200b', '\u001b[K', '\\u001b[1m', '\r\n', '&shy;', '%', '\u00ad-'],
];

/** Each way to write a digit. */
const WRITTEN: readonly ((digit: string) => string)[] = [
  ...[(digit: string) => digit, (digit: string) => `\\u003${digit}`, (digit: string) => `\\\\u003${digit}`],
  ...[(digit: string) => `\\\\\\\\u003${digit}`, (digit: string) => String.fromCharCode(0xff10 + Number(digit))],
  ...[(digit: string) => String.fromCharCode(0x660 + Number(digit)), (digit: string) => `\\uff1${digit}`],
  ...[(digit: string) => String.fromCodePoint(0x1d7ce + Number(digit)), (digit: string) => `\\u066${digit}`],
  (digit: string) => `\\ud835\\udf${(0xce + Number(digit)).toString(16)}`,
  ...[(digit: string) => `%3${digit}`, (digit: string) => `%EF%BC%9${digit}`, (digit: string) => `&#x3${digit};`],
  ...[(digit: string) => `&#${48 + Number(digit)};`, (digit: string) => `\\u0026#${48 + Number(digit)};`],
  ...[(digit: string) => `\u200b${digit}`, (digit: string) => `${digit}\u001b[0m`],
];

const grouped = fc
  .tuple(
    card,
    fc.oneof(
      fc.constantFrom(...SEPARATORS).map((one) => [one]),
      fc.array(fc.constantFrom(...SEPARATORS), {minLength: 1}),
    ),
    fc.constantFrom([4], [4], [4, 6], [6, 13], [1], [2], [5], [8]),
  )
  .map(([number, separators, sizes]) => {
    let text = '';
    for (let from = 0, index = 0; from < number.length; index++) {
      const size = sizes[Math.min(index, sizes.length - 1)] ?? 4;
      text += (index === 0 ? '' : separators[index % separators.length]) + number.slice(from, from + size);
      from += size;
    }
    return text;
  });

/** In one way or in two. */
const escaped = fc
  .tuple(card, fc.nat(), fc.constantFrom(...WRITTEN), fc.constantFrom(...WRITTEN))
  .map(([number, which, one, other]) =>
    [...number].map((digit, index) => ((which >> index) & 1 ? one(digit) : other(digit))).join(''),
  );

const filler = fc.constantFrom(
  ...['a', ' ', '-', '  ', '.', ',', ':', '_', 'x', 'e', 'E+', 'u', 'd', '0', '7', '42', '2026-07-30', '\n', '\\u00e9'],
  ...['\\u2014', '\\\\', '\\u12', '\\n', '\\u4111', 'deadbeef', '0.', '12.', 'e15', '550e8400-e29b-41d4-a716-', 'é'],
  ...[
    '%',
    '%2',
    '%22',
    '%20',
    '%B',
    '%3',
    '%E2%80',
    '%C3%A9',
    '&',
    '&#',
    '&#5',
    '&nbs',
    '&nbsp;',
    '&#52;',
    '\u001b',
    '\u001b[',
  ],
  ...[
    '\u001b[31m',
    '\r',
    '\r\n',
    '\u00a0',
    '\u200b',
    '\ufeff',
    '\u4e2d\u6587',
    '\\u0026',
    '\\\\u2009',
    '\\\\\\\\',
    '\\u20',
    '\\ud835',
    '\\ud8',
  ],
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
  card.map((number) => `${number}00e-2`),
  fc.integer().map(String),
  fc.double({noNaN: true, noDefaultInfinity: true}).map((value) => JSON.stringify(value)),
);

/** JSON text of a string: its escapes as they came, where they are escapes of JSON. */
const stringToken = content.map((text) => {
  const valid = text.replace(/\\(u[0-9a-fA-F]{4}|[\\n])|\\/g, (whole, kept) => (kept === undefined ? '' : whole));
  return `"${valid.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\u001b', '\\u001b')}"`;
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
    fc
      .string({unit: fc.constantFrom(...'4115 -\\u0023"e.:,{}[]%&#;m\u001b\r\n\u00a0\u200b\uff14'), maxLength: 300})
      .map((text) => Buffer.from(text)),
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
