import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {MaskError} from './error.ts';
import {FieldMasker, LAST_APPLIED} from './fieldmasker.ts';
import {MAXIMUM_DEPTH} from './jsonstream.ts';
import type {FieldPath, FieldPlan} from './plan.ts';

const RUNS = {numRuns: Number(process.env.FUZZ_RUNS ?? 300)};

interface Options {
  readonly mask?: readonly FieldPath[];
  readonly remove?: readonly FieldPath[];
  readonly isSecret?: boolean;
}

function maskerOf({mask = [], remove = [], isSecret = false}: Options): FieldMasker {
  const fields: FieldPlan[] = [
    ...mask.map((path) => ({path, action: 'Mask' as const})),
    ...remove.map((path) => ({path, action: 'Remove' as const})),
  ];
  return new FieldMasker(fields, {isSecret});
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
  return Buffer.concat(out).toString();
}

function expectAtEverySplit(options: Options, input: string, expected: string): void {
  const {length} = Buffer.from(input);
  expect(hidden(options, input)).toBe(expected);
  expect(hidden(options, input, [1])).toBe(expected);
  for (let at = 1; at < length; at++) expect(hidden(options, input, [at, length])).toBe(expected);
}

const data: FieldPath = ['data', '*'];
const env: FieldPath = ['spec', 'containers', '*', 'env', '*', 'value'];

test.each<[string, Options, string, string]>([
  ['a string', {mask: [data]}, '{"data":{"a":"secret"},"kind":"X"}', '{"data":{"a":"******"},"kind":"X"}'],
  ['an empty string', {mask: [data]}, '{"data":{"a":""}}', '{"data":{"a":""}}'],
  ['escapes', {mask: [data]}, String.raw`{"data":{"a":"x\"\\A\n"}}`, '{"data":{"a":"********"}}'],
  ['characters of several bytes', {mask: [data]}, '{"data":{"a":"é€😀"}}', '{"data":{"a":"*********"}}'],
  [
    'numbers',
    {mask: [data]},
    '{"data":{"a":12345,"b":-1.5e+3,"c":12,"d":7}}',
    '{"data":{"a":"***","b":"*****","c":"","d":0}}',
  ],
  [
    'true, false and null',
    {mask: [data]},
    '{"data":{"a":true,"b":false,"c":null}}',
    '{"data":{"a":null,"b":null ,"c":null}}',
  ],
  [
    'all that is inside',
    {mask: [['data']]},
    '{"data":{"a":{"b":["x",{"c":1}]}},"e":"f"}',
    '{"data":{"a":{"b":["*",{"c":0}]}},"e":"f"}',
  ],
  [
    'elements',
    {mask: [env]},
    '{"spec":{"containers":[{"env":[{"name":"A","value":"b"}]},{"env":[]}]}}',
    '{"spec":{"containers":[{"env":[{"name":"A","value":"*"}]},{"env":[]}]}}',
  ],
  [
    'a name that is written with escapes',
    {mask: [data]},
    String.raw`{"d\u0061ta":{"a":"b"}}`,
    String.raw`{"d\u0061ta":{"a":"*"}}`,
  ],
  [
    'no member of another name',
    {mask: [['data', 'a']]},
    '{"data":{"b":"c","aa":"d","":"e"},"a":"f"}',
    '{"data":{"b":"c","aa":"d","":"e"},"a":"f"}',
  ],
  ['no element where a name is asked for', {mask: [['data', '0']]}, '{"data":["b"]}', '{"data":["b"]}'],
  [
    'a member with white space around',
    {mask: [data]},
    ' { "data" :\n{ "a"\t: "b" , "c" : 12 } } ',
    ' { "data" :\n{ "a"\t: "*" , "c" : "" } } ',
  ],
])('masks %s', (_name, options, input, expected) => {
  expectAtEverySplit(options, input, expected);
});

describe('base64 of a Secret', () => {
  const options: Options = {mask: [data], isSecret: true};

  test.each(['', 'a', 'ab', 'abc', 'abcd', 'abcde', 'a longer value'])(
    'of "%s" stays base64 at equal length',
    (value) => {
      const of = (text: string) => JSON.stringify({data: {value: Buffer.from(text).toString('base64')}});
      expectAtEverySplit(options, of(value), of('*'.repeat(value.length)));
    },
  );

  test.each([
    ['no groups of four', 'abcdefg', 'KioqKio'],
    ['padding in the middle', 'ab=cdefg', 'Kg==****'],
    ['an escape', String.raw`abcd\/fghij`, 'Kioq*******'],
    ['a quote', String.raw`abcde\"`, 'KioqK**'],
  ])('that has %s is hidden all the same', (_name, value, expected) => {
    expectAtEverySplit(options, `{"data":{"a":"${value}"}}`, `{"data":{"a":"${expected}"}}`);
  });

  test('is also the binaryData of any object, and no data of others', () => {
    const input = '{"data":{"a":"YWJj"},"binaryData":{"a":"YWJj"}}';
    const paths = [data, ['binaryData', '*']];
    expect(hidden({mask: paths}, input)).toBe('{"data":{"a":"****"},"binaryData":{"a":"Kioq"}}');
  });
});

test.each<[string, string, string]>([
  ['the only one', '{"data":{"a":1}}', '{"data":{}}'],
  ['the first', '{"data":{"a":1,"b":2}}', '{"data":{"b":2}}'],
  ['the last', '{"data":{"b":2,"a":1}}', '{"data":{"b":2}}'],
  ['one in the middle', '{"data":{"b":2,"a":1,"c":3}}', '{"data":{"b":2,"c":3}}'],
  ['with all that is inside', '{"data":{"a":{"x":["y",{"a":1}],"z":"}"},"b":2}}', '{"data":{"b":2}}'],
  ['with white space', '{"data":{ "b" : 2 , "a" : 1 , "c" : 3 }}', '{"data":{ "b" : 2  , "c" : 3 }}'],
  ['with a name that is written with escapes', String.raw`{"data":{"\u0061":"\"","b":2}}`, '{"data":{"b":2}}'],
  ['none where there is none', '{"data":{ },"x":[ ],"a":1}', '{"data":{ },"x":[ ],"a":1}'],
])('removes a member: %s', (_name, input, expected) => {
  expectAtEverySplit({remove: [['data', 'a']]}, input, expected);
});

test('removes elements', () => {
  expectAtEverySplit({remove: [['args', '*']]}, '{"args":["a", {"b":[1]},3],"c":[4]}', '{"args":[],"c":[4]}');
});

test('removes all members of an object, and what is both to be masked and to be removed', () => {
  expectAtEverySplit({mask: [data, ['data']], remove: [data]}, '{"data":{"a":"x","b":["y"]}}', '{"data":{}}');
});

test('removes inside of what is masked', () => {
  const options = {mask: [['spec']], remove: [['spec', 'a']]};
  expectAtEverySplit(options, '{"spec":{"a":"x","b":"y"}}', '{"spec":{"b":"*"}}');
});

describe('finds objects', () => {
  const object = '{"data":{"a":"secret"}}';
  const masked = '{"data":{"a":"******"}}';

  test.each([
    ['by themselves', '@'],
    ['in a list, whatever comes first', '{"items":[@,@],"kind":"SecretList"}'],
    ['in the rows of a table', '{"kind":"Table","rows":[{"cells":["secret"],"object":@},{"object":@}]}'],
    ['in the events of a watch', '{"type":"ADDED","object":@}\n{"type":"MODIFIED","object":@}\n'],
    ['in a table in a watch', '{"type":"ADDED","object":{"kind":"Table","rows":[{"cells":[1],"object":@}]}}'],
  ])('%s', (_name, template) => {
    expectAtEverySplit({mask: [data]}, template.replaceAll('@', object), template.replaceAll('@', masked));
  });
});

describe('in the copy that kubectl apply keeps', () => {
  const withCopy = (copy: string) => JSON.stringify({metadata: {annotations: {[LAST_APPLIED[2] as string]: copy}}});
  /** What is masked here looks like `"***"` there, so that the escapes of quotes count for nothing. */
  const cases: readonly [string, Options, string, string][] = [
    ['masks the same', {mask: [data]}, '{"data":{"a":"secret","b":"c"}}', '{"data":{"a":"******","b":"*"}}'],
    ['masks numbers', {mask: [data]}, '{"data":{"a":12345,"b":123,"c":1}}', '{"data":{"a":"*","b":0  ,"c":0}}'],
    ['masks base64', {mask: [data], isSecret: true}, '{"data":{"a":"YWI="}}', '{"data":{"a":"Kio="}}'],
    ['removes the same', {remove: [data]}, '{"data":{"a":"secret","b":"c"},"d":"e"}\n', '{"data":{},"d":"e"}\n'],
    ['removes and keeps', {remove: [['data', 'b']]}, '{"data":{"a":1, "b":2, "c":3}}', '{"data":{"a":1, "c":3}}'],
    ['leaves the rest', {mask: [['x']]}, '{"data":{"a":"secret"}}', '{"data":{"a":"secret"}}'],
    ['hides what is no JSON', {mask: [['x']]}, '{"data":{"a":"secret",}}', '{"data":{"a":"secret",**'],
    ['hides what is none at all', {mask: [['x']]}, 'secret', '******'],
    ['leaves out what is undecided', {remove: [data]}, '{"data":{"a" "secret"}}', '{"data":{************'],
  ];

  test.each(cases)('%s', (_name, options, copy, expected) => {
    const input = withCopy(copy);
    const out = hidden(options, input);
    expect(JSON.parse(out).metadata.annotations[LAST_APPLIED[2] as string]).toBe(expected);
    expectAtEverySplit(options, input, out);
  });

  test('reads names however they are escaped', () => {
    const options = {mask: [['dät"a']]};
    for (const name of [String.raw`d\u00e4t\"a`, 'dät\\"a', String.raw`\u0064ät\u0022a`]) {
      const input = withCopy(`{"${name}":"secret"}`);
      for (const written of [
        input,
        input.replaceAll('ä', String.raw`\u00e4`),
        input.replaceAll('d', String.raw`\u0064`),
      ]) {
        expect(JSON.parse(hidden(options, written)).metadata.annotations[LAST_APPLIED[2] as string]).toBe(
          `{"${name}":"******"}`,
        );
      }
    }
  });

  test('leaves out the rest from a name on that is longer than can be held', () => {
    const input = withCopy(`{"data":{"a":1,"${'x'.repeat(70_000)}":2,"c":3}}`);
    for (const sizes of [[], [1000]]) {
      expect(
        JSON.parse(hidden({remove: [['data', 'z']]}, input, sizes)).metadata.annotations[LAST_APPLIED[2] as string],
      ).toBe('{"data":{"a":1');
    }
  });

  test('is itself hidden where a path says so', () => {
    expectAtEverySplit(
      {mask: [LAST_APPLIED]},
      withCopy('{"a":1}'),
      withCopy('*********').replace('*********', '*'.repeat(9)),
    );
    expectAtEverySplit({remove: [LAST_APPLIED]}, withCopy('{"a":1}'), '{"metadata":{"annotations":{}}}');
  });
});

test('counts members, not what is in them, and goes on counting', () => {
  const masker = maskerOf({mask: [['data']], remove: [['spec', 'a']]});
  for (let stream = 1; stream <= 2; stream++) {
    masker.push(Buffer.from('{"data":{"a":"b","c":"d"},"spec":{"a":1,"b":2}}'), () => {});
    masker.end(() => {});
    expect(masker.counts).toEqual({PAN: 0, Field: 2 * stream});
  }
});

test('holds back only what it cannot decide upon', () => {
  const masker = maskerOf({mask: [data], remove: [['spec', 'a']]});
  const out: string[] = [];
  const steps: [string, string, number][] = [
    ['{"data":{"long', '{"data":{"long', 0],
    ['":"abc', '":"***', 0],
    ['\\', '', 1],
    ['u00', '', 4],
    ['41', '******', 0],
    ['","n":12', '","n":', 2],
    ['34', '', 4],
    ['},"spec":{', '"**"},"spec":{', 0],
    ['"b', '', 2],
    ['":', '"b":', 0],
    ['1}}', '1}}', 0],
  ];
  for (const [chunk, expected, held] of steps) {
    out.length = 0;
    masker.push(Buffer.from(chunk), (piece) => void out.push(piece.toString()));
    expect([out.join(''), masker.heldBytes]).toEqual([expected, held]);
  }
});

describe('refuses', () => {
  test.each([
    ...[
      'x',
      '"',
      '"\u0001"',
      String.raw`"\x"`,
      String.raw`"\u00g0"`,
      '01',
      '-',
      '1.',
      '.5',
      '1e',
      '+1',
      'nul',
      'truefalse',
      'nan',
    ],
    ...[
      '{',
      '[',
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      '{,}',
      '{a:1}',
      '{1:1}',
      '{"a":1 "b":2}',
      '{"a":1]',
      '{"a"::1}',
      '{"a":,1}',
    ],
    ...['[1,]', '[,]', '[1 2]', '[1}', ']', '}', ',', ':', '{}]', '1 ,', '"a":1'],
  ])('%s', (input) => {
    for (const sizes of [[], [1]]) expect(() => hidden({mask: [data]}, input, sizes)).toThrow(MaskError);
  });

  test('what is nested too deep', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(hidden({}, nested(MAXIMUM_DEPTH))).toBe(nested(MAXIMUM_DEPTH));
    expect(() => hidden({}, nested(MAXIMUM_DEPTH + 1))).toThrow('nested more than 256 deep');
  });

  test('a number without end', () => {
    expect(() => hidden({}, '1'.repeat(2000), [100])).toThrow(MaskError);
  });

  test('anything after it has failed', () => {
    const masker = maskerOf({});
    expect(() => masker.push(Buffer.from('x'), () => {})).toThrow('cannot be read');
    expect(() => masker.push(Buffer.from('{}'), () => {})).toThrow('failed on this stream before');
    expect(() => masker.end(() => {})).toThrow('failed on this stream before');
  });

  test('what has no end, having passed none of what it should hide', () => {
    const masker = maskerOf({mask: [data]});
    const out: Buffer[] = [];
    const emit = (piece: Buffer) => void out.push(piece);
    masker.push(Buffer.from('{"data":{"a":"sec'), emit);
    expect(() => masker.end(emit)).toThrow('ends too early');
    expect(Buffer.concat(out).toString()).toBe('{"data":{"a":"***');
  });
});

type Json = string | number | boolean | null | Json[] | {[name: string]: Json};

const names = fc.constantFrom('data', 'a', 'b', 'items', 'object', 'rows', 'spec', 'é"\\', '');
const {value: json} = fc.letrec<{value: Json}>((tie) => ({
  value: fc.oneof(
    {depthSize: 'small'},
    fc.oneof(
      fc.string({unit: 'grapheme', maxLength: 9}),
      fc.integer(),
      fc.double({noNaN: true, noDefaultInfinity: true}),
    ),
    fc.constantFrom(true, false, null),
    fc.array(tie('value'), {maxLength: 4}),
    fc.dictionary(names, tie('value'), {maxKeys: 5, noNullPrototype: true}),
  ),
}));
const paths = fc.array(fc.array(fc.oneof(names, fc.constant('*')), {minLength: 1, maxLength: 3}), {maxLength: 3});
const chunkSizes = fc.array(fc.integer({min: 1, max: 40}), {minLength: 1, maxLength: 5});

/** Says of a value what the masker should make of it, by searching all paths anew at each. */
function reference(options: Options, value: Json, way: readonly string[] = [], inside = false): string | undefined {
  const leadsHere = (path: FieldPath) =>
    [[], ['items', '*'], ['object'], ['rows', '*', 'object'], ['object', 'rows', '*', 'object']].some((wrapper) => {
      const whole = [...wrapper, ...path];
      return whole.length === way.length && whole.every((name, index) => name === '*' || name === way[index]);
    });
  if (options.remove?.some(leadsHere)) return undefined;
  const isMasked = inside || options.mask?.some(leadsHere) === true;
  if (Array.isArray(value)) {
    const elements = value.map((element) => reference(options, element, [...way, '\0'], isMasked));
    return `[${elements.filter((element) => element !== undefined).join(',')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, member]) => [
      name,
      reference(options, member, [...way, name], isMasked),
    ]);
    const kept = members.filter(([, member]) => member !== undefined);
    return `{${kept.map(([name, member]) => `${JSON.stringify(name)}:${member}`).join(',')}}`;
  }
  const token = JSON.stringify(value);
  if (!isMasked) return token;
  const bytes = Buffer.byteLength(token);
  if (typeof value === 'string') return `"${'*'.repeat(bytes - 2)}"`;
  if (typeof value !== 'number') return 'null'.padEnd(bytes);
  return bytes === 1 ? '0' : `"${'*'.repeat(bytes - 2)}"`;
}

test('hides what a search of all paths at every value finds, however the bytes are cut', () => {
  fc.assert(
    fc.property(json, paths, paths, chunkSizes, (value, mask, remove, sizes) => {
      const options = {mask, remove};
      // A scalar at the top is of no object, and no path leads there.
      const expected = reference(options, value);
      const input = JSON.stringify(value);
      expect(hidden(options, input)).toBe(expected);
      expect(hidden(options, input, sizes)).toBe(expected);
      JSON.parse(expected ?? '');
    }),
    RUNS,
  );
});

test('makes of the copy what it makes of the object, but for short numbers', () => {
  fc.assert(
    fc.property(json, paths, paths, chunkSizes, (value, mask, remove, sizes) => {
      const object = JSON.parse(JSON.stringify(value), (_name, each) =>
        typeof each === 'number' ? each + 0.125 : each,
      );
      const options = {mask, remove};
      const input = JSON.stringify({metadata: {annotations: {[LAST_APPLIED[2] as string]: JSON.stringify(object)}}});
      const out = hidden(options, input, sizes);
      const annotation = JSON.parse(out)?.metadata?.annotations?.[LAST_APPLIED[2] as string];
      if (typeof annotation !== 'string' || annotation.startsWith('*')) return;
      const before: unknown = JSON.parse(reference(options, object) ?? '');
      const sameNumbers = (text: string) => text.replaceAll(/"\*+"/g, '"*"');
      expect(sameNumbers(JSON.stringify(JSON.parse(annotation)))).toBe(sameNumbers(JSON.stringify(before)));
    }),
    RUNS,
  );
});

test('any bytes pass as JSON or are refused, the same however they are cut', () => {
  const bytes = fc.oneof(
    fc.uint8Array({maxLength: 60}).map((array) => Buffer.from(array)),
    fc.string({unit: fc.constantFrom(...'{}[]:,"\\ua1-.e0 \n'), maxLength: 60}).map((text) => Buffer.from(text)),
    json.map((value) => Buffer.from(JSON.stringify(JSON.stringify(value)))),
  );
  fc.assert(
    fc.property(bytes, chunkSizes, (input, sizes) => {
      const outcome = (sizesOf: readonly number[]) => {
        try {
          return hidden({mask: [['a'], ['*', 'a']], remove: [['b', '*']]}, input, sizesOf);
        } catch (error) {
          expect(error).toBeInstanceOf(MaskError);
          return (error as Error).message;
        }
      };
      expect(outcome(sizes)).toBe(outcome([]));
    }),
    RUNS,
  );
});
