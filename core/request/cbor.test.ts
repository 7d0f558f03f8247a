import {describe, expect, test} from '@jest/globals';
import {encode, Token, Type} from 'cborg';
import fc from 'fast-check';
import {readBody} from './body.ts';
import {CBORError, jsonOfCBOR} from './cbor.ts';

const cbor = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('CBOR is read as the JSON that means the same', () => {
  test.each([
    ['a map', 'a1 61 61 01', '{"a":1}'],
    ['an empty one', 'a0', '{}'],
    ['self-described', 'd9 d9f7 a1 61 61 01', '{"a":1}'],
    ['byte strings are text, as client-go writes it', 'a1 44 6b696e64 43 506f64', '{"kind":"Pod"}'],
    ['an empty byte string', '40', '""'],
    ['an empty text string', '60', '""'],
    ['data in base64', 'd6 43 010203', '"AQID"'],
    ['data in base64url', 'd5 42 fbff', '"-_8"'],
    ['data in hex', 'd7 42 0aff', '"0aff"'],
    ['no data', 'd6 40', '""'],
    ['text behind data', '82 d6 41 00 42 6869', '["AA==","hi"]'],
    ['an array of unknown length', '9f 01 02 ff', '[1,2]'],
    ['a map of unknown length', 'bf 61 61 01 ff', '{"a":1}'],
    ['the largest int64', '1b 7fffffffffffffff', '9223372036854775807'],
    ['the smallest int64', '3b 7fffffffffffffff', '-9223372036854775808'],
    ['a half', 'f9 3800', '0.5'],
    ['a float that is whole', 'fb 3ff0000000000000', '1'],
    ['true, false, null', '83 f5 f4 f6', '[true,false,null]'],
    ['an integer that could be shorter', '1b 0000000000000001', '1'],
    ['a key of JavaScript', 'a1 69 5f5f70726f746f5f5f 01', '{"__proto__":1}'],
  ])('%s', (_, hex, json) => {
    expect(jsonOfCBOR(cbor(hex))).toBe(json);
  });
});

describe('CBOR without one meaning to Kubernetes is refused', () => {
  test.each([
    ['nothing', ''],
    ['something behind it', 'a0 00'],
    ['a key twice', 'a2 61 61 01 61 61 02'],
    ['a key twice, as text and as bytes', 'a2 61 61 01 41 61 02'],
    ['__proto__ twice', 'a2 69 5f5f70726f746f5f5f 01 69 5f5f70726f746f5f5f 02'],
    ['a key that is a number', 'a1 01 02'],
    ['a key that is null', 'a1 f6 02'],
    ['a key that is a list', 'a1 80 02'],
    ['text that is not UTF-8', '61 ff'],
    ['a byte string that is not UTF-8', '41 ff'],
    ['half of a surrogate pair', '63 eda080'],
    ['NaN', 'f9 7e00'],
    ['infinity', 'f9 7c00'],
    ['minus infinity', 'fb fff0000000000000'],
    ['undefined', 'f7'],
    ['a simple value', 'e0'],
    ['a simple value of two bytes', 'f8 20'],
    ['a time', 'c1 1a 00000000'],
    ['a big number', 'c2 41 01'],
    ['a tag that nobody knows', 'da 00010000 01'],
    ['a tag for data on text', 'd6 61 61'],
    ['a tag for data on a list', 'd6 81 41 61'],
    ['a tag for data on a tag', 'd6 d6 41 61'],
    ['a tag on nothing', 'd6'],
    ['a tag on a break', '9f d9 d9f7 ff'],
    ['a text of unknown length', '7f 61 61 ff'],
    ['bytes of unknown length', '5f 41 61 ff'],
    ['a break alone', 'ff'],
    ['a break for a value', 'a1 61 61 ff'],
    ['a break for a value in a map of unknown length', 'bf 61 61 ff ff'],
    ['a break for an element', '82 01 ff'],
    ['fewer elements than said', '82 01'],
    ['fewer members than said', 'a2 61 61 01'],
    ['a text cut short', '63 6161'],
    ['a length beyond all memory', '9b 7fffffffffffffff'],
    ['a text beyond all memory', '7b 7fffffffffffffff'],
    ['reserved bits', '1c'],
  ])('%s', (_, hex) => {
    expect(() => jsonOfCBOR(cbor(hex))).toThrow(CBORError);
  });

  test('nesting without end', () => {
    expect(() => jsonOfCBOR(Buffer.alloc(3_000_000, 0x81))).toThrow(CBORError);
    expect(() => jsonOfCBOR(Buffer.alloc(3_000_000, 0x9f))).toThrow(CBORError);
  });
});

describe('as a body', () => {
  test.each(['application/cbor', 'application/apply-patch+cbor', 'Application/CBOR; charset=x'])(
    '%s',
    (contentType) => {
      const body = readBody(cbor('d9 d9f7 a2 61 62 01 61 61 02'), contentType);
      expect(body).toEqual({kind: 'JSON', value: {a: 2, b: 1}, canonical: '{"a":2,"b":1}'});
    },
  );

  test('what is wrong with it is said', () => {
    expect(() => readBody(cbor('a2 61 61 01 61 61 02'), 'application/cbor')).toThrow(
      expect.objectContaining({code: 'Syntax', message: expect.stringMatching(/as CBOR: .*repeat map key "a"/)}),
    );
    expect(() => readBody(cbor(`${'81'.repeat(257)}00`), 'application/cbor')).toThrow(
      expect.objectContaining({code: 'TooDeep'}),
    );
  });
});

test('every JSON value comes back, its strings written as text or as bytes', () => {
  const asBytes = {string: (text: string) => new Token(Type.bytes, Buffer.from(text))};
  fc.assert(
    fc.property(fc.jsonValue({noUnicodeString: false}), (value) => {
      const json = JSON.stringify(value);
      const known = JSON.parse(json) as unknown;
      expect(JSON.parse(jsonOfCBOR(encode(known)))).toEqual(known);
      expect(JSON.parse(jsonOfCBOR(encode(known, {typeEncoders: asBytes})))).toEqual(known);
    }),
  );
});

test('whatever the bytes are, they are read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 64}), (bytes) => {
      try {
        JSON.parse(jsonOfCBOR(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(CBORError);
      }
    }),
    {numRuns: 2000},
  );
});
