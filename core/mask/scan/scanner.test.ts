import {execFileSync} from 'node:child_process';
import path from 'node:path';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {createMasker} from '../createmasker.ts';
import type {MaskMediaType} from '../masker.ts';
import {isPair, LEADS} from '../utf8.ts';
import {BEFORE_BYTES, BLOCK_BYTES, scan} from './scanner.ts';

const none = new Uint8Array(BEFORE_BYTES);

test('the module is made from its source', () => {
  execFileSync(process.execPath, [path.join(import.meta.dirname, 'generate.ts'), '--check'], {stdio: 'pipe'});
}, 60_000);

const isCandidate = (byte: number | undefined) =>
  byte !== undefined && '0123456789 +-.'.includes(String.fromCharCode(byte));

/** What the scanner lists, found in the plainest way. */
function stretchesOf(bytes: Buffer): number[] {
  const stretches: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const start = at;
    while (isCandidate(bytes[at])) at++;
    if (at - start >= 12 || (at > start && at === bytes.length)) stretches.push(start, at);
  }
  return stretches;
}

function markersOf(bytes: Buffer, isText: boolean): number[] {
  const text = bytes.toString('latin1');
  return [...bytes.keys()].filter((at) => {
    const byte = bytes[at] as number;
    const next = bytes[at + 1];
    if (byte >= 0x80) return LEADS[byte] === 1 && (next === undefined || isPair(byte, next));
    const isEnd = next === undefined;
    switch (text[at]) {
      case '\\':
        return isEnd || text[at + 1] === 'u';
      case '%':
        return isEnd || /[0-9a-f]/i.test(text[at + 1] ?? '');
      case '&':
        return isEnd || /[#a-z]/i.test(text[at + 1] ?? '');
      case '\u001b':
        return isText && (isEnd || text[at + 1] === '[');
      case '\r':
        return isText && (isEnd || text[at + 1] === '\n');
      default:
        return false;
    }
  });
}

const pieces = fc.oneof(
  fc.constantFrom(
    '4111111111111111',
    '4111 1111 1111 1111',
    '123.456',
    '-',
    '\\',
    '\\u0034',
    '%34',
    '&#52;',
    '\u001b[31m',
  ),
  fc.constantFrom('\r\n', '\u00a0', '\uff14', '\u2009', 'é', '漢', '"', 'x', ' ', '\0'),
  fc.stringMatching(/^[0-9 .+-]{0,70}$/),
  fc.stringMatching(/^[a-z]{0,40}$/),
);

describe('candidates', () => {
  test('are listed all', () => {
    fc.assert(
      fc.property(fc.array(pieces, {maxLength: 12}), fc.boolean(), fc.nat(3), (texts, isText, cut) => {
        const whole = Buffer.from(texts.join(''));
        // Amid a character too.
        const bytes = whole.subarray(0, Math.max(0, whole.length - cut));
        const {stretches, markers} = scan(bytes, none, isText);
        expect([...stretches]).toEqual(stretchesOf(bytes));
        expect([...markers]).toEqual(markersOf(bytes, isText));
      }),
      {numRuns: 2000},
    );
  });

  test('of a full block fit', () => {
    const {markers} = scan(Buffer.alloc(BLOCK_BYTES, '%a'), none, true);
    expect(markers).toHaveLength(BLOCK_BYTES / 2);
    expect(scan(Buffer.alloc(BLOCK_BYTES, '\u00a0'), none, true).markers).toHaveLength(BLOCK_BYTES / 2);
    expect(scan(Buffer.alloc(BLOCK_BYTES, '411111111111,'), none, true).stretches).toHaveLength(
      2 * Math.ceil(BLOCK_BYTES / 13),
    );
  });
});

describe('names', () => {
  test.each([
    ['cvv=123', [0]],
    ['my_CVV2: 123', [3]],
    ['"cvc":', [1]],
    ['CAV CID csc cvn2', [0, 4, 8, 12]],
    ['security code: 123', [3]],
    ['security_code', [3]],
    ['SecurityCode', [3]],
    ['card-verification-value', [7]],
    ['verificationNumber', [2]],
    ['pin block, PIN_BLOCK, pin-block, PinBlock', [0, 11, 22, 33]],
    ['securityContext, securityCod', [20]],
    ['securityPolicy, verification', [18]],
    ['cvvRequired, accident, decided, mapping, version, purity!!!!', []],
    ['cv', []],
    ['pin', [0]],
  ])('of %s', (text, expected) => {
    expect([...scan(Buffer.from(text), none, false).names]).toEqual(expected);
  });

  test('that began before the bytes', () => {
    const before = new Uint8Array(BEFORE_BYTES);
    before.set(Buffer.from('security c'), BEFORE_BYTES - 10);
    expect([...scan(Buffer.from('ode: 123'), before, false).names]).toEqual([-7]);
    before.set(Buffer.from('        cv'), BEFORE_BYTES - 10);
    expect([...scan(Buffer.from('v: 123'), before, false).names]).toEqual([-2]);
  });

  test('are found at every place', () => {
    for (let at = 0; at < 200; at++) {
      expect([...scan(Buffer.from(`${'.'.repeat(at)}cvv: 1${'.'.repeat(200 - at)}`), none, false).names]).toEqual([at]);
    }
  });
});

describe('the end of the name binaryData', () => {
  test.each([
    ['"binaryData": {', [6]],
    ['binarydata, BINARYDATA, yda', []],
    ['yDa', [0]],
    ['yD', []],
  ])('in %s', (text, expected) => {
    const {names, data} = scan(Buffer.from(text), none, false);
    expect([[...names], [...data]]).toEqual([[], expected]);
  });

  test('that began before the bytes', () => {
    const before = new Uint8Array(BEFORE_BYTES);
    before.set(Buffer.from('binaryD'), BEFORE_BYTES - 7);
    expect([...scan(Buffer.from('ata"'), before, false).data]).toEqual([-2]);
    before.set(Buffer.from('binaryDat'), BEFORE_BYTES - 9);
    expect([...scan(Buffer.from('a"'), before, false).data]).toEqual([-4]);
  });

  test('at every place', () => {
    for (let at = 0; at < 200; at++) {
      expect([...scan(Buffer.from(`${'.'.repeat(at)}yData${'.'.repeat(200 - at)}`), none, false).data]).toEqual([at]);
    }
  });
});

test('names of a full block fit', () => {
  const {names, data, stretches} = scan(Buffer.alloc(BLOCK_BYTES, 'cvc:'), none, false);
  expect([names.length, data.length, stretches.length]).toEqual([BLOCK_BYTES / 4, 0, 0]);
  expect(scan(Buffer.alloc(BLOCK_BYTES, 'yDa'), none, false).data).toHaveLength(Math.floor(BLOCK_BYTES / 3));
});

/** Blocks end within chunks: nothing may depend on where. */
describe('what lies across the end of a block', () => {
  function masked(text: string, mediaType: MaskMediaType): string {
    const masker = createMasker({mediaType});
    const out: Buffer[] = [];
    const emit = (bytes: Buffer) => void out.push(Buffer.from(bytes));
    masker.push(Buffer.from(text), emit);
    masker.end(emit);
    return Buffer.concat(out).toString();
  }

  test.each<[string, MaskMediaType, string]>([
    ['a card', 'text', 'paid with 4111 1111 1111 1111 today'],
    ['a track', 'text', '%B4111111111111111^DOE/JANE^29121011234567890?'],
    ['digits of Unicode', 'text', '４１１１１１１１１１１１１１１１'],
    ['colours', 'text', '4111\u001b[31m111111\u001b[0m111111'],
    ['escapes behind backslashes', 'json', '"\\\\\\\\\\u0034111111111111111"'],
    ['escaped backslashes', 'json', '"\\\\\\\\u0034111111111111111"'],
    ['a reference that is escaped', 'json', '"\\u0026#52;111111111111111"'],
    ['a number', 'json', '{"a":4111111111111111}'],
    ['a code', 'json', '{"security_code":"123","cvv2":4321}'],
    ['a PIN block', 'text', 'pin-block: 0412AC89ABCDEF67 '],
  ])('%s', (_, mediaType, text) => {
    const expected = masked(text, mediaType);
    for (let before = 0; before <= text.length; before++) {
      const filler = ' '.repeat(BLOCK_BYTES - before);
      expect(masked(filler + text, mediaType).slice(filler.length)).toBe(expected);
    }
  });
});
