import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {MaskError} from './error.ts';
import type {MaskMediaType} from './masker.ts';
import type {FieldPath} from './plan.ts';
import {RegexMasker} from './regexmasker.ts';
import {RegexError} from './regexprogram.ts';

const RUNS = {numRuns: Number(process.env.FUZZ_RUNS ?? 300)};

interface Options {
  readonly mediaType?: MaskMediaType;
  readonly patterns: readonly string[];
  readonly exempt?: readonly FieldPath[];
}

function maskerOf({mediaType = 'text', patterns, exempt}: Options): RegexMasker {
  return new RegexMasker(
    mediaType,
    patterns.map((pattern) => ({pattern})),
    exempt,
  );
}

/** What comes out, where the input comes in chunks of these sizes, over and over. */
function hidden(options: Options, input: string | Buffer, sizes: readonly number[] = []): string {
  const masker = maskerOf(options);
  const bytes = Buffer.from(input);
  const out: Buffer[] = [];
  const emit = (piece: Buffer) => void out.push(piece);
  let turn = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = sizes[turn++ % Math.max(sizes.length, 1)] ?? bytes.length;
    masker.push(Buffer.from(bytes.subarray(at, at + size)), emit);
    at += size;
  }
  masker.end(emit);
  expect(masker.heldBytes).toBe(0);
  return Buffer.concat(out).toString('latin1');
}

function expectAtEverySplit(options: Options, input: string, expected: string): void {
  const {length} = Buffer.from(input);
  const latin1 = Buffer.from(expected).toString('latin1');
  expect(hidden(options, input)).toBe(latin1);
  expect(hidden(options, input, [1])).toBe(latin1);
  for (let at = 1; at < length; at++) expect(hidden(options, input, [at, length])).toBe(latin1);
}

const token = 'tok_[A-Za-z0-9]{8}';

test.each<[string, readonly string[], string, string]>([
  ['a match', [token], 'a tok_abcdEFGH b', 'a ************ b'],
  ['matches beside each other', ['ab'], 'xababx', 'x****x'],
  ['one match and goes on behind it', ['[0-9]{3}'], '1234 12345678', '***4 ******78'],
  ['what each of several patterns matches', ['bc', 'ab'], 'abc bc', '*** **'],
  ['up to where the pattern prefers to end', ['a.*?b'], 'acbcb', '***cb'],
  ['as far as the pattern goes', ['a.*b'], 'acbcb', '*****'],
  ['the first of two ways that match', ['ab|abc'], 'abc', '**c'],
  ['nothing across lines', ['a\\s?b'], 'a\nb\ra\r\nb a b', 'a\nb\ra\r\nb ***'],
  ['the start and the end of lines', ['^a', 'b$'], 'aa bb\r\nab', '*a b*\r\n**'],
  ['words', ['\\bcat\\b'], 'cat concat cat5 _cat cat', '*** concat cat5 _cat ***'],
  ['regardless of case', ['(?i)k'], 'kK\u212a', '*****'],
  ['characters of several bytes', ['[é€😀]+', '\\p{Greek}'], 'aé€😀b α', 'a*********b **'],
  ['any one character', ['x.x'], 'xéx, x😀x', '****, ******'],
  ['to the end of a text without a line end', ['b+$'], 'abbb', 'a***'],
])('hides %s', (_name, patterns, input, expected) => {
  expectAtEverySplit({patterns}, input, expected);
});

test('takes bytes that are no UTF-8 for characters of their own', () => {
  const input = Buffer.from([0x61, 0xff, 0x62, 0xe2, 0x82, 0x61, 0xc3, 0x62, 0xed]);
  for (const sizes of [[], [1], [2], [3]]) {
    expect(Buffer.from(hidden({patterns: ['a.b']}, input, sizes), 'latin1')).toEqual(
      Buffer.from([0x2a, 0x2a, 0x2a, 0xe2, 0x82, 0x2a, 0x2a, 0x2a, 0xed]),
    );
  }
});

describe('in JSON', () => {
  const json = (patterns: readonly string[], exempt: readonly FieldPath[] = []): Options => ({
    mediaType: 'json',
    patterns,
    exempt,
  });

  test.each<[string, readonly string[], string, string]>([
    [
      'in strings',
      [token],
      '{"a":"x tok_abcdEFGH","b":["tok_12345678"]}',
      '{"a":"x ************","b":["************"]}',
    ],
    ['in names', [token], '{"tok_abcdEFGH":1}', '{"************":1}'],
    ['within each string alone', ['a.*b'], '["a","b","ab"]', '["a","b","**"]'],
    ['at the start and the end of strings', ['^a', 'b$'], '["aa","bb"]', '["*a","b*"]'],
    [
      'what is written with escapes',
      ['a/b"c\n\u20ac'],
      String.raw`["x\u0061\/b\"c\n\u20AC"]`,
      `["x${'*'.repeat(20)}"]`,
    ],
    ['around escapes', ['b'], String.raw`["\\b\b\u0062\"b"]`, String.raw`["\\*\b******\"*"]`],
    [
      'pairs of escapes',
      ['[😀]'],
      String.raw`["\ud83d\ude00 \ud83d \ude00 \ud83d\ud83d\ude00"]`,
      String.raw`["************ \ud83d \ude00 \ud83d************"]`,
    ],
    ['no numbers and no literals', ['[0-9a-z]'], '[12,true,"a1"]', '[12,true,"**"]'],
    ['in documents one behind the other', ['b'], '{"a":"b"}\n{"a":"b"}\n', '{"a":"*"}\n{"a":"*"}\n'],
  ])('hides %s', (_name, patterns, input, expected) => {
    expectAtEverySplit(json(patterns), input, expected);
    JSON.parse(expected.split('\n{')[0] as string);
  });

  test('leaves exempt members alone, with all that is in them', () => {
    expectAtEverySplit(
      json(
        ['b'],
        [
          ['spec', 'a'],
          ['rules', '*', 'b'],
        ],
      ),
      '{"spec":{"a":{"b":["b"]},"c":"b"},"rules":[{"b":"b"},"b"],"b":"b"}',
      '{"spec":{"a":{"b":["b"]},"c":"*"},"rules":[{"*":"b"},"*"],"*":"*"}',
    );
  });

  test.each(['{"a"', '{"a":"b', 'x', '"\\x"'])('%s is refused', (input) => {
    for (const sizes of [[], [1]]) expect(() => hidden(json(['b']), input, sizes)).toThrow(MaskError);
  });

  test('nothing passes after it has failed', () => {
    const masker = maskerOf(json(['b']));
    expect(() => masker.push(Buffer.from('x'), () => {})).toThrow('cannot be read');
    expect(() => masker.end(() => {})).toThrow('failed on this stream before');
  });
});

describe('a text that is longer than what is in sight', () => {
  const window = 64 * 1024;
  const around = (length: number, secret: string) => `${'é'.repeat(length / 2)}${secret}${'x'.repeat(3000)}`;

  test('is searched at all places for what is no longer than 1 KiB', () => {
    const secret = `<${'s'.repeat(1022)}>`;
    for (let length = window - 2200; length <= window + 200; length += 246) {
      const expected = Buffer.from(around(length, '*'.repeat(1024))).toString('latin1');
      expect(hidden({patterns: ['<s*>']}, around(length, secret))).toBe(expected);
      expect(hidden({patterns: ['<s*>']}, around(length, secret), [1000, 37])).toBe(expected);
    }
  });

  test('hides to its end what has begun to match', () => {
    const input = `pass=${'p'.repeat(300_000)} ${'q'.repeat(300_000)}`;
    for (const sizes of [[], [8192]]) {
      const out = hidden({patterns: ['pass=\\S+']}, input, sizes);
      expect([out.indexOf('p'), out.lastIndexOf('*'), out.indexOf('q'), out.length]).toEqual([
        -1, 300_004, 300_006, 600_006,
      ]);
    }
  });

  test('knows at the start of a window what stands before', () => {
    const text = `${'x'.repeat(window - 1024)}ab ab`.padEnd(2 * window, 'x');
    for (const sizes of [[], [5000]]) {
      expect(hidden({patterns: ['\\bab', '^x*a']}, text, sizes)).toBe(
        text.replace(' ab', ' **').replace(/^x+a/, (match) => '*'.repeat(match.length)),
      );
    }
  });

  test('is held back no further than that', () => {
    const masker = maskerOf({patterns: ['<s*>']});
    for (let chunk = 0; chunk < 100; chunk++) {
      masker.push(Buffer.alloc(5000, 'x'), () => {});
      expect(masker.heldBytes).toBeLessThan(window + 5000);
    }
  });

  test('comes out the same however it is cut', () => {
    const piece = fc.oneof(
      fc.constantFrom('a', 'é', '😀', '\\', '"', '\u0001', '<secret>', '<secret', 'b '),
      fc.integer({min: 1, max: 70_000}).map((length) => 'y'.repeat(length)),
    );
    const options = fc.record({
      mediaType: fc.constantFrom('json' as const, 'text' as const),
      patterns: fc.constantFrom(['<s.*?>'], ['y{3}b', '\\by'], ['s[^ ]*$', '"|\\\\']),
    });
    fc.assert(
      fc.property(
        fc.array(piece, {maxLength: 8}),
        options,
        fc.integer({min: 500, max: 50_000}),
        (pieces, option, size) => {
          const input = JSON.stringify(pieces.join(''));
          expect(hidden(option, input, [size])).toBe(hidden(option, input));
        },
      ),
      {numRuns: 60},
    );
  });
});

describe('flush', () => {
  /** What comes out at each chunk, flushed after it, and at the end. */
  function flushed(patterns: readonly string[], chunks: readonly string[]): string[] {
    const masker = maskerOf({patterns});
    let out = '';
    const emit = (piece: Buffer) => {
      out += piece.toString();
    };
    const outs = chunks.map((chunk) => {
      out = '';
      masker.push(Buffer.from(chunk), emit);
      masker.flush(emit);
      return out;
    });
    out = '';
    masker.end(emit);
    return [...outs, out];
  }

  test('releases a line that has not ended, and hides what matches by then', () => {
    expect(flushed([token], ['$ echo tok_abcdEFGH', 'x', '\nb'])).toEqual(['$ echo ************', 'x', '\nb', '']);
  });

  test('hides what comes of a match after it was released', () => {
    expect(flushed([token], ['a tok_ab', 'cd', 'EFGH b'])).toEqual(['a tok_ab', 'cd', '**** b', '']);
    expect(flushed(['ps=\\S+'], ['ps=a', 'b', 'c d', 'e'])).toEqual(['****', '*', '* d', 'e', '']);
  });

  test('does not take what is open for the end of the line', () => {
    expect(flushed(['b$', '\\bc\\b'], ['ab', 'b', '\n', 'c', 'c c', ' '])).toEqual([
      'ab',
      'b',
      '\n',
      'c',
      'c c',
      ' ',
      '',
    ]);
  });

  test('holds no more than a character that is not complete', () => {
    const masker = maskerOf({patterns: ['é']});
    const out: number[] = [];
    const emit = (piece: Buffer) => void out.push(...piece);
    masker.push(Buffer.from([0x61, 0xc3]), emit);
    masker.flush(emit);
    expect([out, masker.heldBytes]).toEqual([[0x61], 1]);
    masker.push(Buffer.from([0xa9]), emit);
    masker.flush(emit);
    expect([out, masker.heldBytes]).toEqual([[0x61, 0x2a, 0x2a], 0]);
  });

  test('leaves JSON held', () => {
    const masker = maskerOf({mediaType: 'json', patterns: ['b']});
    masker.push(Buffer.from('["a'), () => {});
    masker.flush(() => {
      throw new Error('released');
    });
    expect(masker.heldBytes).toBe(1);
  });
});

test('counts matches, and goes on counting', () => {
  const masker = maskerOf({patterns: ['[0-9]{3}', 'ab+']});
  for (let stream = 1; stream <= 2; stream++) {
    masker.push(Buffer.from('123 12345 abbb\nab 1'), () => {});
    masker.end(() => {});
    expect(masker.counts).toEqual({PAN: 0, Regex: 4 * stream});
  }
});

test.each([
  ['(', 'missing closing )'],
  ['(?=a)', 'invalid or unsupported Perl syntax'],
  ['(a)\\1', 'invalid escape sequence'],
  ['a{1001}', 'invalid repeat count'],
  ['(a{100}){100}', 'repeat'],
  ['([a-z]{500}|[0-9]{500}){9}', 'repeat'],
  ['a*', 'matches where nothing stands'],
  ['a|', 'matches where nothing stands'],
  ['\\b', 'matches where nothing stands'],
  ['^', 'matches where nothing stands'],
  ['a?$', 'matches where nothing stands'],
  ['', 'matches where nothing stands'],
])('refuses the pattern %s', (pattern, message) => {
  expect(() => maskerOf({patterns: ['a', pattern]})).toThrow(RegexError);
  expect(() => maskerOf({patterns: ['a', pattern]})).toThrow(message);
});

const atom = fc.constantFrom('a', 'b', 'c', '[ab]', '[^a]', '.', 'ab', '\\b', '\\B', '^', '$');
const {value: pattern} = fc.letrec<{value: string}>((tie) => ({
  value: fc.oneof(
    {depthSize: 'small'},
    atom,
    fc
      .tuple(tie('value'), fc.constantFrom('*', '+', '?', '*?', '+?', '??', '{2}'))
      .map(([inner, repeat]) => (mayBeEmpty(inner) ? inner : `(?:${inner})${repeat}`)),
    fc.tuple(tie('value'), tie('value')).map(([left, right]) => `(?:${left}|${right})`),
    fc.array(tie('value'), {minLength: 1, maxLength: 3}).map((parts) => parts.join('')),
  ),
}));

/** Engines differ in how often they repeat nothing. */
function mayBeEmpty(source: string): boolean {
  const withoutConditions = source.replaceAll(/\\[bB]|(?<!\[)\^|\$/g, '(?:)');
  return new RegExp(`^(?:${withoutConditions})$`).test('');
}

test('hides what a backtracking engine replaces', () => {
  fc.assert(
    fc.property(
      pattern,
      fc.string({unit: fc.constantFrom('a', 'b', 'c', ' '), maxLength: 20}),
      fc.integer({min: 1, max: 7}),
      (source, text, size) => {
        let out: string;
        try {
          out = hidden({patterns: [source]}, text, [size]);
        } catch (error) {
          expect(error).toBeInstanceOf(RegexError);
          return;
        }
        expect(out).toBe(text.replaceAll(new RegExp(source, 'g'), (match) => '*'.repeat(match.length)));
        expect(hidden({patterns: [source]}, text)).toBe(out);
        expect(JSON.parse(hidden({mediaType: 'json', patterns: [source]}, JSON.stringify(text), [size]))).toBe(out);
      },
    ),
    {numRuns: 10 * RUNS.numRuns},
  );
});

test('patterns with more states than are kept are still found', () => {
  // Which of the last twelve characters were an "a" makes 4,096 states.
  const patterns = ['a[abé]{11}c', 'a[abé]{11}d'];
  const unit = fc.constantFrom(...'ab'.repeat(40), 'é', 'c', 'd');
  fc.assert(
    fc.property(fc.string({unit, minLength: 5000, maxLength: 9000, size: 'max'}), (text) => {
      const hide = (match: string) => '*'.repeat(Buffer.byteLength(match));
      const expected = text.replaceAll(/a[abé]{11}[cd]/g, hide);
      expect(hidden({patterns}, text, [1000])).toBe(Buffer.from(expected).toString('latin1'));
    }),
    {numRuns: 10},
  );
});

test('JSON parses as before, with as many members and elements, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.json({
        stringUnit: fc.oneof(
          fc.constantFrom('a', 'b', '"', '\\', '\n'),
          fc.string({unit: 'grapheme', minLength: 1, maxLength: 1}),
        ),
      }),
      fc.constantFrom(['a'], ['[^b]+'], ['b.', '"'], ['.']),
      fc.integer({min: 1, max: 9}),
      (text, patterns, size) => {
        const options: Options = {mediaType: 'json', patterns};
        const out = hidden(options, text, [size]);
        expect(hidden(options, text)).toBe(out);
        const shape = (json: string) => json.replaceAll(/"(?:[^"\\]|\\.)*"/g, '"');
        expect(shape(out)).toBe(shape(text));
        JSON.parse(Buffer.from(out, 'latin1').toString());
      },
    ),
    RUNS,
  );
});
