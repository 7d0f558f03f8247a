import {describe, expect, test} from '@jest/globals';
import {readBody} from './body.ts';
import {ambiguity, deleteOptionsRefusal} from './refuse.ts';

const get = {method: 'GET', url: '/api/v1/pods', rawHeaders: ['Host', 'a'], httpVersion: '1.1'};

describe('ambiguity', () => {
  test('passes a clean request', () => expect(ambiguity(get)).toBeUndefined());
  test('looks at the target', () => expect(ambiguity({...get, url: '//'})).toMatchObject({code: 'PathNotCanonical'}));
  test('looks at the headers', () => {
    expect(ambiguity({...get, rawHeaders: ['Host', 'a', 'Host', 'a']})).toMatchObject({code: 'DuplicateHeader'});
  });
  test('says impersonation before anything else', () => {
    const request = {...get, url: '//', rawHeaders: ['Impersonate-User', 'a'], httpVersion: '1.0'};
    expect(ambiguity(request)).toMatchObject({status: 403, code: 'Impersonation'});
  });
});

describe('the options of a DELETE', () => {
  const body = readBody(Buffer.from('{"kind":"DeleteOptions"}'), 'application/json');
  const empty = readBody(new Uint8Array(), '');
  const url = '/api/v1/namespaces/pay/pods/web';

  test.each(['dryRun=All', 'propagationPolicy=Orphan', 'gracePeriodSeconds=0', 'a=b&dryRun=All'])(
    'in body and query (%s) are refused: the query would be ignored',
    (query) => {
      expect(deleteOptionsRefusal('DELETE', `${url}?${query}`, body)).toMatchObject({code: 'ContradictoryParameter'});
    },
  );
  test.each([
    ['in the query alone', 'DELETE', `${url}?dryRun=All`, empty],
    ['in the body alone', 'DELETE', url, body],
    ['in the body beside a selector', 'DELETE', '/api/v1/pods?labelSelector=a', body],
    ['of another method', 'POST', `${url}?dryRun=All`, body],
  ] as const)('%s pass', (_, method, target, content) => {
    expect(deleteOptionsRefusal(method, target, content)).toBeUndefined();
  });
});
