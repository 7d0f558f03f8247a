import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {createMasker, type MaskerOptions, maskText} from './createmasker.ts';

const TEXT: MaskerOptions = {mediaType: 'text'};
const JSON_: MaskerOptions = {mediaType: 'json'};
const SECRET: MaskerOptions = {mediaType: 'json', base64: true};

function masked(options: MaskerOptions, input: string, cuts: readonly number[] = []): {out: string; found: number} {
  const masker = createMasker(options);
  const bytes = Buffer.from(input);
  let out = '';
  const emit = (chunk: Buffer): void => {
    out += chunk.toString('latin1');
  };
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    masker.push(Buffer.from(bytes.subarray(from, to)), emit);
    from = to;
  }
  masker.end(emit);
  return {out, found: masker.counts.CardVerificationCode ?? 0};
}

/** Whole, cut in two at every offset, and byte by byte. */
function expectMasked(options: MaskerOptions, input: string, out: string, found = 1): void {
  expect(masked(options, input)).toEqual({out, found});
  for (let cut = 1; cut < input.length; cut++) {
    expect({cut, ...masked(options, input, [cut])}).toEqual({cut, out, found});
  }
  const everyByte = Array.from({length: input.length - 1}, (_, index) => index + 1);
  expect(masked(options, input, everyByte)).toEqual({out, found});
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a code beside its name is hidden', () => {
  test.each([
    ['cvv=123 x', 'cvv=*** x'],
    ['CVV: 1234\n', 'CVV: ****\n'],
    ['cvv2 : 123', 'cvv2 : ***'],
    ['a=1&cvc=123&b=2', 'a=1&cvc=***&b=2'],
    ['cvc%3D123%26b', 'cvc%3D***%26b'],
    ['a\\u0026cvv=123', 'a\\u0026cvv=***'],
    ['CARD_CVV="123"', 'CARD_CVV="***"'],
    ['cardCvv: 123', 'cardCvv: ***'],
    ['cid=1234', 'cid=****'],
    ['csc: 123.', 'csc: ***.'],
    ['cav2=123', 'cav2=***'],
    ['Card verification code: 123', 'Card verification code: ***'],
    ['card_verification_value=123', 'card_verification_value=***'],
    ['cardSecurityCode=1234', 'cardSecurityCode=****'],
    ['security-code: 123', 'security-code: ***'],
    ['- name: CVV\n  value: "123"\n', '- name: CVV\n  value: "***"\n'],
    ['<cvv>123</cvv>', '<cvv>***</cvv>'],
    ["{'cvv' => '123'}", "{'cvv' => '***'}"],
    ['pinblock=0412AC89ABCDEF12', 'pinblock=****************'],
    ['PIN_BLOCK: 0412ac89abcdef12\n', 'PIN_BLOCK: ****************\n'],
  ])('%s', (input, out) => {
    expectMasked(TEXT, input, out);
    expectMasked(JSON_, JSON.stringify({a: input}), JSON.stringify({a: out}));
  });

  test.each([
    ['{"cvv":"123","a":1}', '{"cvv":"***","a":1}'],
    ['{"a":{"CVV2": "1234"}}', '{"a":{"CVV2": "****"}}'],
    ['{"cvv":123}', '{"cvv":"*"}'],
    ['{"cvc": 1234 , "a":1}', '{"cvc": "**" , "a":1}'],
    ['{"env":[{"name":"CVV","value":"123"}]}', '{"env":[{"name":"CVV","value":"***"}]}'],
    ['{"s":"{\\"cvv\\":\\"123\\"}"}', '{"s":"{\\"cvv\\":\\"***\\"}"}'],
    [
      '{"s":"{\\"env\\":{\\"name\\":\\"CVV\\",\\"value\\":\\"123\\"}}"}',
      '{"s":"{\\"env\\":{\\"name\\":\\"CVV\\",\\"value\\":\\"***\\"}}"}',
    ],
    ['{"pinBlock":"0412AC89ABCDEF12"}', '{"pinBlock":"****************"}'],
  ])('in JSON: %s', (input, out) => {
    expectMasked(JSON_, input, out);
    expect(() => JSON.parse(out)).not.toThrow();
  });

  test('in the base64 of a Secret', () => {
    expectMasked(SECRET, `{"data":{"a":"${base64('cvc=123')}"}}`, `{"data":{"a":"${base64('cvc=***')}"}}`);
  });

  test('before a card number that it is no group of', () => {
    expect(masked(TEXT, 'cvv: 123 4111 1111 1111 1111').out).toBe('cvv: *** **** **** **** 1111');
  });

  test('in a string at hand', () => {
    expect(maskText('pay?cvv=123')).toBe('pay?cvv=***');
  });
});

describe('what is no code is left alone', () => {
  test.each(
    [
      ...['cvc-complex-type: 123', 'minCvv: 123', 'min_cvv: 123', 'cvvRequired: 123', 'cvv: true', 'cvv: null'],
      ...['cvv: 12', 'cvv: 12345', 'cvv: 123ms', 'cvv: 123.5', 'cvv=abc', 'cvv 123', 'cvv', 'pin: 1234', 'port: 8080'],
      ...['uid: 1234', 'vsock_cid: 123', 'acid=123', 'code: 200', 'name: a\n  value: "123"'],
      ...['pinblock=0412AC89ABCDEF1', 'pinblock=0412AC89ABCDEF123', 'block=0412AC89ABCDEF12', 'pinblock: 1234'],
    ].map((input) => [input]),
  )('%s', (input) => {
    expectMasked(TEXT, input, input, 0);
    const json = JSON.stringify({a: input});
    expectMasked(JSON_, json, json, 0);
  });

  test('members of JSON', () => {
    const input = '{"cvv":null,"cvv2":true,"cvvRequired":123,"cvc":12,"minCvv":3,"cvv":1.23,"cvv":12345,"cvv":123e1}';
    expectMasked(JSON_, input, input, 0);
  });
});

describe('a flush', () => {
  function flushed(parts: readonly string[]): {out: string[]; found: number} {
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
    return {out, found: masker.counts.CardVerificationCode ?? 0};
  }

  test.each([
    ['hides digits that come one by one', [...'cvv: 123', '\n'], [...'cvv: ***', '\n'], 1],
    ['hides a code that has begun', ['cvv=12', '3 x'], ['cvv=**', '* x'], 1],
    ['hides a code that may go on', ['cvv=123', '\n'], ['cvv=***', '\n'], 1],
    ['hides no more than a code has', ['cvv=12', '3456'], ['cvv=**', '**56'], 1],
    ['counts nothing that is too short', ['cvv=1', ' x'], ['cvv=*', ' x'], 0],
    ['holds nothing else', ['a 12', '3'], ['a 12', '3'], 0],
  ])('%s', (_, parts, out, found) => {
    expect(flushed(parts)).toEqual({out, found});
  });
});

test('anything like a code comes out the same however it is cut, in as many bytes', () => {
  const piece = fc.constantFrom(
    ...['cvv', 'cvc2', 'pinblock', 'cid', '=', ': ', '"', '\\"', '\\n', '%3D', '12', '3', '123', '1234', '.', 'A'],
    ...['0412AC89ABCDEF12', '{"name":"CVV","value":"', ' ', ',', 'x'],
  );
  fc.assert(
    fc.property(
      fc.array(piece, {maxLength: 16}),
      fc.array(fc.nat({max: 20}), {maxLength: 12}),
      fc.constantFrom(TEXT, JSON_),
      (pieces, steps, options) => {
        const input = options === JSON_ ? JSON.stringify([pieces.join('')]) : pieces.join('');
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
