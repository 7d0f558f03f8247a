import {describe, expect, test} from '@jest/globals';
import {operationOf} from '../request/operation.ts';
import {ambiguity} from '../request/refuse.ts';
import {resolveRequestInfo} from '../request/resolve.ts';
import {builtinDenial, execByAnotherDoor} from './builtin.ts';

function operation(method: string, url: string) {
  return operationOf(resolveRequestInfo(method, url), {method, url, userAgent: '', sourceIP: ''});
}

/** Refused as ambiguous, the rule that denies, or undefined where it passes both. */
function stopped(method: string, url: string): string | undefined {
  const rawHeaders = ['host', 'gateway'];
  if (ambiguity({method, url, rawHeaders, httpVersion: '1.1'}) !== undefined) return 'ambiguous';
  return builtinDenial(operation(method, url))?.rule;
}

const tail = 'payments/web/app?command=sh&input=1&output=1&tty=1';

describe.each(['GET', 'POST'])("pitfall 8: no way to write %s of the kubelet's exec passes", (method) => {
  test.each([
    [`/api/v1/nodes/worker/proxy/exec/${tail}`, 'no-kubelet-streams'],
    [`/api/v1/nodes/worker/proxy/exec/${tail.replace('app?', 'app/?')}`, 'no-kubelet-streams'],
    [`/api/v1/nodes/worker:10250/proxy/exec/${tail}`, 'no-kubelet-streams'],
    [`/api/v1/nodes/https:worker:10250/proxy/exec/${tail}`, 'no-kubelet-streams'],
    [`/api/v1/nodes/https%3Aworker%3a10250/proxy/exec/${tail}`, 'no-kubelet-streams'],
    [`/api/v1/nodes/worker/proxy/Exec/${tail}`, 'no-kubelet-streams'],
    [`/api/v1/namespaces/payments/nodes/worker/proxy/exec/${tail}`, 'no-kubelet-streams'],
    [`/api/v1/nodes/worker/proxy?path=/exec/${tail}`, undefined], // the API server drops this path
    [`/api/v1/nodes/worker/proxy//exec/${tail}`, 'ambiguous'],
    [`/api/v1/nodes/worker/proxy/./exec/${tail}`, 'ambiguous'],
    [`/api/v1/nodes/worker/proxy/metrics/../exec/${tail}`, 'ambiguous'],
    [`/api/v1/nodes/worker/proxy/metrics/%2e%2e/exec/${tail}`, 'ambiguous'],
    [`/api/v1/nodes/worker/proxy/%65xec/${tail}`, 'ambiguous'],
    [`/api/v1/nodes/worker/proxy/%2565xec/${tail}`, 'ambiguous'],
    [`/api/v1/nodes/worker/proxy%2Fexec/${tail}`, 'ambiguous'],
    [`/api/v1/nodes/worker/proxy/%2Fexec/${tail}`, 'ambiguous'],
    [`/api/v1/nodes/worker/proxy\\exec/${tail}`, 'ambiguous'],
    [`//api/v1/nodes/worker/proxy/exec/${tail}`, 'ambiguous'],
    [`/api/v1/proxy/nodes/worker/exec/${tail}`, 'no-proxy-prefix'],
    [`/api/v1/proxy/nodes/worker:10250/exec/${tail}`, 'no-proxy-prefix'],
    [`/api/v1/proxy/namespaces/payments/pods/web:8080/exec/${tail}`, 'no-proxy-prefix'],
    [`/apis/example.com/v1/proxy/things/one`, 'no-proxy-prefix'],
  ])('%s', (url, rule) => {
    expect(stopped(method, url)).toBe(rule);
  });
});

test.each(['attach', 'run', 'portForward', 'cri'])("the kubelet's %s is denied too", (path) => {
  expect(stopped('POST', `/api/v1/nodes/worker/proxy/${path}/payments/web/app`)).toBe('no-kubelet-streams');
});

test.each([
  '/api/v1/nodes/worker/proxy',
  '/api/v1/nodes/worker/proxy/',
  '/api/v1/nodes/worker/proxy/metrics/exec',
  '/api/v1/nodes/worker/proxy/containerLogs/payments/web/app',
  '/api/v1/nodes/worker/proxy/runningpods/',
  '/api/v1/namespaces/payments/pods/web/proxy/exec',
  '/api/v1/namespaces/payments/services/https:web:443/proxy/run',
  '/apis/example.com/v1/nodes/worker/proxy/exec',
  '/api/v1/namespaces/payments/pods/proxy',
])('%s is left to the policies', (url) => {
  expect(stopped('GET', url)).toBeUndefined();
});

describe('pitfall 9: an exec by another door', () => {
  const web = '/api/v1/namespaces/payments/pods/web/ephemeralcontainers';

  test.each(['PUT', 'PATCH', 'POST', 'DELETE'])('is %s of ephemeral containers', (method) => {
    expect(execByAnotherDoor(operation(method, web))).toMatchObject({
      verb: 'create',
      subresource: 'exec',
      namespace: 'payments',
      name: 'web',
    });
  });

  test.each([
    ['GET', web],
    ['PATCH', '/api/v1/namespaces/payments/pods/web'],
    ['PATCH', '/api/v1/namespaces/payments/pods/web/resize'],
    ['PATCH', '/apis/example.com/v1/namespaces/payments/pods/web/ephemeralcontainers'],
  ])('is not %s %s', (method, url) => {
    expect(execByAnotherDoor(operation(method, url))).toBeUndefined();
  });
});
