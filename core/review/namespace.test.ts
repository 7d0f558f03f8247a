import {BinaryWriter} from '@bufbuild/protobuf/wire';
import {expect, test} from '@jest/globals';
import {encode} from 'cborg';
import fc from 'fast-check';
import {readBody} from '../request/body.ts';
import {namespaceOfReview} from './namespace.ts';

const protobuf = 'application/vnd.kubernetes.protobuf';
const field = (number: number, content: string | Uint8Array) =>
  new BinaryWriter()
    .uint32((number << 3) | 2)
    .bytes(Buffer.from(content as string))
    .finish();
const type = Buffer.concat([field(1, 'authorization.k8s.io/v1'), field(2, 'SelfSubjectRulesReview')]);
const review = (...parts: Uint8Array[]) =>
  Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, Buffer.concat(parts))]);

test.each<[string, string, string | Uint8Array, string | undefined]>([
  ['JSON', 'application/json', '{"spec":{"namespace":"payments"}}', 'payments'],
  ['JSON called nothing', '', '{"spec":{"namespace":"payments"}}', 'payments'],
  ['JSON called YAML', 'application/yaml', '{"spec":{"namespace":"payments"}}', 'payments'],
  ['CBOR', 'application/cbor', encode({spec: {namespace: 'payments'}}), 'payments'],
  ['protobuf', protobuf, review(field(1, ''), field(2, field(1, 'payments'))), 'payments'],
  ['protobuf in two parts', protobuf, review(field(2, field(1, 'a')), field(2, field(1, 'payments'))), undefined],
  ['no spec', 'application/json', '{}', undefined],
  ['a spec that is null', 'application/json', '{"spec":null}', undefined],
  ['a namespace that is a number', 'application/json', '{"spec":{"namespace":1}}', undefined],
  ['nothing but null', 'application/json', 'null', undefined],
  ['an empty namespace', 'application/json', '{"spec":{"namespace":""}}', undefined],
  ['protobuf without a spec', protobuf, review(field(1, '')), undefined],
  ['protobuf that is cut short', protobuf, review(field(2, field(1, 'payments'))).subarray(0, -3), undefined],
  ['no envelope', protobuf, field(2, field(2, field(1, 'payments'))), undefined],
  ['YAML', 'application/yaml', 'spec: {namespace: payments}', undefined],
  ['nothing', 'application/json', '', undefined],
])('%s', (_, contentType, body, namespace) => {
  expect(namespaceOfReview(readBody(Buffer.from(body as string), contentType))).toBe(namespace);
});

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 100}), (bytes) => {
      namespaceOfReview(readBody(review(bytes), protobuf));
    }),
  );
});
