import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {acceptNegotiator, readableResponse, withoutTables} from './negotiate.ts';

const openAPI = 'application/com.github.proto-openapi.spec';
const protobuf = 'application/vnd.kubernetes.protobuf';
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const metadata = 'as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

test.each([
  [`${table}, application/json`, 'application/json'],
  [`application/json;as=table;g=meta.k8s.io, ${table}`, undefined],
  [`${table},application/json;${metadata}`, `application/json;${metadata}`],
  ['application/json, text/plain', 'application/json, text/plain'],
])('%s without tables is %s', (accept, left) => {
  expect(withoutTables(accept)).toBe(left);
});

describe('what is asked for so that the answer can be masked', () => {
  test.each<[string, string | undefined, string]>([
    ['no Accept', undefined, 'application/json'],
    ['an empty Accept', '', 'application/json'],
    ['JSON', 'application/json', 'application/json'],
    ['JSON before protobuf', `application/json, ${protobuf}`, 'application/json'],
    ['protobuf before JSON, as client-go asks', `${protobuf},application/json`, 'application/json'],
    ['protobuf with a fallback by quality', `${protobuf}, application/json;q=0.8`, 'application/json;q=0.8'],
    ['protobuf with any as a fallback', `${protobuf}, */*;q=0.5`, 'application/json, */*;q=0.5'],
    ['CBOR before JSON', 'application/cbor, application/json', 'application/json'],
    ['CBOR of a watch', 'application/cbor-seq, application/json', 'application/json'],
    ['anything', '*/*', 'application/json, */*'],
    ['any application type', 'application/*', 'application/json, application/*'],
    ['kubectl get', `${table}, application/json`, `${table}, application/json`],
    ['a Table in protobuf or JSON', `${protobuf};as=Table;v=v1;g=meta.k8s.io, ${table}`, table],
    [
      'metadata only, as informers ask',
      `${protobuf};${metadata},application/json;${metadata}`,
      `application/json;${metadata}`,
    ],
    ['text', 'text/plain', 'text/plain'],
    ['any text', 'text/*', 'text/*'],
    [
      'metrics',
      'application/openmetrics-text;version=1.0.0,text/plain',
      'application/openmetrics-text;version=1.0.0, text/plain',
    ],
    ['a JSON dialect', 'application/jwk-set+json', 'application/jwk-set+json'],
    ['a schema, as kubectl asks', `${openAPI}.v2@v1.0+protobuf`, `${openAPI}.v2@v1.0+protobuf`],
    ['capitals', 'Application/JSON', 'Application/JSON'],
    ['white space', '  application/json ,, text/plain ', 'application/json, text/plain'],
  ])('%s', (_name, accept, asked) => {
    expect(acceptNegotiator()(accept)).toBe(asked);
  });

  test.each([
    protobuf,
    `${protobuf};${metadata}`,
    'application/cbor',
    'application/cbor, application/vnd.kubernetes.protobuf',
    'application/yaml',
    `${openAPI}.v4@v1.0+protobuf`,
    'image/png',
    'application/jsonish',
    'json',
    ',',
  ])('nothing is left of %s', (accept) => {
    expect(acceptNegotiator()(accept)).toBeUndefined();
  });

  test('an answer does not depend on what was asked before', () => {
    const negotiate = acceptNegotiator();
    const accepts = ['application/json', protobuf, '*/*', undefined, 'application/cbor, text/plain'];
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...accepts), fc.string()), {maxLength: 600}), (asked) => {
        for (const accept of [...asked, ...accepts]) expect(negotiate(accept)).toBe(acceptNegotiator()(accept));
      }),
      {numRuns: 20},
    );
  });

  test('whatever is asked for, no unreadable type is left', () => {
    const entry = fc.constantFrom(
      'application/json',
      protobuf,
      'application/cbor',
      'text/plain',
      'image/*',
      '*/*',
      'x',
    );
    fc.assert(
      fc.property(fc.array(entry, {minLength: 1}), (entries) => {
        const asked = acceptNegotiator()(entries.join(','))?.split(', ') ?? [];
        for (const type of asked) expect(['application/json', 'text/plain', '*/*']).toContain(type);
        const first = asked.indexOf('*/*');
        if (first !== -1) expect(asked.slice(0, first)).toContain('application/json');
      }),
    );
  });
});

describe('whether an answer can be masked', () => {
  test.each<[string | undefined, string | undefined, 'json' | 'text' | 'schema']>([
    ['application/json', undefined, 'json'],
    ['application/json', '', 'json'],
    ['application/json', 'identity', 'json'],
    ['application/json;stream=watch', undefined, 'json'],
    ['application/json; charset=utf-8', undefined, 'json'],
    ['application/json; charset="UTF-8"', undefined, 'json'],
    ['APPLICATION/JSON', undefined, 'json'],
    ['application/apply-patch+json', undefined, 'json'],
    ['text/plain', undefined, 'text'],
    ['text/plain; charset=us-ascii', undefined, 'text'],
    ['text/html; charset=utf-8', undefined, 'text'],
    [`${openAPI}.v2.v1.0+protobuf`, undefined, 'schema'],
    [`${openAPI}.v3.v1.0+protobuf`, undefined, 'schema'],
    ['application/openmetrics-text; version=1.0.0', undefined, 'text'],
  ])('%s in %s is read as %s', (contentType, encoding, mediaType) => {
    expect(readableResponse(contentType, encoding)).toEqual({mediaType});
  });

  test.each<[string | undefined, string | undefined, string]>([
    [undefined, undefined, 'no Content-Type'],
    ['application/json', 'gzip', 'content encoding "gzip"'],
    ['application/json', 'identity, br', 'content encoding "identity, br"'],
    [protobuf, undefined, `media type "${protobuf}"`],
    ['application/cbor', undefined, 'media type "application/cbor"'],
    ['application/octet-stream', undefined, 'media type "application/octet-stream"'],
    ['', undefined, 'media type ""'],
    ['application/json; charset=utf-16', undefined, 'charset "utf-16"'],
    ['text/plain; format=flowed; charset=iso-8859-1', undefined, 'charset "iso-8859-1"'],
  ])('%s in %s is not read: %s', (contentType, encoding, unreadable) => {
    expect(readableResponse(contentType, encoding)).toEqual({unreadable});
  });
});
