import {BinaryWriter} from '@bufbuild/protobuf/wire';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {readEnvelope} from './envelope.ts';

const string = (field: number, value: string) =>
  new BinaryWriter()
    .uint32((field << 3) | 2)
    .string(value)
    .finish();
const bytes = (field: number, ...parts: Uint8Array[]) =>
  new BinaryWriter()
    .uint32((field << 3) | 2)
    .bytes(Buffer.concat(parts))
    .finish();
const envelope = (...parts: Uint8Array[]) => Buffer.concat([Buffer.from('k8s\0'), ...parts]);
const type = bytes(1, string(1, 'v1'), string(2, 'Secret'));

describe('an object in protobuf', () => {
  test('says its type and name', () => {
    const metadata = bytes(1, string(1, 'db'), string(3, 'payments'));
    const body = envelope(type, bytes(2, metadata, bytes(2, string(1, 'key'))));
    expect(readEnvelope(body)).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      name: 'db',
      generateName: '',
      namespace: 'payments',
      labels: {},
      annotations: {},
      finalizers: [],
    });
  });

  test('says its labels, annotations and finalizers', () => {
    const label = (key: string, value: string) => bytes(11, string(1, key), string(2, value));
    const metadata = bytes(
      1,
      label('app', 'web'),
      label('tier', 'gold'),
      label('app', 'db'),
      bytes(11, string(1, 'no-value')),
      bytes(11, string(2, 'no-key')),
      bytes(12, string(1, '__proto__'), string(2, 'note')),
      string(14, 'a'),
      string(14, 'b'),
    );
    const read = readEnvelope(envelope(type, bytes(2, metadata)));
    expect(read).toMatchObject({
      labels: {app: 'db', tier: 'gold', 'no-value': '', '': 'no-key'},
      finalizers: ['a', 'b'],
    });
    expect(Object.entries(read?.annotations ?? {})).toEqual([['__proto__', 'note']]);
  });

  test('named twice has the last name, as for the API server', () => {
    const parts = [bytes(1, string(1, 'harmless')), bytes(1, string(1, 'db'))];
    expect(readEnvelope(envelope(type, bytes(2, ...parts)))).toMatchObject({name: 'db'});
    const within = bytes(1, string(1, 'harmless'), string(1, 'db'));
    expect(readEnvelope(envelope(type, bytes(2, within)))).toMatchObject({name: 'db'});
    const objects = [bytes(2, bytes(1, string(1, 'harmless'))), bytes(2, bytes(1, string(1, 'db')))];
    expect(readEnvelope(envelope(type, ...objects))).toMatchObject({name: 'db'});
  });

  test('without a name has the prefix of one', () => {
    const body = envelope(type, bytes(2, bytes(1, string(2, 'db-'))));
    expect(readEnvelope(body)).toMatchObject({name: '', generateName: 'db-'});
  });
});

test.each([
  ['JSON', Buffer.from('{"kind":"Secret"}')],
  ['nothing', Buffer.alloc(0)],
  ['a label that is not UTF-8', envelope(type, bytes(2, bytes(1, bytes(11, bytes(1, Buffer.from([0xff]))))))],
  // Beyond 32 bits: the API server sees a field that it does not know, another reader might see the name.
  [
    'a tag that is too long',
    envelope(type, bytes(2, bytes(1, string(1, 'a'), Buffer.from([0x8a, 0x80, 0x80, 0x80, 0x10, 1, 0x62])))),
  ],
  ['a message that is cut short', envelope(type).subarray(0, 8)],
])('%s is no envelope', (_name, body) => {
  expect(readEnvelope(body)).toBeUndefined();
});

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 200}), (random) => {
      readEnvelope(envelope(random));
    }),
  );
});
