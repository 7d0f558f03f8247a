import {readFileSync} from 'node:fs';
import path from 'node:path';
import {BinaryWriter} from '@bufbuild/protobuf/wire';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {readBody} from './body.ts';
import {jsonOfBuiltIn} from './builtin.ts';
import {bodySHA256} from './digest.ts';
import {messages} from './schema/table.ts';

const protobuf = 'application/vnd.kubernetes.protobuf';
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const field = (number: number, ...parts: readonly (string | Uint8Array)[]) =>
  Buffer.from(
    new BinaryWriter()
      .uint32((number << 3) | 2)
      .bytes(Buffer.concat(parts.map((part) => Buffer.from(part as string))))
      .finish(),
  );
const number = (of: number, value: number | bigint) =>
  Buffer.from(
    new BinaryWriter()
      .uint32(of << 3)
      .int64(BigInt(value))
      .finish(),
  );
const wrapped = (...parts: Uint8Array[]) => Buffer.concat([Buffer.from('k8s\0'), ...parts]);
const typed = (apiVersion: string, kind: string) => field(1, field(1, apiVersion), field(2, kind));
const of = (apiVersion: string, kind: string, ...parts: Uint8Array[]) =>
  wrapped(typed(apiVersion, kind), field(2, ...parts));
const configMap = (...parts: Uint8Array[]) => of('v1', 'ConfigMap', ...parts);

interface Line {
  readonly protobuf: string;
  readonly object: {readonly apiVersion: string; readonly kind: string};
}

/** Made by Go, from objects.yaml. */
const lines = readFileSync(path.join(import.meta.dirname, 'schema/testdata/bodies.jsonl'), 'utf8')
  .trim()
  .split('\n');
const bodies = lines.map((line) => {
  const {protobuf: base64, object} = JSON.parse(line) as Line;
  const json = line.slice('{"object":'.length, line.lastIndexOf(',"protobuf":'));
  return {apiVersion: object.apiVersion, kind: object.kind, bytes: Buffer.from(base64, 'base64'), json};
});

describe('is read as the JSON that Go writes of it', () => {
  test.each(bodies)('$apiVersion $kind', ({bytes, json}) => {
    const {value, canonical} = readBody(Buffer.from(json), '') as {value?: unknown; canonical?: string};
    expect(readBody(bytes, protobuf)).toEqual({kind: 'JSON', value, canonical, encoded: bytes});
  });

  test('a Pod, for example', () => {
    const spec = [field(2, field(1, 'a'), field(2, 'b')), number(4, 0), number(11, 1), field(10, 'node'), field(3, '')];
    expect(JSON.parse(jsonOfBuiltIn(of('v1', 'Pod', field(1, field(1, 'web')), field(2, ...spec))) ?? '')).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {name: 'web'},
      spec: {
        containers: [{name: 'a', image: 'b', resources: {}}],
        terminationGracePeriodSeconds: 0,
        hostNetwork: true,
        nodeName: 'node',
      },
      status: {},
    });
  });

  test.each<[string, Uint8Array, string]>([
    ['nothing', configMap(), '"metadata":{}'],
    ['no object at all', wrapped(typed('v1', 'ConfigMap')), '"metadata":{}'],
    ['a key without a value', configMap(field(2, field(1, 'a'))), '"metadata":{},"data":{"a":""}'],
    ['a value without a key', configMap(field(2, field(2, 'a'))), '"metadata":{},"data":{"":"a"}'],
    ['bytes without a value', configMap(field(3, field(1, 'a'))), '"metadata":{},"binaryData":{"a":""}'],
    ['a byte order mark', configMap(field(2, field(1, '\ufeff'))), '"metadata":{},"data":{"\ufeff":""}'],
    ['a key of JavaScript', configMap(field(2, field(1, '__proto__'))), '"metadata":{},"data":{"__proto__":""}'],
    ['a pointer to false', configMap(number(4, 0)), '"metadata":{},"immutable":false'],
  ])('%s', (_, bytes, members) => {
    expect(jsonOfBuiltIn(bytes)).toBe(`{"apiVersion":"v1","kind":"ConfigMap",${members}}`);
  });
});

describe('is not read where there could be more in it', () => {
  const time = (...parts: Uint8Array[]) => configMap(field(1, field(8, ...parts)));
  const quantity = (...parts: Uint8Array[]) =>
    of('v1', 'LimitRange', field(2, field(1, field(2, field(1, 'cpu'), field(2, ...parts)))));
  const port = (...parts: Uint8Array[]) => of('v1', 'Service', field(2, field(1, field(4, ...parts))));
  const revision = (...parts: Uint8Array[]) => of('apps/v1', 'ControllerRevision', field(2, ...parts));

  test('what these are made of is read', () => {
    for (const bytes of [
      time(number(1, 0)),
      quantity(field(1, '1')),
      port(number(1, 1), number(2, 0), field(3, 'http')),
      revision(field(1, '{}')),
      wrapped(typed('v1', 'ConfigMap'), field(2), field(3), field(4)),
    ]) {
      expect(jsonOfBuiltIn(bytes)).toBeDefined();
    }
  });

  test.each<[string, Uint8Array]>([
    ['nothing', wrapped()],
    ['no type', wrapped(field(2, field(1, field(1, 'a'))))],
    ['a kind that is not built in', of('example.com/v1', 'Thing')],
    ['a kind of another group', of('v1', 'Deployment')],
    ['a kind of another version', of('apps/v2', 'Deployment')],
    ['a group version of JavaScript', of('__proto__', 'toString')],
    ['a kind that is none', of('v1', 'toString')],
    ['a list', of('v1', 'ConfigMapList')],
    ['a wrapper with more in it', wrapped(typed('v1', 'ConfigMap'), field(2), field(5, 'gzip'))],
    ['a type with more in it', wrapped(field(1, field(1, 'v1'), field(2, 'ConfigMap'), field(3, 'a')), field(2))],
    ['a type twice', wrapped(typed('v1', 'ConfigMap'), typed('v1', 'ConfigMap'), field(2))],
    ['a kind twice', wrapped(field(1, field(1, 'v1'), field(2, 'ConfigMap'), field(2, 'Secret')), field(2))],
    ['an object twice', wrapped(typed('v1', 'ConfigMap'), field(2), field(2))],
    ['an encoding', wrapped(typed('v1', 'ConfigMap'), field(2), field(3, 'gzip'))],
    ['a media type', wrapped(typed('v1', 'ConfigMap'), field(2), field(4, 'application/json'))],
    ['metadata twice', configMap(field(1, field(1, 'a')), field(1, field(1, 'b')))],
    ['a name twice', configMap(field(1, field(1, 'a'), field(1, 'b')))],
    ['a key twice', configMap(field(2, field(1, 'a'), field(2, 'b')), field(2, field(1, 'a'), field(2, 'c')))],
    ['an entry of two keys', configMap(field(2, field(1, 'a'), field(1, 'b')))],
    ['a field that is not known', configMap(field(5, 'a'))],
    ['an entry of three', configMap(field(2, field(3, 'a')))],
    ['a number for a text', configMap(field(1, number(1, 1)))],
    ['a text for a number', configMap(field(4, 'a'))],
    ['a group', configMap(hex('0b 0c'))],
    ['a fixed number', configMap(hex('25 00000001'))],
    ['a list of numbers in one', of('v1', 'Pod', field(2, field(14, field(4, hex('01 02')))))],
    ['a truth of two', configMap(number(4, 2))],
    ['a number past 32 bits', of('autoscaling/v1', 'Scale', field(2, number(1, 2 ** 31)))],
    ['a field number that is longer than need be', configMap(hex('8a00 00'))],
    ['a field number past 32 bits', configMap(hex('8a80808010 00'))],
    ['a length that is longer than need be', configMap(hex('0a 8000'))],
    ['a length past 64 bits', configMap(hex('0a 80808080808080808002'))],
    ['a number of eleven bytes', configMap(hex('20 8080808080808080808001'))],
    ['a length past the end', configMap(hex('0a 05 0a'))],
    ['a length past the message that it is in', configMap(hex('0a 02 0a 02'), field(2))],
    ['a field number alone', configMap(hex('0a'))],
    ['text that is not UTF-8', configMap(field(1, field(1, hex('ff'))))],
    ['half of a surrogate pair', configMap(field(1, field(1, hex('eda080'))))],
    ['a year of five digits', time(number(1, 253_402_300_800))],
    ['a time before Christ', time(number(1, -62_135_596_801))],
    ['a time past 64 bits of anything', time(number(1, 2n ** 63n - 1n))],
    ['a fraction of more than a second', time(number(2, 1_000_000_000))],
    ['a fraction below nothing', time(number(2, -1))],
    ['a quantity twice', quantity(field(1, '1'), field(1, '2'))],
    [
      'a port that is a number and a text',
      of('v1', 'Service', field(2, field(1, field(4, number(1, 0), field(3, 'a'))))),
    ],
    ['a port that is a text and a number', port(number(1, 1), number(2, 80))],
    ['a port that is neither', port(number(1, 2))],
    ['raw JSON that is empty', revision(field(1, ''))],
    ['raw JSON that ends early', revision(field(1, '{},"metadata":{}'))],
    ['raw JSON with a key twice', revision(field(1, '{"a":1,"a":2}'))],
    ['raw protobuf', revision(field(1, configMap()))],
    ['raw JSON without end', revision(field(1, '['.repeat(100_000)))],
    ['raw JSON too deep for where it is', revision(field(1, '['.repeat(256) + ']'.repeat(256)))],
  ])('%s', (_, bytes) => {
    expect(readBody(bytes, protobuf)).toMatchObject({kind: 'Opaque', canonical: bytes});
  });

  test.each([
    ['claims, each of five objects', 'apps/v1', 'StatefulSet', field(2, Buffer.alloc(3_000_000, hex('22 00')))],
    ['entries of a map', 'v1', 'ConfigMap', Buffer.alloc(3_000_000, hex('12 00'))],
    ['labels', 'v1', 'ConfigMap', field(1, Buffer.alloc(3_000_000, hex('5a 00')))],
    [
      'labels of a kind that is not built in',
      'example.com/v1',
      'Thing',
      field(1, Buffer.alloc(3_000_000, hex('5a 00'))),
    ],
  ])('and millions of empty %s are not built up', (_, apiVersion, kind, content) => {
    expect(readBody(of(apiVersion, kind, content), protobuf)).toMatchObject({kind: 'Opaque'});
  });

  test('but its metadata is', () => {
    const body = readBody(configMap(field(1, field(1, 'a')), field(5, 'new')), protobuf);
    expect(body).toMatchObject({kind: 'Opaque', readable: {members: {metadata: {members: {name: 'a'}}}}});
  });
});

test('a digest rests on the bytes, not on how they were read', () => {
  const one = readBody(configMap(field(1)), protobuf);
  const other = readBody(configMap(), protobuf);
  expect(one).toMatchObject({kind: 'JSON', canonical: (other as {canonical: string}).canonical});
  expect(bodySHA256(one)).not.toBe(bodySHA256(other));
});

test('every message that a field names is there', () => {
  const named = Object.values(messages).flatMap((line) =>
    [...line.matchAll(/:(?:\*|\[\]|\{\})?([^:!]+\.[^:!]+)!?:/g)].map((match) => match[1] ?? ''),
  );
  expect(named.length).toBeGreaterThan(900);
  expect(named.filter((name) => messages[name] === undefined)).toEqual([]);
});

test('no bytes make it throw, and what it reads is one object of the kind that it says', () => {
  const change = fc.tuple(fc.nat(), fc.integer({min: 0, max: 255}), fc.constantFrom('set', 'insert', 'remove'));
  fc.assert(
    fc.property(fc.constantFrom(...bodies), fc.array(change, {maxLength: 3}), ({bytes}, changes) => {
      let changed = bytes;
      for (const [at, byte, how] of changes) {
        const start = at % changed.length;
        const middle = how === 'remove' ? [] : [byte];
        const after = changed.subarray(start + (how === 'insert' ? 0 : 1));
        changed = Buffer.concat([changed.subarray(0, start), Buffer.from(middle), after]);
      }
      const json = jsonOfBuiltIn(changed);
      if (json === undefined) return;
      const {kind, apiVersion} = JSON.parse(json) as Line['object'];
      expect(changed.includes(kind) && changed.includes(apiVersion)).toBe(true);
    }),
    {numRuns: 2000},
  );
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 100}), (random) => {
      readBody(of('v1', 'Pod', random), protobuf);
    }),
  );
});
