import {beforeAll, describe, expect, test} from '@jest/globals';
import {exportJWK, generateKeyPair, type JWTPayload, SignJWT} from 'jose';
import {stringify} from 'yaml';
import type {Agent} from '../../core/request/agent.ts';
import {createAuthenticator} from './authenticator.ts';
import {AuthenticationError, AuthenticationUnavailable} from './errors.ts';
import {parseConfiguration} from './parseconfiguration.ts';

const issuer = 'https://issuer.example.com';
const cluster = 'https://kubernetes.default.svc';
const start = Date.parse('2026-01-01T00:00:00Z');
const configuration = parseConfiguration(
  stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [
      {
        issuer: {url: issuer, audiences: ['lockkeeper', 'other'], audienceMatchPolicy: 'MatchAny'},
        claimMappings: {username: {claim: 'sub'}, groups: {claim: 'groups', prefix: ''}},
      },
      {issuer: {url: cluster, audiences: ['lockkeeper']}},
    ],
  }),
  cluster,
);

interface Key {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

async function newKey(kid: string): Promise<Key> {
  return {kid, ...(await generateKeyPair('ES256'))};
}

async function keySet(...keys: Key[]): Promise<unknown> {
  return {
    keys: await Promise.all(
      keys.map(async ({kid, publicKey}) => ({kid, alg: 'ES256', ...(await exportJWK(publicKey))})),
    ),
  };
}

let first: Key;
let second: Key;
beforeAll(async () => {
  [first, second] = await Promise.all([newKey('first'), newKey('second')]);
});

/** A token of an hour, from now. */
function sign(claims: JWTPayload, key = first): Promise<string> {
  const times = {iat: start / 1000, exp: start / 1000 + 3600};
  return new SignJWT({iss: issuer, aud: 'lockkeeper', sub: 'bot', ...times, ...claims})
    .setProtectedHeader({alg: 'ES256', kid: key.kid})
    .sign(key.privateKey);
}

/** An authenticator, its clock, and the issuer behind it. */
function world() {
  const state = {now: start, keys: [first], discovered: issuer, fetches: [] as string[], warnings: [] as string[]};
  const authenticator = createAuthenticator({
    configuration,
    maximumTokenLifetimeSeconds: 3600,
    fetch: async (url) => {
      state.fetches.push(url);
      if (state.keys.length === 0) throw new Error('connect ECONNREFUSED');
      return url.endsWith('/keys') ? keySet(...state.keys) : {issuer: state.discovered, jwks_uri: `${issuer}/keys`};
    },
    fetchServiceAccountKeys: async () => {
      state.fetches.push('cluster');
      return keySet(second);
    },
    now: () => state.now,
    log: {warn: (message) => state.warnings.push(message)},
  });
  /** Also where the verdict is thrown at once. */
  const authenticate = async (token: string): Promise<Agent> => authenticator.authenticate(token);
  return {state, authenticator, authenticate};
}

describe('accepts', () => {
  test('a token, with every group and claim', async () => {
    const token = await sign({groups: ['a', 'b', 'c'], tenant: {id: 1}});
    const agent = await world().authenticate(token);
    expect(agent).toEqual({
      username: 'agent:bot',
      uid: '',
      groups: ['a', 'b', 'c'],
      extra: {},
      issuer,
      claims: expect.objectContaining({sub: 'bot', tenant: {id: 1}}),
      serviceAccount: undefined,
      expiresAtMilliseconds: start + 3_600_000,
    });
  });

  test('any of the audiences', async () => {
    const {authenticate} = world();
    await expect(authenticate(await sign({aud: ['x', 'other']}))).resolves.toMatchObject({username: 'agent:bot'});
  });

  test("a ServiceAccount token by the cluster's own keys", async () => {
    const {authenticate, state} = world();
    const token = await sign(
      {
        iss: cluster,
        sub: 'system:serviceaccount:pay:bot',
        'kubernetes.io': {namespace: 'pay', serviceaccount: {name: 'bot', uid: 'u1'}},
      },
      second,
    );
    await expect(authenticate(token)).resolves.toMatchObject({serviceAccount: {namespace: 'pay', name: 'bot'}});
    expect(state.fetches).toEqual(['cluster']);
  });

  test("an issuer's clock that is a little ahead", async () => {
    const {authenticate} = world();
    const iat = start / 1000 + 20;
    await expect(authenticate(await sign({iat, nbf: iat}))).resolves.toMatchObject({username: 'agent:bot'});
  });
});

describe('refuses with 401 and the reason', () => {
  const at = start / 1000;
  test.each<[string, JWTPayload, string, string]>([
    ['another issuer', {iss: 'https://other.example.com'}, 'UnknownIssuer', 'issuer "https://other.example.com"'],
    ['the issuer with a slash', {iss: `${issuer}/`}, 'UnknownIssuer', 'are not accepted here'],
    ['another audience', {aud: 'kubernetes'}, 'WrongAudience', 'audience lockkeeper or other'],
    ['no audience', {aud: undefined as unknown as string}, 'WrongAudience', 'audience lockkeeper or other'],
    ['no exp', {exp: undefined as unknown as number}, 'NoExpiry', 'never expires'],
    ['no iat', {iat: undefined as unknown as number}, 'NoIssueTime', 'no iat claim'],
    ['a lifetime of a day', {exp: at + 86400}, 'LifetimeTooLong', '86400 s, longer than the 3600 s allowed'],
    ['a lifetime of an hour and a second', {exp: at + 3601}, 'LifetimeTooLong', '3601 s'],
    ['an exp in the past', {iat: at - 3600, exp: at}, 'Expired', 'expired at 2026-01-01T00:00:00.000Z'],
    ['an iat far ahead', {iat: at + 60, exp: at + 120}, 'NotYetValid', 'not valid before 2026-01-01T00:01:00.000Z'],
    ['an nbf far ahead', {nbf: at + 31}, 'NotYetValid', 'not valid before 2026-01-01T00:00:31.000Z'],
    ['an exp past all dates', {exp: 1e300}, 'MalformedToken', 'claim exp must be a time'],
    ['system:masters', {groups: ['a', 'system:masters']}, 'IdentityRefused', '"system:masters"'],
    [
      "a ServiceAccount of another issuer's saying so",
      {iss: cluster, sub: 'system:serviceaccount:a:b'},
      'UnknownKey',
      cluster,
    ],
  ])('%s', async (_, claims, code, reason) => {
    const token = await sign(claims);
    const refused = world().authenticate(token);
    await expect(refused).rejects.toBeInstanceOf(AuthenticationError);
    await expect(refused).rejects.toMatchObject({code, message: expect.stringContaining(reason)});
    await expect(refused).rejects.not.toMatchObject({message: expect.stringContaining(token)});
  });

  test('a signature by another key of the same name', async () => {
    const token = await sign({}, {...second, kid: 'first'});
    await expect(world().authenticate(token)).rejects.toMatchObject({code: 'BadSignature'});
  });

  test('claims that were changed', async () => {
    const [header, , signature] = (await sign({})).split('.');
    const [, claims] = (await sign({groups: ['admins']})).split('.');
    await expect(world().authenticate(`${header}.${claims}.${signature}`)).rejects.toMatchObject({
      code: 'BadSignature',
    });
  });

  test('a shared secret, even where it is the public key', async () => {
    const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(first.publicKey)));
    const token = await new SignJWT({iss: issuer}).setProtectedHeader({alg: 'HS256', kid: 'first'}).sign(secret);
    await expect(world().authenticate(token)).rejects.toMatchObject({code: 'AlgorithmNotAllowed'});
  });

  test('no signature', async () => {
    const header = Buffer.from('{"alg":"none"}').toString('base64url');
    const [, claims] = (await sign({})).split('.');
    await expect(world().authenticate(`${header}.${claims}.`)).rejects.toMatchObject({code: 'AlgorithmNotAllowed'});
  });

  test.each(['x', 'a.b.c', 'a.b.c.d.e', '..', `${'a'.repeat(20_000)}`])('what is no token: %.10s', async (token) => {
    await expect(world().authenticate(token)).rejects.toMatchObject({code: 'MalformedToken'});
  });
});

describe('verdicts', () => {
  test('are given at once and without the issuer the second time, and are one object', async () => {
    const {authenticator, authenticate, state} = world();
    const token = await sign({});
    const agent = await authenticate(token);
    state.keys = [];
    expect(authenticator.authenticate(token)).toBe(agent);
    expect(state.fetches).toHaveLength(2);
  });

  test('end with the token, not a millisecond later', async () => {
    const {authenticator, authenticate, state} = world();
    const token = await sign({});
    const agent = await authenticate(token);
    state.now = start + 3_600_000 - 1;
    expect(authenticator.authenticate(token)).toBe(agent);
    state.now = start + 3_600_000;
    await expect(authenticate(token)).rejects.toMatchObject({code: 'Expired'});
  });

  test('are found once for calls at the same time', async () => {
    const {authenticate, state} = world();
    const token = await sign({});
    const agents = await Promise.all([authenticate(token), authenticate(token), authenticate(token)]);
    expect(new Set(agents).size).toBe(1);
    expect(state.fetches).toEqual([`${issuer}/.well-known/openid-configuration`, `${issuer}/keys`]);
  });

  test('of refusal are kept for a moment, then looked at again', async () => {
    const {authenticator, authenticate, state} = world();
    const iat = start / 1000 + 34;
    const token = await sign({iat, exp: iat + 60});
    await expect(authenticate(token)).rejects.toMatchObject({code: 'NotYetValid'});
    expect(() => authenticator.authenticate(token)).toThrow(AuthenticationError);
    state.now += 5_000;
    await expect(authenticate(token)).resolves.toMatchObject({username: 'agent:bot'});
  });
});

describe('keys', () => {
  test('that are new are fetched when a token names them', async () => {
    const {authenticate, state} = world();
    await authenticate(await sign({}));
    state.keys = [second];
    state.now += 10_000;
    await expect(authenticate(await sign({}, second))).resolves.toMatchObject({username: 'agent:bot'});
    expect(state.fetches).toHaveLength(4);
  });

  test('that nobody publishes are looked for once in a while only', async () => {
    const {authenticate, state} = world();
    await authenticate(await sign({}));
    state.now += 10_000;
    for (let n = 0; n < 3; n++) {
      const refused = authenticate(await sign({jti: String(n)}, {...second, kid: `invented-${n}`}));
      await expect(refused).rejects.toMatchObject({code: 'UnknownKey'});
    }
    expect(state.fetches).toHaveLength(4);
  });

  test('that were withdrawn are forgotten after ten minutes', async () => {
    const {authenticate, state} = world();
    await authenticate(await sign({}));
    state.keys = [second];
    state.now += 600_000;
    await expect(authenticate(await sign({jti: '2'}))).rejects.toMatchObject({code: 'UnknownKey'});
  });

  test('that cannot be fetched make the issuer unavailable, which is not a refusal', async () => {
    const {authenticate, state} = world();
    state.keys = [];
    const token = await sign({});
    const failed = authenticate(token);
    await expect(failed).rejects.toBeInstanceOf(AuthenticationUnavailable);
    await expect(failed).rejects.toMatchObject({message: expect.stringContaining(issuer)});
    expect(state.warnings).toEqual([expect.stringContaining('ECONNREFUSED')]);
    await expect(authenticate(await sign({jti: '2'}))).rejects.toBeInstanceOf(AuthenticationUnavailable);
    expect(state.fetches).toHaveLength(1);
    state.keys = [first];
    state.now += 5_000;
    await expect(authenticate(token)).resolves.toMatchObject({username: 'agent:bot'});
  });

  test('of a discovery document that names another issuer are not trusted', async () => {
    const {authenticate, state} = world();
    state.discovered = 'https://other.example.com';
    await expect(authenticate(await sign({}))).rejects.toBeInstanceOf(AuthenticationUnavailable);
    expect(state.fetches).toHaveLength(1);
    expect(state.warnings[0]).toContain('names the issuer "https://other.example.com"');
  });
});
