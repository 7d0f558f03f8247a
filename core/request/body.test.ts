import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {BodyError, readBody} from './body.ts';

const json = 'application/json';
const read = (text: string, contentType = json) => readBody(Buffer.from(text), contentType);

describe('JSON', () => {
  test.each([
    [' {"b": 1, "a": [true, null, "x"]} ', {a: [true, null, 'x'], b: 1}, '{"a":[true,null,"x"],"b":1}'],
    ['{}', {}, '{}'],
    ['[]', [], '[]'],
    ['"\\u0041\\n\\ud83d\\ude00"', 'A\n😀', '"A\\n😀"'],
    ['1.0', 1, '1.0'],
    ['-0', -0, '-0'],
    ['1e2', 100, '1e2'],
    ['9007199254740991', 9007199254740991, '9007199254740991'],
    ['9007199254740993', 9007199254740993n, '9007199254740993'],
    ['-9223372036854775808', -9223372036854775808n, '-9223372036854775808'],
    ['9223372036854775808', 2 ** 63, '9223372036854775808'],
    ['0.1000000000000000055', 0.1, '0.1000000000000000055'],
  ])('%s', (text, value, canonical) => {
    expect(read(text)).toEqual({kind: 'JSON', value, canonical});
  });

  test('a __proto__ key is a key', () => {
    const body = read('{"__proto__": {"polluted": true}}');
    expect(body).toMatchObject({kind: 'JSON', canonical: '{"__proto__":{"polluted":true}}'});
    expect(Object.keys(body.kind === 'JSON' ? (body.value as object) : {})).toEqual(['__proto__']);
    expect(({} as {polluted?: boolean}).polluted).toBeUndefined();
  });

  test('a string of megabytes is read', () => {
    const text = JSON.stringify({data: 'x"\\'.repeat(1_000_000)});
    expect(read(text)).toMatchObject({canonical: text});
  });

  test('key order and white space do not change the canonical form, and every value has its own', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (left, right) => {
        const canonical = (value: unknown, indent?: number) => {
          const body = read(JSON.stringify(value, undefined, indent));
          return body.kind === 'JSON' ? body.canonical : undefined;
        };
        expect(canonical(reversed(left), 2)).toBe(canonical(left));
        expect(canonical(left) === canonical(right)).toBe(
          JSON.stringify(sorted(left)) === JSON.stringify(sorted(right)),
        );
        expect(JSON.parse(canonical(left) ?? '')).toEqual(JSON.parse(JSON.stringify(left)));
      }),
    );
  });
});

describe('is refused, with the place', () => {
  test.each([
    ['{"spec":{"image":"a","image":"b"}}', 'DuplicateKey', 'spec.image'],
    ['{"a":1,"\\u0061":2}', 'DuplicateKey', 'a'],
    ['{"spec":{"containers":[{"name":"a"},{"name":"\\ud800"}]}}', 'LoneSurrogate', 'spec.containers[1].name'],
    ['{"replicas":1e999}', 'NumberOutOfRange', 'replicas'],
    ['['.repeat(257) + ']'.repeat(257), 'TooDeep', '[0][0]'],
    ['{"a":01}', 'Syntax', 'a'],
    ['{"a":+1}', 'Syntax', 'a'],
    ['{"a":.5}', 'Syntax', 'a'],
    ['{"a":NaN}', 'Syntax', 'a'],
    ["{'a':1}", 'Syntax', 'double quotes'],
    ['{"a":1,}', 'Syntax', 'double quotes'],
    ['[1,]', 'Syntax', '[1]'],
    ['{"a" 1}', 'Syntax', 'a'],
    ['{"a":tru}', 'Syntax', 'a'],
    ['{"a":"\\x41"}', 'Syntax', 'a'],
    ['{"a":"\n"}', 'Syntax', 'a'],
    ['{"a":"', 'Syntax', 'a'],
    ['{"a":1', 'Syntax', 'the body'],
    ['{} {}', 'Syntax', 'the body'],
    [' ', 'Syntax', 'the body'],
    ['\ufeff{}', 'Syntax', 'the body'],
    ['// comment\n{}', 'Syntax', 'the body'],
  ])('%s', (text, code, place) => {
    expect(() => read(text)).toThrow(expect.objectContaining({code, message: expect.stringContaining(place)}));
    expect(() => read(text)).toThrow(BodyError);
  });

  test('bytes that are not UTF-8', () => {
    expect(() => readBody(Buffer.from([0x22, 0xff, 0x22]), json)).toThrow(expect.objectContaining({code: 'NotUTF8'}));
    expect(() => readBody(Buffer.from([0x22, 0xc0, 0xaf, 0x22]), json)).toThrow(BodyError);
  });

  test('256 levels are read', () => {
    expect(read('['.repeat(256) + ']'.repeat(256)).kind).toBe('JSON');
  });
});

describe('media types', () => {
  test.each([
    ['', '{}', 'JSON'],
    ['application/json', '{}', 'JSON'],
    ['Application/JSON ; charset=utf-8', '{}', 'JSON'],
    ['application/json-patch+json', '[]', 'JSON'],
    ['application/merge-patch+json', '{}', 'JSON'],
    ['application/strategic-merge-patch+json', '{}', 'JSON'],
    ['application/apply-patch+yaml', '{"a":1}', 'JSON'],
    ['application/apply-patch+yaml', 'a: 1', 'Opaque'],
    ['application/apply-patch+yaml', '{"a":"b\u2028c"}', 'Opaque'],
    ['application/yaml', '{"a":1}', 'JSON'],
    ['application/yaml', '# {}', 'Opaque'],
    ['application/vnd.kubernetes.protobuf', 'k8s\0', 'Opaque'],
    ['application/cbor', '`', 'JSON'],
    ['application/apply-patch+cbor', '`', 'JSON'],
    ['text/plain', '{}', 'Opaque'],
    ['text/plain', '', 'Empty'],
  ])('%s with %j is %s', (contentType, text, kind) => expect(read(text, contentType).kind).toBe(kind));

  test('duplicate keys are refused where JSON is called YAML', () => {
    expect(() => read('{"a":1,"a":2}', 'application/apply-patch+yaml')).toThrow(BodyError);
  });

  test('opaque bytes are their own canonical form', () => {
    expect(read('a: 1', 'application/yaml')).toMatchObject({kind: 'Opaque', canonical: Buffer.from('a: 1')});
  });
});

test('agrees with JSON.parse wherever both take the text, and throws nothing but its own error', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '\\',
    'u00e9',
    '1',
    '-',
    '.',
    'e',
    'null',
    ' ',
    '\n',
    'a',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece, {maxLength: 12}).map((pieces) => pieces.join('')),
        fc.json(),
      ),
      (text) => {
        let body: ReturnType<typeof read>;
        try {
          body = read(text);
        } catch (error) {
          expect(error).toBeInstanceOf(BodyError);
          return;
        }
        if (body.kind === 'JSON') expect(JSON.parse(body.canonical)).toEqual(JSON.parse(text));
      },
    ),
    {numRuns: 500},
  );
});

test('any bytes of any media type get an answer or its own error', () => {
  const types = fc.oneof(fc.constantFrom(json, '', 'application/yaml'), fc.string());
  fc.assert(
    fc.property(fc.uint8Array(), types, (bytes, contentType) => {
      try {
        readBody(bytes, contentType);
      } catch (error) {
        expect(error).toBeInstanceOf(BodyError);
      }
    }),
  );
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

/** Tells objects from arrays, and nothing else from anything. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return {array: value.map(sorted)};
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => ({key, member: sorted(member)}));
  return {object: members.sort((left, right) => (left.key < right.key ? -1 : 1))};
}
