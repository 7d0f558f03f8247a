import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {planOf} from '../../test/maskplan.ts';
import {type MaskedFields, maskedFields, maskedValues} from './counts.ts';
import {createMasker} from './createmasker.ts';
import type {MaskMediaType} from './masker.ts';
import type {MaskPlan} from './plan.ts';

const pan = '4111111111111111';
const masked = '************1111';
const token = 'tok_1';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const everything = planOf(
  {detector: 'PAN'},
  {detector: 'TrackData'},
  {detector: 'CardVerificationCode'},
  {detector: 'Regex', regex: {pattern: 'tok_[a-z0-9]+'}},
  {detector: 'Field', field: {paths: ['secret', 'data.secret', 'list[*]']}},
);
const cards = planOf({detector: 'PAN'});

function counted(plan: MaskPlan, input: string, cuts: readonly number[] = [], mediaType: MaskMediaType = 'json') {
  const masker = createMasker({mediaType, plan, base64: true});
  const bytes = Buffer.from(input);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    masker.push(Buffer.from(bytes.subarray(from, to)), () => {});
    from = to;
  }
  masker.end(() => {});
  return {values: maskedValues(masker.counts), fields: maskedFields(masker.counts)};
}

/** Whole, cut in two at every offset, and byte by byte. */
function everyCut(plan: MaskPlan, input: string): MaskedFields {
  const whole = counted(plan, input);
  const {length} = Buffer.from(input);
  for (let cut = 1; cut < length; cut++) expect({cut, ...counted(plan, input, [cut])}).toEqual({cut, ...whole});
  const everyByte = Array.from({length: length - 1}, (_, index) => index + 1);
  expect(counted(plan, input, everyByte)).toEqual(whole);
  return whole.fields;
}

describe('what is found is counted by the nearest member', () => {
  test.each<[string, string, MaskedFields]>([
    ['of a string', `{"a":"x","b":"y ${pan}"}`, {PAN: {b: 1}}],
    ['of a number', `{"a":1,"b":${pan}}`, {PAN: {b: 1}}],
    ['of white space', `{"a":1 ,\n "b" :\n\t "${pan}" , "c"\n: ${pan}}`, {PAN: {b: 1, c: 1}}],
    ['of an element', `{"a":{"x":1},"b":["y",{"z":[1]},"]\\"[","${pan}",${pan}]}`, {PAN: {b: 2}}],
    ['of an element of an element', `{"b":[["x",[]],[1,"${pan}"],"${pan}"]}`, {PAN: {b: 2}}],
    ['of a member of an element', `{"b":[{"c":"${pan}","d":["${pan}"]}]}`, {PAN: {c: 1, d: 1}}],
    ['of a name', `{"a":{"x":[],"${pan}":1}}`, {PAN: {a: 1}}],
    ['in a name', `{"a":{"${pan}":["${pan}"]}}`, {PAN: {a: 1, '************1111': 1}}],
    ['with escapes in the name', `{"a\\u0062\\"c\\n":"${pan}"}`, {PAN: {'ab"c\n': 1}}],
    ['with a name that is empty', `{"":"${pan}"}`, {PAN: {'': 1}}],
    ['of documents one after the other', `{"a":"${pan}"}\n["${pan}"]${pan}`, {PAN: {a: 1}}],
    ['of the key of a Secret', `{"data":{"card":"${base64(`n ${pan}`)}"}}`, {PAN: {card: 1}}],
    [
      'of base64 in JSON in a string',
      `{"last":"{\\"data\\":{\\"card\\":\\"${base64(`n ${pan}`)}\\"}}"}`,
      {PAN: {card: 1}},
    ],
    ['of JSON in a string', `{"a":"{\\"b\\": \\"${pan}\\",\\"c\\":${pan}}"}`, {PAN: {b: 1, c: 1}}],
    ['of JSON in JSON in a string', `{"a":"{\\"b\\":\\"{\\\\\\"c\\\\\\":\\\\\\"${pan}\\\\\\"}\\"}"}`, {PAN: {c: 1}}],
    ['of text with quotes', `{"a":"he said \\"${pan}\\", \\"x\\": no"}`, {PAN: {a: 1}}],
    ['of text with a colon', `{"a":"card: ${pan}"}`, {PAN: {a: 1}}],
    ['of a backslash before the quote', `{"a":"x\\\\","b":"\\\\${pan}"}`, {PAN: {b: 1}}],
    ['of a track', `{"a":";${pan}=29121011234567890?"}`, {TrackData: {a: 1}}],
    ['of a code', '{"a":[1],"cvv":"123","b":"cvc=123"}', {CardVerificationCode: {cvv: 1, b: 1}}],
    ['of a pattern', `{"a":"${token} ${token}","b":["x","${token}"],"c":{"${token}":1}}`, {Regex: {a: 2, b: 1, c: 1}}],
    ['that is hidden', '{"a":1,"secret":{"x":1},"list":[1,"x"]}', {Field: {secret: 1, list: 2}}],
    ['in a name that a pattern hides', `{"${token}":["${pan}","${token}"]}`, {Regex: {'*****': 1}, PAN: {'*****': 1}}],
    ['in a name that holds a code', `{"x cvv=123":["${pan}"]}`, {PAN: {'x cvv=***': 1}}],
    ['in a name that is base64', `{"${base64(`n ${pan}`)}":["${pan}"]}`, {PAN: {[base64('n ************1111')]: 1}}],
    ['with signs of all alphabets in the name', `{"kärtchen 💳":"${pan}"}`, {PAN: {'kärtchen 💳': 1}}],
    ['of nothing', `["${pan}"]`, {}],
  ])('%s', (_name, input, expected) => {
    expect(everyCut(everything, input)).toEqual(expected);
  });

  test('that is removed', () => {
    const plan = planOf({detector: 'Field', field: {paths: ['a.b', 'c'], action: 'Remove'}}, {detector: 'PAN'});
    expect(everyCut(plan, `{"a":{"b":{"c":"${pan}"},"d":"${pan}"},"c":${pan}}`)).toEqual({
      Field: {b: 1, c: 1},
      PAN: {d: 1},
    });
  });

  test('of the copy that kubectl keeps', () => {
    const copy = JSON.stringify({secret: 'x', data: {secret: 1}});
    const annotations = {'kubectl.kubernetes.io/last-applied-configuration': copy};
    expect(everyCut(everything, JSON.stringify({metadata: {annotations}}))).toEqual({Field: {secret: 2}});
  });

  test('not in text', () => {
    expect(counted(everything, `{"a":"${pan}"}`, [], 'text')).toEqual({values: {PAN: 1}, fields: {}});
  });
});

describe('a name is found', () => {
  const filler = (bytes: number): string => 'lorem \\"ipsum\\" '.repeat(bytes / 16);
  const sizes = [[], [1], [5000], [8000, 8001, 8002], Array.from({length: 30}, (_, index) => (index + 1) * 1000)];

  test.each([1024, 4096, 10_000, 100_000])('however long the string is: %d bytes', (bytes) => {
    const input = `{"a":"${filler(bytes)} ${pan} ${token} ${filler(bytes)} ${pan}","b":"${pan}"}`;
    for (const cuts of sizes) {
      const within = cuts.filter((cut) => cut < input.length);
      expect(counted(everything, input, within).fields).toEqual({PAN: {a: 2, b: 1}, Regex: {a: 1}});
    }
  });

  test('however long the base64 of a Secret is', () => {
    const input = `{"data":{"x":"","a":"${base64(`${'lorem ipsum '.repeat(8000)}${pan}`)}"}}`;
    for (const cuts of sizes) expect(counted(cards, input, cuts).fields).toEqual({PAN: {a: 1}});
  });

  test('of elements, where the array begins in the 4 KiB before', () => {
    const near = `{"a":[${'"lorem ipsum",'.repeat(200)}"${pan}"]}`;
    const far = `{"a":[${'"lorem ipsum",'.repeat(400)}"${pan}"]}`;
    for (const cuts of sizes) {
      const within = cuts.filter((cut) => cut < near.length);
      expect(counted(cards, near, within)).toEqual({values: {PAN: 1}, fields: {PAN: {a: 1}}});
      expect(counted(cards, far, within)).toEqual({values: {PAN: 1}, fields: {}});
    }
  });
});

test('names are those of one stream, also where something was found at the very end of the one before', () => {
  const masker = createMasker({mediaType: 'json', plan: cards});
  masker.push(Buffer.from(`{"a":"${pan}"} ${pan}`), () => {});
  masker.end(() => {});
  expect(maskedFields(masker.counts)).toEqual({PAN: {a: 1}});
  masker.push(Buffer.from('{"411'), () => {});
  masker.push(Buffer.from(`${pan.slice(3)}":["${pan}"]}`), () => {});
  masker.end(() => {});
  expect(maskedFields(masker.counts)).toEqual({PAN: {[masked]: 1}});
  masker.end(() => {});
  expect(maskedFields(masker.counts)).toEqual({});
});

test('no more than 32 names are counted', () => {
  const names = Array.from({length: 100}, (_, index) => `"name-${index}":"${pan}"`);
  const {values, fields} = counted(cards, `{${names.join()},"name-1":"${pan}"}`);
  expect(values).toEqual({PAN: 101});
  expect(Object.keys(fields.PAN ?? {})).toHaveLength(32);
  expect(fields.PAN?.['name-1']).toBe(2);
});

test('many findings in one array, or in one string, cost no more than few', () => {
  const numbers = `{"a":[${`${pan},`.repeat(60_000)}1]}`;
  const text = `{"a":"${`\\" ${pan} \\"x`.repeat(40_000)}"}`;
  const begun = performance.now();
  counted(cards, numbers);
  counted(cards, text);
  // Without bounds it would be minutes.
  expect(performance.now() - begun).toBeLessThan(10_000);
});

const value = fc.letrec((tie) => ({
  value: fc.oneof(
    {maxDepth: 4},
    fc.constantFrom(`"${pan}"`, pan, `"x ${token}\\""`, '"cvv=123"', '123', '"\\\\"', '"[{"', '""', 'true'),
    fc.constantFrom(`"{\\"a\\":\\"${pan}\\"}"`, `"${base64(pan)}"`, `"${'lorem \\" '.repeat(600)}${pan}"`),
    fc.array(tie('value'), {maxLength: 4}).map((all) => `[${all.join(', ')}]`),
    fc
      .array(
        fc.tuple(fc.constantFrom('a', 'secret', 'cvv', pan, '\\u0061\\"', token, base64(pan), 'cvc=123'), tie('value')),
        {maxLength: 4},
      )
      .map((all) => `{${all.map(([name, each]) => `"${name}": ${each}`).join(' ,\n')}}`),
  ),
})).value as fc.Arbitrary<string>;

test('the names are the same however the stream is cut', () => {
  fc.assert(
    fc.property(value, fc.array(fc.nat(20_000), {maxLength: 40}), (input, cuts) => {
      const sorted = cuts.map((cut) => cut % Math.max(input.length, 1)).sort((one, other) => one - other);
      expect(counted(everything, input, sorted)).toEqual(counted(everything, input));
    }),
    {numRuns: 500},
  );
});
