import {describe, expect, test} from '@jest/globals';
import {agent} from '../../test/operations.ts';
import {callOf, type Requested} from '../../test/proxy/call.ts';
import {type Resolved, withOperation} from './operation.ts';

async function resolved(requested: Requested): Promise<Resolved> {
  const found: Resolved[] = [];
  await withOperation(async (_call, each) => void found.push(each))(callOf(requested).call, agent());
  const [first] = found;
  if (first === undefined) throw new Error('nothing was resolved');
  return first;
}

test('the operation is what the API server will read, and is on record', async () => {
  const {call, log} = callOf({
    url: '/api/v1/namespaces/payments/pods?watch=true&labelSelector=app%3Dweb',
    headers: {'user-agent': 'kubectl/v1.36.3'},
  });
  await withOperation(async (_call, {operation}) => {
    expect(operation).toMatchObject({
      verb: 'watch',
      resource: 'pods',
      namespace: 'payments',
      method: 'GET',
      requestURI: '/api/v1/namespaces/payments/pods?watch=true&labelSelector=app%3Dweb',
      userAgent: 'kubectl/v1.36.3',
      sourceIP: '192.0.2.7',
    });
  })(call, agent());
  expect(call.verb).toBe('watch');
  await call.record.refused(call.recorded(), {code: 403});
  expect(log.last).toMatchObject({verb: 'watch', objectRef: {resource: 'pods', namespace: 'payments'}});
});

describe('refused with 400, before anybody asks for policy', () => {
  test.each<[string, Requested]>([
    ['a path that is not canonical', {url: '/api/v1/namespaces//secrets'}],
    ['an encoded slash', {url: '/api/v1/namespaces/a%2Fb/pods'}],
    ['a semicolon in the query', {url: '/api/v1/pods?watch=false;x=1'}],
    ['a parameter that decides twice', {url: '/api/v1/pods?watch=true&watch=false'}],
    ['a method nobody knows', {method: 'BREW', url: '/api/v1/pods'}],
    ['an upgrade nobody knows', {url: '/api', headers: {upgrade: 'h2c', connection: 'Upgrade'}}],
    ['another protocol version', {url: '/api', httpVersion: '1.0'}],
    ['HTTP/2.0 on the request line of HTTP/1', {url: '/api', httpVersion: '2.0'}],
    ['no Host', {url: '/api', headers: {host: undefined}}],
    ['GET with a body', {url: '/api', body: 'GET /evil HTTP/1.1'}],
    ['HEAD with a body', {method: 'HEAD', url: '/api', body: 'x'}],
    ['OPTIONS with a body', {method: 'OPTIONS', url: '/api', headers: {'transfer-encoding': 'chunked'}, body: 'x'}],
    [
      'DELETE with a body, for which the API server would not see the dry run in the query',
      {method: 'DELETE', url: '/api/v1/namespaces/payments/pods/web?dryRun=All', body: '{"kind":"DeleteOptions"}'},
    ],
    [
      'DELETE with a body in chunks and options in the query',
      {
        method: 'DELETE',
        url: '/api/v1/namespaces/payments/pods/web?propagationPolicy=Orphan',
        headers: {'transfer-encoding': 'chunked'},
        body: '{}',
      },
    ],
  ])('%s', async (_name, requested) => {
    await expect(resolved(requested)).rejects.toMatchObject({name: 'Refusal', code: 'Ambiguous', httpStatus: 400});
  });
});

test.each(['impersonate-user', 'impersonate-group', 'impersonate-uid', 'impersonate-extra-scopes'])(
  '%s is refused with 403',
  async (name) => {
    await expect(resolved({url: '/api', headers: {[name]: 'admin'}})).rejects.toMatchObject({
      code: 'ImpersonationRefused',
      httpStatus: 403,
    });
  },
);

test.each<[string, Requested]>([
  ['options in the query', {url: '/api/v1/namespaces/payments/pods/web?dryRun=All'}],
  ['options in the body', {url: '/api/v1/namespaces/payments/pods/web', body: '{"dryRun":["All"]}'}],
])('DELETE with %s alone goes on', async (_name, requested) => {
  expect(await resolved({method: 'DELETE', ...requested})).toMatchObject({operation: {verb: 'delete', name: 'web'}});
});

test('GET with a content-length of 0 has no body', async () => {
  expect(await resolved({url: '/version', headers: {'content-length': '0'}})).toMatchObject({
    operation: {verb: 'get', isResourceRequest: false},
  });
});
