import {describe, expect, test} from '@jest/globals';
import {CARD_FREE} from '../../test/mask/cardfree.ts';
import {mask} from '../../test/mask/engine.ts';
import {plantedCards} from '../../test/mask/planted.ts';
import {Random} from '../../test/mask/random.ts';
import {LAST_APPLIED} from './fieldmasker.ts';
import {holdsMaskedWord, type WriteKind, writtenBack} from './maskedbody.ts';
import type {MaskPlan} from './plan.ts';

const nothing: MaskPlan = {
  key: '',
  pan: undefined,
  trackData: false,
  cardVerificationCode: false,
  regexes: [],
  fields: [],
  decodeBase64: false,
  exemptFields: [],
};
const cards: MaskPlan = {...nothing, pan: {show: 'LastFour', longDigitRuns: false}};
const masked = '************1111';
const base64 = (text: string) => Buffer.from(text).toString('base64');

function fieldsOf(plan: MaskPlan, value: unknown, kind: WriteKind = 'update', isSecret = false): readonly string[] {
  return writtenBack({plan, value, kind, isSecret}).map(({field}) => field);
}

test('names the fields in which masked card numbers stand', () => {
  const value = {
    metadata: {annotations: {'example.com/card': `paid with ${masked}`}},
    data: {card: masked, [masked]: 'x', other: '4111', number: 1111},
    spec: {
      containers: [
        {
          env: [
            {name: 'A', value: 'a'},
            {name: 'B', value: '***'},
          ],
        },
      ],
    },
  };
  expect(fieldsOf(cards, value)).toEqual([
    'metadata.annotations["example.com/card"]',
    'data.card',
    'data["************1111"]',
    'spec.containers[0].env[1].value',
  ]);
});

test('names no more than ten', () => {
  expect(fieldsOf(cards, {data: new Array(1000).fill(masked)})).toHaveLength(10);
});

describe('base64', () => {
  const value = {
    data: {a: base64(masked), b: base64('x'), c: base64('***')},
    binaryData: {a: base64(masked)},
    spec: {a: base64(`long enough ${masked}`)},
  };

  test('is read in the data of Secrets, and in binaryData', () => {
    expect(fieldsOf(cards, value, 'update', true)).toEqual(['data.a', 'data.c', 'binaryData.a']);
    expect(fieldsOf(cards, value)).toEqual(['binaryData.a']);
  });

  test('is read everywhere where policy decodes it', () => {
    expect(fieldsOf({...cards, decodeBase64: true}, value)).toEqual(['data.a', 'binaryData.a', 'spec.a']);
  });
});

describe('in a member that a path masks', () => {
  const plan: MaskPlan = {...nothing, fields: [{path: ['spec', '*'], action: 'Mask'}]};
  const value = {
    spec: {a: '*', b: {c: ['**', 'x*']}, d: 0, e: null, f: 1, g: '', h: true, i: base64('*')},
    rules: [{verbs: ['*'], paths: ['**'], zero: 0, none: null}],
  };

  test('asterisks are masked, however few, and in updates what stands for short numbers and truth', () => {
    expect(fieldsOf(plan, value, 'update')).toEqual(['spec.a', 'spec.b.c[0]', 'spec.d', 'spec.e']);
    expect(fieldsOf(plan, value, 'apply')).toEqual(['spec.a', 'spec.b.c[0]', 'spec.d', 'spec.e']);
  });

  test.each(['create', 'patch'] as const)('a %s may set it to nothing', (kind) => {
    expect(fieldsOf(plan, value, kind)).toEqual(['spec.a', 'spec.b.c[0]']);
  });

  test('base64 of asterisks is masked in Secrets', () => {
    const secret: MaskPlan = {...nothing, fields: [{path: ['data', '*'], action: 'Mask'}]};
    expect(fieldsOf(secret, {data: {a: base64('*'), b: base64('**'), c: base64('x*')}}, 'patch', true)).toEqual([
      'data.a',
      'data.b',
    ]);
  });
});

describe('a member that a path removes', () => {
  const plan: MaskPlan = {
    ...nothing,
    fields: [
      {path: ['spec', 'a'], action: 'Remove'},
      {path: ['data', '*', 'b'], action: 'Remove'},
      {path: ['metadata', 'managedFields'], action: 'Remove'},
    ],
  };

  test('is missed in an update that does not have it', () => {
    expect(writtenBack({plan, value: {spec: {}}, kind: 'update', isSecret: false})).toEqual([
      {field: 'spec.a', holds: 'Nothing'},
      {field: 'data[*].b', holds: 'Nothing'},
    ]);
    expect(fieldsOf(plan, {spec: {a: null}, data: [{b: 1}]})).toEqual([]);
  });

  test.each(['create', 'patch', 'apply'] as const)('is not missed in a %s', (kind) => {
    expect(fieldsOf(plan, {spec: {}}, kind)).toEqual([]);
  });
});

test('an exempt member is searched for what the other detectors leave behind', () => {
  const plan: MaskPlan = {
    ...cards,
    exemptFields: [{path: ['data', 'a'], detectors: ['PAN']}],
  };
  const value = {data: {a: {b: masked, c: 'key ******'}, b: masked}};
  expect(fieldsOf(plan, value)).toEqual(['data.b']);
  expect(fieldsOf({...plan, regexes: [{pattern: 'x'}]}, value)).toEqual(['data.a.b', 'data.a.c', 'data.b']);
});

test('the copy that kubectl apply keeps does not count', () => {
  const name = LAST_APPLIED[2] as string;
  expect(fieldsOf(cards, {metadata: {annotations: {[name]: `{"data":{"a":"${masked}"}}`}}})).toEqual([]);
  const patch = [{op: 'add', path: `/metadata/annotations/${name.replace('/', '~1')}`, value: masked}];
  expect(fieldsOf(cards, patch, 'jsonPatch')).toEqual([]);
});

test('of a JSON patch what it writes counts', () => {
  const plan: MaskPlan = {...cards, fields: [{path: ['spec', 'a~/b', 'c'], action: 'Mask'}]};
  const patch = [
    {op: 'test', path: '/data/a', value: masked},
    {op: 'remove', path: '/data/b'},
    {op: 'copy', from: '/data/a', path: '/data/c'},
    {op: 'add', path: '/spec/list/-', value: {card: masked}},
    {op: 'replace', path: '/spec/a~0~1b/c', value: '*'},
    {op: 'replace', path: '/spec/other', value: '*'},
    {op: 'replace', path: '', value: {data: {x: masked}}},
    {op: 'add', path: 1, value: masked},
    null,
  ];
  expect(fieldsOf(plan, patch, 'jsonPatch')).toEqual(['spec.list.-.card', 'spec["a~/b"].c', 'data.x']);
  expect(fieldsOf(plan, {op: 'add'}, 'jsonPatch')).toEqual([]);
});

test.each<[string, boolean]>([
  [`data:\n  card: ${masked}\n`, true],
  ['data:\n  card: "***"\n', true],
  ["- '****'", true],
  [`\u0008\u0010${masked}\u0018`, true],
  ['\u0008\u0005*****\u0018', true],
  [`  a: ${base64(masked)}`, true],
  ['# *******\n# 2024\n', false],
  ['rules:\n- verbs: ["*"]\n  schedule: "* * * * *"\n', false],
])('of a body that is not read the words are looked at: %j', (text, expected) => {
  expect(holdsMaskedWord(text, {plan: cards, isSecret: true})).toBe(expected);
});

describe('what the engine makes of documents', () => {
  const documents = (bytes: Buffer | string): unknown[] => {
    const text = bytes.toString().trim();
    return (text.startsWith('{"') ? text.split('\n') : [text]).map((document) => JSON.parse(document));
  };

  test('is found wherever card numbers were masked, but in the copy that kubectl apply keeps', () => {
    const missed = plantedCards().filter(({place, document}) => {
      if (place.mediaType !== 'json' || place.name.startsWith('the copy')) return false;
      const {bytes} = mask(place, document);
      if (bytes.equals(document)) return false;
      const plan = {...cards, decodeBase64: place.decodeBase64 === true};
      return documents(bytes).every((value) => fieldsOf(plan, value, 'update', place.secret === true).length === 0);
    });
    expect(missed.map(({name}) => name)).toEqual([]);
  });

  test('is not seen in documents without cards', () => {
    for (const kind of CARD_FREE.filter(({mediaType}) => mediaType === 'json')) {
      for (const value of documents(kind.render(new Random(1)))) {
        expect([kind.name, fieldsOf(cards, value, 'update', kind.secret === true)]).toEqual([kind.name, []]);
      }
    }
  });
});
