import {describe, expect, test} from '@jest/globals';
import {operationOf} from './operation.ts';
import {resolveRequestInfo} from './resolve.ts';

function operation(method: string, url: string) {
  return operationOf(resolveRequestInfo(method, url), {method, url, userAgent: 'kubectl', sourceIP: '192.0.2.1'});
}

const web = '/api/v1/namespaces/pay/pods/web';

test('an exec carries its command in order, its container and its streams', () => {
  const url = `${web}/exec?command=sh&command=-c&command=echo+hi%3B&container=c&stdin=true&tty=1&stdout=true`;
  expect(operation('POST', url)).toEqual({
    ...resolveRequestInfo('POST', url),
    method: 'POST',
    requestURI: url,
    query: url.slice(url.indexOf('?') + 1),
    dryRun: false,
    command: ['sh', '-c', 'echo hi;'],
    container: 'c',
    stdin: true,
    tty: true,
    userAgent: 'kubectl',
    sourceIP: '192.0.2.1',
  });
});

test('a request without a query has none of it', () => {
  const {query, command, container, stdin, tty, dryRun} = operation('GET', web);
  expect({query, command, container, stdin, tty, dryRun}).toEqual({
    query: '',
    command: [],
    container: '',
    stdin: false,
    tty: false,
    dryRun: false,
  });
});

describe('a bool parameter is read as the API server reads it', () => {
  test.each([
    ['stdin', true],
    ['stdin=', true],
    ['stdin=no', true],
    ['stdin=false ', true],
    ['stdin=0', false],
    ['stdin=FALSE', false],
    ['stdin=fal%C5%BFe', false],
    ['other=1', false],
  ])('%s: %s', (query, stdin) => expect(operation('GET', `${web}/exec?${query}`).stdin).toBe(stdin));
});

describe('what an exec asks for is read as PodExecOptions', () => {
  test.each([
    // An empty container is the pod's default one, and a stream that is not asked for is not opened.
    ['command=sh', {command: ['sh'], container: '', stdin: false, tty: false}],
    ['container=&command=', {command: [''], container: '', stdin: false, tty: false}],
    ['tty=true&command=a&stdin=false&command=b', {command: ['a', 'b'], container: '', stdin: false, tty: true}],
    ['command=a+b&command=%26&command=c%3Dd', {command: ['a b', '&', 'c=d'], container: '', stdin: false, tty: false}],
    ['Command=sh&COMMAND=sh&command%20=sh', {command: [], container: '', stdin: false, tty: false}],
    ['comm%61nd=sh', {command: ['sh'], container: '', stdin: false, tty: false}],
    ['command[]=sh&command[0]=sh', {command: [], container: '', stdin: false, tty: false}],
  ])('%s', (query, expected) => {
    for (const method of ['GET', 'POST']) {
      expect(operation(method, `${web}/exec?${query}`)).toMatchObject(expected);
    }
  });
});

describe('a dry run is one only where nothing is stored', () => {
  test.each([
    ['POST', '/api/v1/namespaces/pay/secrets?dryRun=All', true],
    ['PUT', `${web}?dryRun=All`, true],
    ['PATCH', `${web}?dryRun=All`, true],
    ['DELETE', `${web}?dryRun=All`, true],
    ['DELETE', '/api/v1/namespaces/pay/pods?dryRun=All', true],
    ['POST', `${web}/eviction?dryRun=All`, true],
    ['POST', '/api/v1/namespaces/pay/secrets?dryRun=all', false],
    ['POST', '/api/v1/namespaces/pay/secrets?dryRun=', false],
    ['POST', '/api/v1/namespaces/pay/secrets', false],
    ['GET', `${web}?dryRun=All`, false],
    ['POST', `${web}/exec?dryRun=All`, false],
    ['POST', `${web}/attach?dryRun=All`, false],
    ['POST', `${web}/portforward?dryRun=All`, false],
    ['POST', `${web}/proxy/admin?dryRun=All`, false],
    ['POST', '/api/v1/namespaces/pay/serviceaccounts/bot/token?dryRun=All', false],
    ['POST', '/healthz?dryRun=All', false],
  ])('%s %s: %s', (method, url, dryRun) => expect(operation(method, url).dryRun).toBe(dryRun));
});
