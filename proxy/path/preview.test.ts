import {describe, expect, test} from '@jest/globals';
import {encode} from 'cborg';
import fc from 'fast-check';
import {maskText} from '../../core/mask/createmasker.ts';
import {readBody} from '../../core/request/body.ts';
import {operation} from '../../test/operations.ts';
import {isSecret, previewOf} from './preview.ts';

const secret = operation({verb: 'create', method: 'POST', resource: 'secrets'});
const configMap = operation({verb: 'create', method: 'POST', resource: 'configmaps'});

function preview(text: string, contentType = 'application/json', of = configMap): string {
  const bytes = Buffer.from(text, contentType === 'application/cbor' ? 'latin1' : 'utf8');
  return previewOf({bytes, contentType, content: readBody(bytes, contentType)}, of, maskText);
}

test.each([
  ['secrets of the core group', operation({resource: 'secrets'}), true],
  ['one secret', operation({resource: 'secrets', name: 'db', subresource: 'status'}), true],
  ['secrets of another group', operation({resource: 'secrets', apiGroup: 'vault.example.com'}), false],
  ['configmaps', operation({resource: 'configmaps'}), false],
])('%s: %#', (_name, of, expected) => {
  expect(isSecret(of)).toBe(expected);
});

describe('a body that is no Secret', () => {
  test('is shown as it is, in canonical form', () => {
    expect(preview('{ "kind": "ConfigMap",\n "data": {"a": "b"} }')).toBe('{"data":{"a":"b"},"kind":"ConfigMap"}');
  });

  test('is shown with card numbers masked', () => {
    const shown = preview('{"data":{"card":"4111111111111111","id":4111111111111111}}');
    expect(shown).not.toContain('411111');
    expect(shown).toContain('************1111');
  });

  test('is cut after 8 KiB, and no card number is uncovered by the cut', () => {
    for (let before = 8192 - 40; before <= 8192; before++) {
      const shown = preview(JSON.stringify({a: 'x'.repeat(before), b: '4111111111111111'}));
      expect(shown.length).toBeLessThanOrEqual(8192);
      expect(shown).not.toMatch(/4111/);
    }
  });

  test('may be empty', () => {
    expect(preview('')).toBe('');
  });

  test('in CBOR is shown as the JSON that it says', () => {
    expect(preview('\xa1aaab', 'application/cbor')).toBe('{"a":"b"}');
  });

  test.each(['application/vnd.kubernetes.protobuf', 'application/octet-stream'])(
    'of %s is told by its size',
    (contentType) => {
      expect(preview('k8s\0abcdef', contentType)).toBe(`(10 bytes of ${contentType})`);
    },
  );

  test('of a media type with a card number in it is masked too', () => {
    expect(preview('x', 'application/x; n=4111111111111111')).not.toContain('4111111111111111');
  });
});

describe('the values of a Secret are left out', () => {
  const value = 'c3VwZXItc2VjcmV0';

  test.each<[string, string, string, unknown]>([
    ['create', 'application/json', 'POST', {kind: 'Secret', metadata: {name: 'db'}, data: {password: value}}],
    ['stringData', 'application/json', 'POST', {kind: 'Secret', stringData: {password: value, user: value}}],
    ['merge patch', 'application/merge-patch+json', 'PATCH', {data: {password: value, gone: null}}],
    [
      'strategic merge patch',
      'application/strategic-merge-patch+json',
      'PATCH',
      {$setElementOrder: {}, data: {password: value}},
    ],
    [
      'server-side apply',
      'application/apply-patch+yaml',
      'PATCH',
      {kind: 'Secret', apiVersion: 'v1', metadata: {name: 'db'}, data: {password: value}},
    ],
    ['JSON patch of a key', 'application/json-patch+json', 'PATCH', [{op: 'add', path: '/data/password', value}]],
    [
      'JSON patch of everything',
      'application/json-patch+json',
      'PATCH',
      [
        {op: 'test', path: '/data', value: {password: value}},
        {op: 'replace', path: '/data', value: {password: value}},
      ],
    ],
    ['JSON patch of other things', 'application/json-patch+json', 'PATCH', [value, null, 4]],
    ['data that is no map', 'application/json', 'POST', {data: value}],
    ['data that is a list', 'application/json', 'POST', {data: [value], stringData: [[value]]}],
    ['nested data', 'application/json', 'POST', {data: {a: {b: value}}}],
    [
      'last-applied-configuration',
      'application/json',
      'POST',
      {
        metadata: {annotations: {'kubectl.kubernetes.io/last-applied-configuration': `{"data":{"p":"${value}"}}`}},
        data: {},
      },
    ],
    ['a Secret that is a text', 'application/json', 'POST', value],
    ['a Secret in CBOR', 'application/cbor', 'POST', undefined],
    ['a protobuf Secret', 'application/vnd.kubernetes.protobuf', 'POST', {data: value}],
  ])('%s', (_name, contentType, method, body) => {
    const of = {...secret, method, verb: method === 'PATCH' ? 'patch' : 'create'};
    const text = body === undefined ? Buffer.from(encode({data: {p: value}})).toString('latin1') : JSON.stringify(body);
    expect(preview(text, contentType, of)).not.toContain(value);
  });

  test('wherever they are, in whatever shape', () => {
    const hidden = 'hunter2hunter2';
    const shape = fc.letrec<{value: unknown}>((tie) => ({
      value: fc.oneof(
        {maxDepth: 3},
        fc.constant(hidden),
        fc.array(tie('value'), {maxLength: 3}),
        fc.dictionary(fc.constantFrom('a', 'b', 'value', 'data'), tie('value'), {maxKeys: 3}),
      ),
    })).value;
    fc.assert(
      fc.property(shape, shape, fc.constantFrom('add', 'replace', 'test'), (data, stringData, op) => {
        expect(preview(JSON.stringify({data, stringData}), 'application/json', secret)).not.toContain(hidden);
        const patch = JSON.stringify([
          {op, path: '/data', value: data},
          {op, path: '', value: {data: stringData}},
        ]);
        expect(preview(patch, 'application/json-patch+json', secret)).not.toContain(hidden);
      }),
    );
  });

  test('also in protobuf, where the length is that of base64', () => {
    const field = (number: number, content: string) => String.fromCharCode((number << 3) | 2, content.length) + content;
    const entry = field(1, 'p') + field(2, 'hunter2hunter2');
    const object = field(1, field(1, 'db')) + field(2, entry);
    const bytes = `k8s\0${field(1, field(1, 'v1') + field(2, 'Secret'))}${field(2, object)}`;
    expect(JSON.parse(preview(bytes, 'application/vnd.kubernetes.protobuf', secret))).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {name: 'db'},
      data: {p: '(20 characters)'},
    });
  });

  test('and what an approver needs to know stays', () => {
    const body = {
      kind: 'Secret',
      metadata: {name: 'db', labels: {app: 'web'}},
      type: 'Opaque',
      data: {password: value},
    };
    expect(JSON.parse(preview(JSON.stringify(body), 'application/json', secret))).toEqual({
      kind: 'Secret',
      metadata: {name: 'db', labels: {app: 'web'}},
      type: 'Opaque',
      data: {password: '(16 characters)'},
    });
  });

  test('an integer that no double holds is kept', () => {
    expect(preview('{"data":{"a":9007199254740993},"immutable":9007199254740993}', '', secret)).toBe(
      '{"data":{"a":"(18 characters)"},"immutable":"9007199254740993"}',
    );
  });
});
