import {expect, test} from '@jest/globals';
import {opensPodStream} from './podstream.ts';
import {resolveRequestInfo} from './resolve.ts';

const web = '/api/v1/namespaces/pay/pods/web';

test.each([
  ['GET', `${web}/exec`, true],
  ['POST', `${web}/exec`, true],
  ['HEAD', `${web}/exec`, true],
  ['GET', `${web}/attach/`, true],
  ['POST', `${web}/portforward?ports=80`, true],
  // Handled by no Kubernetes, but not for us to tell apart.
  ['GET', '/api/v1/namespaces/pay/pods/web/exec/more', true],
  ['DELETE', `${web}/exec`, false],
  ['PUT', `${web}/exec`, false],
  ['GET', web, false],
  ['GET', `${web}/log`, false],
  ['GET', `${web}/proxy/exec`, false],
  ['GET', `${web}/EXEC`, false],
  ['GET', '/api/v1/namespaces/pay/services/web/exec', false],
  ['GET', '/apis/example.com/v1/namespaces/pay/pods/web/exec', false],
  ['GET', '/api/v1/proxy/namespaces/pay/pods/web/exec', false],
  ['GET', '/api/v1/watch/namespaces/pay/pods/web/exec', false],
])('%s %s opens a stream into a pod: %p', (method, url, opens) => {
  expect(opensPodStream(resolveRequestInfo(method, url))).toBe(opens);
});
