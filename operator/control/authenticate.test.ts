import {describe, expect, test} from '@jest/globals';
import {ManualClock} from '../../test/manualclock.ts';
import {KubeConnectionError} from '../kube/error.ts';
import {bearerToken, createAuthenticate} from './authenticate.ts';

const gateway = {namespace: 'lockkeeper-system', name: 'lockkeeper-gateway'};
const accepted = {
  authenticated: true,
  audiences: ['lockkeeper-operator'],
  user: {username: 'system:serviceaccount:payments:bot', groups: ['system:serviceaccounts']},
};

function tokenUntil(expiresAtMilliseconds: number): string {
  const claims = Buffer.from(JSON.stringify({exp: expiresAtMilliseconds / 1000})).toString('base64url');
  return `e30.${claims}.c2ln`;
}

/** An API server that gives each TokenReview the next of the answers, and the last for ever. */
function setUp(...answers: readonly (object | Error)[]) {
  const clock = new ManualClock();
  const reviews: unknown[] = [];
  const client = {
    create: async <T>(_path: string, body: unknown): Promise<T> => {
      const answer = answers[Math.min(reviews.length, answers.length - 1)];
      reviews.push(body);
      if (answer instanceof Error) {
        throw answer;
      }
      return {status: answer} as T;
    },
  };
  const authenticate = createAuthenticate({client, gatewayServiceAccounts: [gateway], now: () => clock.now()});
  return {clock, reviews, authenticate, token: tokenUntil(clock.now() + 3_600_000)};
}

test('asks for the audience of the control API', async () => {
  const {authenticate, reviews, token} = setUp(accepted);
  await authenticate(token);
  expect(reviews).toEqual([expect.objectContaining({spec: {token, audiences: ['lockkeeper-operator']}})]);
});

test.each([
  ['a configured gateway', 'system:serviceaccount:lockkeeper-system:lockkeeper-gateway', 'Gateway'],
  ['the same name in another namespace', 'system:serviceaccount:payments:lockkeeper-gateway', 'Sidecar'],
  ['any other ServiceAccount', 'system:serviceaccount:payments:bot', 'Sidecar'],
])('%s', async (_name, username, kind) => {
  const {authenticate, token} = setUp({...accepted, user: {username}});
  expect(await authenticate(token)).toMatchObject({kind, username});
});

test.each([
  ['a token that is not valid', {authenticated: false, error: 'expired'}, 401],
  ['a server that knows nothing of audiences', {...accepted, audiences: undefined}, 401],
  ['a token of another audience', {...accepted, audiences: ['https://kubernetes.default.svc']}, 401],
  ['a person', {...accepted, user: {username: 'ann'}}, 403],
  ['an answer without a user', {authenticated: true, audiences: ['lockkeeper-operator']}, 403],
  ['an answer without a status', {}, 401],
])('%s is refused', async (_name, status, httpStatus) => {
  const {authenticate, token} = setUp(status);
  await expect(authenticate(token)).rejects.toMatchObject({httpStatus});
});

test('an API server that cannot be asked is 503, and is asked again', async () => {
  const {authenticate, token} = setUp(new KubeConnectionError('refused'), accepted);
  await expect(authenticate(token)).rejects.toMatchObject({httpStatus: 503});
  await expect(authenticate(token)).resolves.toMatchObject({kind: 'Sidecar'});
});

describe('a verdict', () => {
  test('that accepts is asked for again after a minute', async () => {
    const {authenticate, clock, reviews, token} = setUp(accepted, {authenticated: false});
    await authenticate(token);
    await clock.advance(59_999);
    await authenticate(token);
    expect(reviews).toHaveLength(1);
    await clock.advance(1);
    await expect(authenticate(token)).rejects.toMatchObject({httpStatus: 401});
  });

  test('that accepts never outlives the token', async () => {
    const {authenticate, clock, reviews} = setUp(accepted);
    const token = tokenUntil(clock.now() + 10_000);
    await authenticate(token);
    await clock.advance(10_000);
    await expect(authenticate(token)).rejects.toMatchObject({httpStatus: 401});
    expect(reviews).toHaveLength(2);
  });

  test('is never good for a token without an end', async () => {
    const {authenticate} = setUp(accepted);
    await expect(authenticate('no.jwt')).rejects.toMatchObject({httpStatus: 401});
  });

  test('that refuses is asked for again after a few seconds', async () => {
    const {authenticate, clock, reviews, token} = setUp({authenticated: false}, accepted);
    await expect(authenticate(token)).rejects.toMatchObject({httpStatus: 401});
    await expect(authenticate(token)).rejects.toMatchObject({httpStatus: 401});
    expect(reviews).toHaveLength(1);
    await clock.advance(5_000);
    await expect(authenticate(token)).resolves.toMatchObject({kind: 'Sidecar'});
  });

  test('is asked for once by many callers at a time', async () => {
    const {authenticate, reviews, token} = setUp(accepted);
    await Promise.all(Array.from({length: 20}, () => authenticate(token)));
    expect(reviews).toHaveLength(1);
  });

  test('on an invented token does not push out one on a real token', async () => {
    const {authenticate, reviews, token} = setUp(accepted, {authenticated: false});
    await authenticate(token);
    for (let i = 0; i < 5000; i++) {
      await authenticate(`invented.${i}`).catch(() => undefined);
    }
    const asked = reviews.length;
    await authenticate(token);
    expect(reviews).toHaveLength(asked);
  });
});

test.each([
  ['none', []],
  ['two', ['Bearer a', 'Bearer b']],
  ['another scheme', ['Basic YTpi']],
  ['an empty token', ['Bearer ']],
  ['a token with a space', ['Bearer a b']],
])('%s in Authorization is 401', (_name, authorization) => {
  const request = {headersDistinct: {authorization}} as unknown as Parameters<typeof bearerToken>[0];
  expect(() => bearerToken(request)).toThrow(expect.objectContaining({httpStatus: 401}));
});
