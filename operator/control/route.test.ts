import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {Refusal} from './refusal.ts';
import {routeOf} from './route.ts';

const target = {namespace: 'payments', name: 'secrets-0a1b-1'};

test.each([
  ['GET', '/v1/bundle?proxy=gateway-0', {name: 'bundle', proxy: 'gateway-0'}],
  ['POST', '/v1/acknowledgements', {name: 'acknowledge'}],
  ['POST', '/v1/checkpoints', {name: 'checkpoint'}],
  ['POST', '/v1/accessrequests', {name: 'open'}],
  ['GET', '/v1/accessrequests/payments/secrets-0a1b-1', {name: 'follow', target, waitSeconds: 0, phase: 'Pending'}],
  [
    'GET',
    '/v1/accessrequests/payments/secrets-0a1b-1?waitSeconds=30&phase=Consumed',
    {name: 'follow', target, waitSeconds: 30, phase: 'Consumed'},
  ],
  ['POST', '/v1/accessrequests/payments/secrets-0a1b-1/consume', {name: 'consume', target}],
])('%s %s', (method, url, route) => {
  expect(routeOf(method, url)).toEqual(route);
});

describe('refused', () => {
  test.each([
    ['GET', '/', 404],
    ['GET', '/v2/bundle?proxy=a', 404],
    ['GET', '//v1/bundle?proxy=a', 404],
    ['GET', 'https://elsewhere.example.com/v1/bundle', 404],
    ['OPTIONS', '*', 404],
    ['GET', '/v1/bundle/?proxy=a', 404],
    ['GET', '/v1/accessrequests/payments', 404],
    ['POST', '/v1/accessrequests/payments/x/approve', 404],
    ['PUT', '/v1/accessrequests', 405],
    ['POST', '/v1/bundle?proxy=a', 405],
    ['GET', '/v1/accessrequests/payments/x/consume', 405],
    ['GET', '/v1/bundle', 400],
    ['GET', '/v1/bundle?proxy=', 400],
    ['GET', '/v1/bundle?proxy=a/b', 400],
    ['GET', '/v1/accessrequests/Payments/x', 400],
    ['GET', '/v1/accessrequests/payments/x%2f..%2fy', 400],
    ['GET', '/v1/accessrequests/payments/', 400],
    ['GET', '/v1/accessrequests/payments/x?waitSeconds=-1', 400],
    ['GET', '/v1/accessrequests/payments/x?waitSeconds=601', 400],
    ['GET', '/v1/accessrequests/payments/x?waitSeconds=1e2', 400],
    ['GET', '/v1/accessrequests/payments/x?phase=consumed', 400],
  ])('%s %s with %i', (method, url, httpStatus) => {
    expect(() => routeOf(method, url)).toThrow(expect.objectContaining({httpStatus}));
  });
});

test('whatever target comes, names that reach a path at the API server are DNS names', () => {
  const piece = fc.oneof(fc.constantFrom('v1', 'accessrequests', 'consume', '..', '%2e%2e', '%2F', 'a'), fc.string());
  fc.assert(
    fc.property(fc.constantFrom('GET', 'POST'), fc.array(piece, {maxLength: 6}), (method, pieces) => {
      try {
        const route = routeOf(method, `/${pieces.join('/')}`);
        if ('target' in route) {
          expect(`${route.target.namespace}${route.target.name}`).toMatch(/^[a-z0-9.-]+$/);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(Refusal);
      }
    }),
    {numRuns: 1000},
  );
});
