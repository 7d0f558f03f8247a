import {readFileSync} from 'node:fs';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {type RequestInfo, RequestTargetError, resolveRequestInfo} from './resolve.ts';

interface Vector {
  method: string;
  url: string;
  requestInfo?: Omit<RequestInfo, 'parts'> & {parts: string[] | null};
  /** The API server answers with an error of its own. */
  error?: boolean;
}

function vectors(file: string): Vector[] {
  const lines = readFileSync(new URL(`../../test/fixtures/${file}`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as Vector);
}

describe("the answers are kube-apiserver's own", () => {
  test.each(['requestinfo.jsonl', 'requestinfo-hostile.jsonl'])('%s', (file) => {
    const lines = vectors(file);
    expect(lines).toHaveLength(400);
    for (const {method, url, requestInfo, error} of lines) {
      if (error) {
        expect(() => resolveRequestInfo(method, url)).toThrow(RequestTargetError);
        continue;
      }
      const expected = {...requestInfo, parts: requestInfo?.parts ?? []};
      expect({method, url, requestInfo: resolveRequestInfo(method, url)}).toEqual({method, url, requestInfo: expected});
    }
  });
});

describe('verbs', () => {
  const pods = '/api/v1/namespaces/pay/pods';
  test.each([
    ['GET', pods, 'list'],
    ['HEAD', pods, 'list'],
    ['GET', `${pods}?watch`, 'watch'],
    ['GET', `${pods}?watch=`, 'watch'],
    ['GET', `${pods}?watch=no`, 'watch'],
    ['GET', `${pods}?watch=0`, 'list'],
    ['GET', `${pods}?watch=False`, 'list'],
    ['GET', `${pods}?watch=0&watch=1`, 'list'],
    ['GET', `${pods}?w%61tch=1`, 'watch'],
    ['GET', `${pods}?watch=1;x=y`, 'list'],
    ['GET', `${pods}?watch=%zz`, 'list'],
    ['GET', `${pods}/web?watch=1`, 'get'],
    ['GET', '/api/v1/watch/pods', 'watch'],
    ['DELETE', '/api/v1/watch/pods', 'watch'],
    ['GET', '/api/v1/proxy/namespaces/pay/pods/web/x', 'proxy'],
    ['DELETE', pods, 'deletecollection'],
    ['DELETE', `${pods}/web`, 'delete'],
    ['POST', `${pods}/web/exec`, 'create'],
    ['get', pods, ''],
    ['get', '/healthz', 'get'],
  ])('%s %s is %s', (method, url, verb) => {
    expect(resolveRequestInfo(method, url).verb).toBe(verb);
  });
});

describe('the name that a field selector pins', () => {
  test.each([
    ['fieldSelector=metadata.name%3Dx', 'x'],
    ['fieldSelector=metadata.name==x', 'x'],
    ['fieldSelector=metadata.name!=x', ''],
    ['fieldSelector=metadata.name=b,metadata.name=a', 'a'],
    ['fieldSelector=metadata.name=a%5C,b', 'a,b'],
    ['fieldSelector=metadata.name=a%5Cb', ''],
    ['fieldSelector=metadata.name=..', ''],
    ['fieldSelector=metadata.name=x,nonsense', ''],
    ['fieldSelector=metadata.name=x&limit=many', ''],
    ['fieldSelector=metadata.name=x&timeoutSeconds=9223372036854775808', ''],
    ['fieldSelector=metadata.name=x&labelSelector=a in (b,c)'.replaceAll(' ', '+'), 'x'],
    ['fieldSelector=metadata.name=x&labelSelector=a+b', ''],
  ])('%s: "%s"', (query, name) => {
    expect(resolveRequestInfo('GET', `/api/v1/pods?${query}`)).toMatchObject({verb: 'list', name});
  });
});

test('a target that the API server cannot read has a code', () => {
  expect(() => resolveRequestInfo('GET', '/api/v1/watch')).toThrow(expect.objectContaining({code: 'NoResource'}));
  expect(() => resolveRequestInfo('GET', '/api/%zz')).toThrow(expect.objectContaining({code: 'MalformedTarget'}));
  expect(() => resolveRequestInfo('GET', 'api')).toThrow(expect.objectContaining({code: 'MalformedTarget'}));
});

test('nothing but its own error is ever thrown', () => {
  const piece = fc.constantFrom(
    '/',
    'api',
    'apis',
    'v1',
    'watch',
    'proxy',
    'namespaces',
    '%',
    '%2F',
    '%ff',
    '?',
    '&',
    ';',
  );
  const option = fc.constantFrom(
    '=',
    'fieldSelector=',
    'labelSelector=',
    'limit=',
    'watch=',
    'metadata.name',
    ',',
    '\\',
    '!',
  );
  const text = fc.array(fc.oneof(piece, option, fc.string({unit: 'binary', maxLength: 3})), {maxLength: 20});
  fc.assert(
    fc.property(fc.string(), text, (method, pieces) => {
      try {
        resolveRequestInfo(method, `/${pieces.join('')}`);
      } catch (error) {
        expect(error).toBeInstanceOf(RequestTargetError);
      }
    }),
  );
});
