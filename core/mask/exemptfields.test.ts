import {gunzipSync, gzipSync} from 'node:zlib';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {planOf} from '../../test/maskplan.ts';
import {maskedFields, maskedValues} from './counts.ts';
import {createMasker} from './createmasker.ts';
import {parseFieldPath} from './fieldpath.ts';
import type {Detector, MaskPlan} from './plan.ts';

const pan = '4111111111111111';
const masked = '************1111';
const ALL: readonly Detector[] = ['PAN', 'TrackData', 'CardVerificationCode', 'Regex'];
const everything = planOf(
  {detector: 'PAN'},
  {detector: 'TrackData'},
  {detector: 'CardVerificationCode'},
  {detector: 'Regex', regex: {pattern: 'tok_[a-z0-9]+'}},
);

function planWithout(exempt: Readonly<Record<string, readonly Detector[]>>): MaskPlan {
  const exemptFields = Object.entries(exempt).map(([path, detectors]) => ({
    path: parseFieldPath(path) ?? [],
    detectors,
  }));
  return {...everything, exemptFields};
}

/** Twice by one masker. */
function through(plan: MaskPlan, input: string, cuts: readonly number[] = [], base64 = false) {
  const masker = createMasker({mediaType: 'json', plan, base64});
  let most = 0;
  const run = () => {
    const out: Buffer[] = [];
    const emit = (bytes: Buffer) => void out.push(Buffer.from(bytes));
    const bytes = Buffer.from(input);
    let from = 0;
    for (const to of [...cuts, bytes.length]) {
      masker.push(Buffer.from(bytes.subarray(from, to)), emit);
      most = Math.max(most, masker.heldBytes);
      from = to;
    }
    masker.end(emit);
    return Buffer.concat(out).toString();
  };
  const text = run();
  const counts = {values: maskedValues(masker.counts), fields: maskedFields(masker.counts)};
  expect(run()).toBe(text);
  expect(maskedFields(masker.counts)).toEqual(counts.fields);
  return {text, ...counts, most};
}

function everyCut(plan: MaskPlan, input: string, base64 = false) {
  const {most: _most, ...whole} = through(plan, input, [], base64);
  const {length} = Buffer.from(input);
  for (let cut = 1; cut < length; cut++) {
    expect({cut, ...through(plan, input, [cut], base64)}).toMatchObject({cut, ...whole});
  }
  const everyByte = Array.from({length: length - 1}, (_, index) => index + 1);
  expect(through(plan, input, everyByte, base64)).toMatchObject(whole);
  return whole;
}

describe('members that are exempt', () => {
  test.each<[string, Record<string, readonly Detector[]>, string, string]>([
    ['strings', {'data.a': ['PAN']}, `{"data":{"a":"${pan}","b":"${pan}"}}`, `{"data":{"a":"${pan}","b":"${masked}"}}`],
    ['numbers', {'data.a': ['PAN']}, `{"data":{"a":${pan},"b":${pan}}}`, `{"data":{"a":${pan},"b":"**********1111"}}`],
    [
      'all that is inside, names as well',
      {data: ['PAN']},
      `{"data":{"a":["${pan}",{"${pan}":${pan}}]},"b":["${pan}"]}`,
      `{"data":{"a":["${pan}",{"${pan}":${pan}}]},"b":["${masked}"]}`,
    ],
    [
      'but not their own names',
      {[`data["${pan}"]`]: ['PAN']},
      `{"data":{"${pan}":"${pan}"}}`,
      `{"data":{"${masked}":"${pan}"}}`,
    ],
    ['elements', {'a[*].b': ['PAN']}, `{"a":[{"b":"${pan}","c":"${pan}"}]}`, `{"a":[{"b":"${pan}","c":"${masked}"}]}`],
    [
      'objects of lists, watches and tables',
      {'data.a': ['PAN']},
      `{"items":[{"data":{"a":"${pan}"}},{"data":{"b":"${pan}"}}]}\n{"object":{"data":{"a":"${pan}"}}}`,
      `{"items":[{"data":{"a":"${pan}"}},{"data":{"b":"${masked}"}}]}\n{"object":{"data":{"a":"${pan}"}}}`,
    ],
    [
      'beside each other, and what is between',
      {'x.a': ['PAN'], 'x.c': ['PAN']},
      `{"x":{"a":"4111 1111","b":"${pan}","c":"1111 1111"}}`,
      `{"x":{"a":"4111 1111","b":"${masked}","c":"1111 1111"}}`,
    ],
    [
      'of one detector, for the others not',
      {a: ['TrackData'], b: ['PAN'], c: ['CardVerificationCode'], d: ['Regex']},
      `{"a":";${pan}=29121011234567890?","b":";${pan}=29121011234567890?","c":"cvv=123 ${pan}","d":"tok_1 ${pan}"}`,
      `{"a":";${masked}=29121011234567890?","b":";${'*'.repeat(35)}","c":"cvv=123 ${masked}","d":"tok_1 ${masked}"}`,
    ],
    [
      'inside of each other, of different detectors',
      {a: ['PAN'], 'a.b': ['CardVerificationCode'], 'a.b.c': ['PAN']},
      `{"a":{"b":{"c":"${pan}","cvv":"123"},"cvv":"123","d":${pan}},"d":${pan}}`,
      `{"a":{"b":{"c":"${pan}","cvv":"123"},"cvv":"***","d":${pan}},"d":"**********1111"}`,
    ],
    [
      'where the name is outside',
      {'a.cvv': ['CardVerificationCode']},
      '{"a":{"cvv":123,"b":{"cvv":123}}}',
      '{"a":{"cvv":123,"b":{"cvv":"*"}}}',
    ],
    [
      'and documents that are no objects',
      {a: ['PAN']},
      `"${pan}" ${pan} [${pan}]`,
      `"${masked}" "**********1111" ["**********1111"]`,
    ],
  ])('are left alone: %s', (_name, exempt, input, expected) => {
    expect(everyCut(planWithout(exempt), input).text).toBe(expected);
  });

  test('are left alone where they are base64', () => {
    const [card, other] = [pan, `pan ${pan}`].map((text) => Buffer.from(text).toString('base64'));
    const hidden = Buffer.from(`pan ${masked}`).toString('base64');
    const input = `{"data":{"a":"${card}","b":"${other}"}}`;
    expect(everyCut(planWithout({'data.a': ['PAN']}), input, true).text).toBe(
      `{"data":{"a":"${card}","b":"${hidden}"}}`,
    );
  });

  test('are not counted', () => {
    const input = `{"a":"${pan} cvv=123 tok_1","b":"${pan} cvv=123 tok_1 ;${pan}=29121011234567890?"}`;
    const {values, fields} = everyCut(planWithout({a: ALL}), input);
    expect(values).toEqual({PAN: 1, TrackData: 1, CardVerificationCode: 1, Regex: 1});
    expect(fields).toEqual({PAN: {b: 1}, TrackData: {b: 1}, CardVerificationCode: {b: 1}, Regex: {b: 1}});
  });

  test('are not held back, however long they are', () => {
    const long = `${pan} lorem ipsum `.repeat(20_000);
    const cuts = Array.from({length: 100}, (_, index) => (index + 1) * 4000);
    // Patterns hold the string in which they are searched for.
    const plan = {...planWithout({a: ['PAN']}), regexes: []};
    const {text, most} = through(plan, `{"a":"${long}","b":"${pan}"}`, cuts);
    expect(text).toBe(`{"a":"${long}","b":"${masked}"}`);
    expect(most).toBeLessThan(2048);
  });

  test('are no reason to take for JSON what is none', () => {
    expect(() => through(planWithout({a: ['PAN']}), '{"a":')).toThrow(expect.objectContaining({code: 'NotMaskable'}));
  });

  test('are not there in text', () => {
    const masker = createMasker({mediaType: 'text', plan: planWithout({a: ['PAN']})});
    const out: Buffer[] = [];
    masker.push(Buffer.from(`{"a":"${pan}"}`), (bytes) => out.push(bytes));
    masker.end((bytes) => out.push(bytes));
    expect(Buffer.concat(out).toString()).toBe(`{"a":"${masked}"}`);
  });
});

/** JSON of members a, b and c that hold cards, codes and more, written in whatever way. */
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    {maxDepth: 3},
    fc.constantFrom(`"${pan}"`, pan, '"4111 1111"', '"1111 1111"', '"cvv=123"', '123', `";${pan}=29121011234567890?"`),
    fc.constantFrom('"\\u0034111111111111111"', '4.111111111111111e15', '"tok_1"', `"{\\"a\\":\\"${pan}\\"}"`, 'true'),
    fc.array(tie('value'), {maxLength: 3}).map((all) => `[${all.join(', ')}]`),
    fc
      .array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'cvv', pan), tie('value')), {maxLength: 3})
      .map((all) => `{${all.map(([name, each]) => `"${name}":${each}`).join(' ,\n')}}`),
  ),
})).value as fc.Arbitrary<string>;

test('what is exempt comes out as it came in, and all else as if nothing were', () => {
  fc.assert(
    fc.property(value, value, value, fc.array(fc.nat(200)), (a, b, c, cuts) => {
      const parts = ['{"a":', a, ',"b":', b, ',"c":', c, '}'];
      const input = parts.join('');
      const plain = through(everything, input).text;
      let at = 0;
      const expected = parts.map((part, index) => {
        const from = at;
        at += part.length;
        return index === 1 || index === 5 ? part : plain.slice(from, at);
      });
      const sorted = cuts.filter((cut) => cut < input.length).sort((one, other) => one - other);
      expect(through(planWithout({a: ALL, c: ALL}), input, sorted).text).toBe(expected.join(''));
    }),
    {numRuns: 300},
  );
});

describe('gzip in base64', () => {
  const gzip = (text: string): string => gzipSync(`paid with ${text}, thanks`).toString('base64');
  const packed = gzip('4929123456789015');
  const twice = Buffer.from(packed).toString('base64');
  const cutOff = gzip('4929123456789015 and so on and on').slice(0, 64);

  test('stays in a member that is exempt, and is counted by its name in any other', () => {
    const input = `{"binaryData":{"kept":"${packed}","nested":"${twice}","broken":"${cutOff}","other":"${packed}"}}`;
    const exempt = {'binaryData.kept': ALL, 'binaryData.nested': ALL, 'binaryData.broken': ALL};
    const {text, fields} = everyCut(planWithout(exempt), input);
    const {kept, nested, broken, other} = JSON.parse(text).binaryData;
    expect([kept, nested, broken]).toEqual([packed, twice, cutOff]);
    expect(gunzipSync(Buffer.from(other, 'base64')).toString()).toBe('paid with ************9015, thanks');
    expect(fields).toEqual({PAN: {other: 1}});
  });
});
