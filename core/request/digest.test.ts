import {describe, expect, test} from '@jest/globals';
import {readBody} from './body.ts';
import * as digest from './digest.ts';
import {bodySHA256, type Call, callDigest} from './digest.ts';
import {operationOf} from './operation.ts';
import {resolveRequestInfo} from './resolve.ts';

function operation(method: string, url: string) {
  return operationOf(resolveRequestInfo(method, url), {method, url, userAgent: 'kubectl', sourceIP: '192.0.2.1'});
}

const body = (text: string) => bodySHA256(readBody(Buffer.from(text), 'application/json'));
const web = '/api/v1/namespaces/pay/pods/web';

const call: Call = {
  agent: {username: 'agent:bot', uid: 'u1', issuer: 'https://issuer.example.com'},
  requirement: {policy: 'pay/agents', rule: 'create-secrets'},
  operation: operation('POST', '/api/v1/namespaces/pay/secrets?fieldManager=kubectl'),
  contentType: 'application/json',
  bodySHA256: body('{"a":1,"b":2}'),
};
const objectDigest = (of: Call, objectName = of.operation.name) => digest.objectDigest({...of, objectName});
const exec: Call = {...call, operation: operation('POST', `${web}/exec?command=ls&container=c&stdout=true`)};

test('digests are stable: a change here makes every open grant worthless', () => {
  expect(callDigest(call)).toBe('fb1dbccd1c07162471c0ebaf3ff42622b836e43a26c488cc6c54a91d3a259c1b');
  expect(objectDigest(call)).toBe('21af4197f62c13011d06d57021f947c8e8cf8ad81351b15b8a0edeb6f5ef0975');
});

describe('a grant Once', () => {
  test('matches the same call again', () => {
    const again = {...call, bodySHA256: body(' {"b":2, "a":1} '), agent: {...call.agent}};
    expect(callDigest(again)).toBe(callDigest(call));
  });

  test.each<[string, Partial<Call>]>([
    ['username', {agent: {...call.agent, username: 'agent:other'}}],
    ['uid', {agent: {...call.agent, uid: 'u2'}}],
    ['issuer', {agent: {...call.agent, issuer: 'https://other.example.com'}}],
    ['policy', {requirement: {...call.requirement, policy: 'other/agents'}}],
    ['rule', {requirement: {...call.requirement, rule: 'other'}}],
    ['masking', {requirement: {...call.requirement, unmasked: true}}],
    ['method', {operation: operation('PUT', '/api/v1/namespaces/pay/secrets?fieldManager=kubectl')}],
    ['path', {operation: operation('POST', '/api/v1/namespaces/other/secrets?fieldManager=kubectl')}],
    ['query', {operation: operation('POST', '/api/v1/namespaces/pay/secrets')}],
    ['content type', {contentType: 'application/yaml'}],
    ['body', {bodySHA256: body('{"a":1,"b":3}')}],
    ['way to write a number', {bodySHA256: body('{"a":1,"b":2.0}')}],
    ['absence of a body', {bodySHA256: body('')}],
  ])('does not match another %s', (_, change) => {
    expect(callDigest({...call, ...change})).not.toBe(callDigest(call));
  });
});

describe('a grant Once of a stream into a pod', () => {
  const url = `${web}/exec?command=sh&command=-c&command=ls&container=c&stdin=true&stdout=true&tty=true`;
  const granted = {...exec, operation: operation('GET', url), contentType: '', bodySHA256: ''};
  const opened = (method: string, target: string) => ({...granted, operation: operation(method, target)});

  test.each([
    ['exec', url],
    ['attach', `${web}/attach?container=c&stdin=true`],
    ['portforward', `${web}/portforward?ports=80`],
  ])('matches %s by GET and by POST', (_, target) => {
    expect(callDigest(opened('POST', target))).toBe(callDigest(opened('GET', target)));
    expect(objectDigest(opened('POST', target))).toBe(objectDigest(opened('GET', target)));
  });

  test.each([
    ['another order of parameters', `${web}/exec?tty=1&container=c&command=sh&command=-c&command=ls`],
    ['another encoding', `${web}/exec?command=sh&command=%2Dc&command=ls&container=c&tty=1`],
  ])('matches %s', (_, target) => {
    const one = `${web}/exec?command=sh&command=-c&command=ls&container=c&tty=1`;
    expect(callDigest(opened('GET', target))).toBe(callDigest(opened('GET', one)));
  });

  test('matches the same without a body, whatever the type of what is not there', () => {
    const post = {...opened('POST', url), contentType: 'application/json'};
    expect(callDigest(post)).toBe(callDigest(granted));
  });

  test.each([
    ['order of words', url.replace('command=sh&command=-c', 'command=-c&command=sh')],
    ['command', url.replace('command=ls', 'command=rm')],
    ['number of words', url.replace('command=ls', 'command=ls&command=/')],
    ['container', url.replace('container=c', 'container=d')],
    ['default container', url.replace('&container=c', '')],
    ['input', url.replace('stdin=true', 'stdin=false')],
    ['terminal', url.replace('&tty=true', '')],
    ['output', url.replace('stdout=true', 'stdout=false')],
    ['parameter', `${url}&surprise=1`],
    ['pod', url.replace('pods/web', 'pods/db')],
    ['subresource', url.replace('/exec', '/attach')],
  ])('does not match another %s', (_, target) => {
    expect(callDigest(opened('GET', target))).not.toBe(callDigest(granted));
    expect(callDigest(opened('POST', target))).not.toBe(callDigest(granted));
  });

  test.each([
    ['a proxy', `${web}/proxy/status`],
    ['an exec of another group', '/apis/example.com/v1/namespaces/pay/pods/web/exec'],
  ])('%s keeps its method', (_, target) => {
    expect(callDigest(opened('POST', target))).not.toBe(callDigest(opened('GET', target)));
  });
});

describe('a grant Window', () => {
  test.each<[string, Call, Partial<Call>]>([
    ['another body', call, {bodySHA256: body('{}'), contentType: 'application/yaml'}],
    ['another query', call, {operation: operation('POST', '/api/v1/namespaces/pay/secrets')}],
    ['another output stream', exec, {operation: operation('POST', `${web}/exec?command=ls&container=c`)}],
  ])('matches %s', (_, granted, change) => {
    expect(objectDigest({...granted, ...change})).toBe(objectDigest(granted));
  });

  test.each<[string, string, string]>([
    ['verb', `${web}`, 'DELETE'],
    ['namespace', '/api/v1/namespaces/other/pods/web/exec?command=ls&container=c', 'POST'],
    ['name', '/api/v1/namespaces/pay/pods/db/exec?command=ls&container=c', 'POST'],
    ['subresource', `${web}/attach?command=ls&container=c`, 'POST'],
    ['resource', '/api/v1/namespaces/pay/services/web/exec?command=ls&container=c', 'POST'],
    ['group', '/apis/example.com/v1/namespaces/pay/pods/web/exec?command=ls&container=c', 'POST'],
    ['command', `${web}/exec?command=rm&container=c`, 'POST'],
    ['container', `${web}/exec?command=ls&container=d`, 'POST'],
    ['input', `${web}/exec?command=ls&container=c&stdin=1`, 'POST'],
  ])('does not match another %s', (_, url, method) => {
    expect(objectDigest({...exec, operation: operation(method, url)})).not.toBe(objectDigest(exec));
  });

  test.each([
    ['the path behind a proxy', `${web}/proxy/status`, `${web}/proxy/admin`],
    ['a path that is no resource', '/logs/a', '/logs/b'],
    ['a command split elsewhere', `${web}/exec?command=a&command=b`, `${web}/exec?command=a%22%2C%22b`],
    ['a real run of a dry one', '/api/v1/namespaces/pay/pods?dryRun=All', '/api/v1/namespaces/pay/pods'],
  ])('does not match %s', (_, left, right) => {
    const of = (url: string) => objectDigest({...call, operation: operation('POST', url)});
    expect(of(left)).not.toBe(of(right));
  });
});

test('a grant Window to make one object does not match another', () => {
  expect(objectDigest(call, 'a')).not.toBe(objectDigest(call, 'b'));
});

test('no body has no digest, and opaque bytes are digested as they are', () => {
  expect(body('')).toBe('');
  expect(bodySHA256(readBody(Buffer.from('abc'), 'text/plain'))).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});
