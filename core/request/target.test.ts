import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {RequestTargetError, resolveRequestInfo} from './resolve.ts';
import {targetRefusal} from './target.ts';

const pods = '/api/v1/namespaces/pay/pods';

describe('passes what Kubernetes clients send', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/api'],
    ['GET', '/openapi/v2?timeout=32s'],
    ['GET', `${pods}?limit=500&continue=abc%3D`],
    ['GET', `${pods}?fieldSelector=metadata.name%3Dweb%2Cspec.nodeName%3Dn1&resourceVersion=0`],
    ['GET', `${pods}?labelSelector=app+in+%28a%2Cb%29`],
    ['GET', `${pods}/`],
    ['POST', `${pods}/web/exec?command=sh&command=-c&command=echo%0Ahi%3B&stdin=true&container=c`],
    ['GET', `${pods}/web/portforward?ports=80&ports=81`],
    ['GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node'],
    ['GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode'],
    ['GET', '/api/v1/namespaces/pay/configmaps/caf%C3%A9'],
    ['GET', '/api/v1/namespaces/pay/services/web:80/proxy/.well-known/..hidden'],
    ['GET', '/api/v1/watch/pods?watch=true'],
    ['PATCH', '/apis/apps/v1/namespaces/pay/deployments/web?fieldManager=kubectl&force=true'],
  ])('%s %s', (method, url) => expect(targetRefusal(method, url)).toBeUndefined());
});

describe('refuses', () => {
  test.each([
    ['a lower-case method', 'get', pods, 'MethodNotKnown'],
    ['CONNECT', 'CONNECT', pods, 'MethodNotKnown'],
    ['TRACE', 'TRACE', pods, 'MethodNotKnown'],
    ['OPTIONS', 'OPTIONS', pods, 'MethodNotKnown'],
    ['no method', '', pods, 'MethodNotKnown'],
    ['the absolute form', 'GET', 'https://kubernetes.example.com/api/v1/pods', 'TargetNotOriginForm'],
    ['the asterisk form', 'GET', '*', 'TargetNotOriginForm'],
    ['an empty target', 'GET', '', 'TargetNotOriginForm'],
    ['a fragment', 'GET', `${pods}#x`, 'TargetNotOriginForm'],
    ['a fragment in the query', 'GET', `${pods}?a=b#x`, 'TargetNotOriginForm'],
    ['a backslash', 'GET', '/api/v1\\..\\secrets', 'TargetNotOriginForm'],
    ['a space', 'GET', '/api/v1/pods /web', 'TargetNotOriginForm'],
    ['NUL', 'GET', '/api/v1/pods\0', 'TargetNotOriginForm'],
    ['a line break', 'GET', '/api/v1/pods\r\nX: y', 'TargetNotOriginForm'],
    ['DEL', 'GET', '/api/v1/pods\x7f', 'TargetNotOriginForm'],
    ['raw bytes outside ASCII', 'GET', '/api/v1/pods/caf\u00e9', 'TargetNotOriginForm'],
    ['a double slash', 'GET', '/api/v1/namespaces//secrets', 'PathNotCanonical'],
    ['a double slash in front', 'GET', '//api/v1/pods', 'PathNotCanonical'],
    ['a double slash at the end', 'GET', `${pods}//`, 'PathNotCanonical'],
    ['a dot segment', 'GET', '/api/v1/./secrets', 'PathNotCanonical'],
    ['a dot segment at the end', 'GET', '/api/v1/.', 'PathNotCanonical'],
    ['a parent segment', 'GET', '/api/v1/pods/../secrets', 'PathNotCanonical'],
    ['a parent segment at the end', 'GET', '/api/v1/..', 'PathNotCanonical'],
    ['an encoded slash', 'GET', '/api/v1/namespaces/pay%2Fsecrets', 'PathNotCanonical'],
    ['an encoded slash in lower case', 'GET', '/api/v1/namespaces/pay%2fsecrets', 'PathNotCanonical'],
    ['an encoded parent segment', 'GET', '/api/v1/%2e%2E/secrets', 'PathNotCanonical'],
    ['an encoded backslash', 'GET', '/api/v1/pods%5Cx', 'PathNotCanonical'],
    ['an encoded percent sign', 'GET', '/api/v1/pods%252F', 'PathNotCanonical'],
    ['an encoded NUL', 'GET', '/api/v1/pods/%00', 'PathNotCanonical'],
    ['an encoded line break', 'GET', '/api/v1/pods/%0a', 'PathNotCanonical'],
    ['an encoded letter', 'GET', '/api/v1/%73ecrets', 'PathNotCanonical'],
    ['a malformed encoding in the path', 'GET', '/api/v1/pods/%zz', 'PathNotCanonical'],
    ['a cut encoding in the path', 'GET', '/api/v1/pods/%4', 'PathNotCanonical'],
    ['bytes in the path that are not UTF-8', 'GET', '/api/v1/pods/%ff', 'PathNotCanonical'],
    ['an overlong encoding of a slash', 'GET', '/api/v1/pods/%c0%af', 'PathNotCanonical'],
    ['a special verb without a resource', 'GET', '/api/v1/watch', 'PathNotCanonical'],
    ['a special verb without a resource in a group', 'GET', '/apis/apps/v1/proxy/', 'PathNotCanonical'],
    ['a semicolon in the query', 'GET', `${pods}?a=b;watch=1`, 'QueryNotCanonical'],
    ['a malformed encoding in the query', 'GET', `${pods}?watch=%zz`, 'QueryNotCanonical'],
    ['bytes in the query that are not UTF-8', 'POST', `${pods}/web/exec?command=%ff`, 'QueryNotCanonical'],
    ['an encoded NUL in the query', 'POST', `${pods}/web/exec?command=a%00b`, 'QueryNotCanonical'],
    ['too many parameters', 'GET', `${pods}?${'command=a&'.repeat(1001)}`, 'QueryNotCanonical'],
    ['two watch', 'GET', `${pods}?watch=false&watch=true`, 'DuplicateParameter'],
    ['two watch, one encoded', 'GET', `${pods}?watch=false&w%61tch=true`, 'DuplicateParameter'],
    ['two fieldSelector', 'GET', `${pods}?fieldSelector=metadata.name=a&fieldSelector=x`, 'DuplicateParameter'],
    ['two labelSelector', 'GET', `${pods}?labelSelector=a&labelSelector=b`, 'DuplicateParameter'],
    ['two dryRun', 'POST', `${pods}?dryRun=All&dryRun=All`, 'DuplicateParameter'],
    ['two container', 'GET', `${pods}/web/log?container=a&container=b`, 'DuplicateParameter'],
    ['two stdin', 'GET', `${pods}/web/exec?stdin=0&stdin=1`, 'DuplicateParameter'],
    ['two tty', 'GET', `${pods}/web/exec?tty=0&tty=1`, 'DuplicateParameter'],
    ['two follow', 'GET', `${pods}/web/log?follow&follow`, 'DuplicateParameter'],
    ['two limit', 'GET', `${pods}?limit=1&limit=2`, 'DuplicateParameter'],
    ['a watch path that says not to watch', 'GET', '/api/v1/watch/pods?watch=false', 'ContradictoryParameter'],
  ])('%s', (_, method, url, code) => {
    const refusal = targetRefusal(method, url);
    expect(refusal).toMatchObject({status: 400, code});
    expect(refusal?.reason).toMatch(/\S/);
  });
});

test('what passes resolves without an error, to a path whose segments are those that were sent', () => {
  const piece = fc.constantFrom(
    '/',
    'api',
    'v1',
    'watch',
    'proxy',
    '.',
    '..',
    '%2F',
    '%2e',
    '%C3%A9',
    '%3A',
    'a',
    '%',
    '\\',
  );
  const query = fc.constantFrom('', '?', '?watch=1', '?a=%3B', '?;', '?fieldSelector=metadata.name%3Da');
  fc.assert(
    fc.property(fc.array(piece, {maxLength: 12}), query, (pieces, tail) => {
      const url = `/${pieces.join('')}${tail}`;
      if (targetRefusal('GET', url) !== undefined) return;
      const {path} = resolveRequestInfo('GET', url);
      expect(path.split('/')).toHaveLength(pieces.join('').split('/').length + 1);
      expect(new URL(url, 'http://localhost').pathname.split('/')).toHaveLength(path.split('/').length);
    }),
  );
});

test('every target gets an answer', () => {
  fc.assert(
    fc.property(fc.string({unit: 'binary'}), (text) => {
      if (targetRefusal('GET', `/${text}`) !== undefined) return;
      expect(() => resolveRequestInfo('GET', `/${text}`)).not.toThrow(RequestTargetError);
    }),
  );
});
