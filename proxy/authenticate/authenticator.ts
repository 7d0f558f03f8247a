import type {Agent} from '../../core/request/agent.ts';
import {ExpiringCache} from './cache.ts';
import type {AuthenticationConfiguration, Issuer, JWTAuthenticator} from './configuration.ts';
import type {FetchDocument} from './document.ts';
import {AuthenticationError} from './errors.ts';
import {identify} from './identity.ts';
import {discoverKeys, KeySet} from './keys.ts';
import {checkAudience, checkLifetime, type DecodedToken, decodeToken, verifySignature} from './token.ts';

const maximumAgents = 10_000;
const maximumRefusals = 1_000;
/** Short enough for a clock or a key that is about to be right. */
const refusalMilliseconds = 5_000;

export interface Authenticator {
  /**
   * The agent that a token speaks for: at once where the verdict is cached, a promise where it must be found.
   *
   * @throws {AuthenticationError} where the token is refused (also as a rejection)
   * @throws {AuthenticationUnavailable} where its issuer cannot be asked (as a rejection)
   */
  authenticate(token: string): Agent | Promise<Agent>;
}

export interface AuthenticatorOptions {
  readonly configuration: AuthenticationConfiguration;
  /** Tokens with a longer `exp - iat` are refused. */
  readonly maximumTokenLifetimeSeconds: number;
  /** For discovery documents and keys of the OIDC issuers. */
  readonly fetch: FetchDocument;
  /** The cluster's own keys, from the API server itself: `/openid/v1/jwks` as decoded JSON. */
  readonly fetchServiceAccountKeys: (signal: AbortSignal) => Promise<unknown>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: {warn(message: string): void};
}

interface TrustedIssuer {
  readonly authenticator: JWTAuthenticator;
  readonly keys: KeySet;
}

/** Authenticates bearer tokens by an AuthenticationConfiguration. Verdicts are cached, none longer than its token. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const {configuration, maximumTokenLifetimeSeconds, now} = options;
  const issuers = new Map(
    configuration.jwt.map((authenticator): [string, TrustedIssuer] => [
      authenticator.issuer.url,
      {authenticator, keys: keySet(authenticator, options)},
    ]),
  );
  const agents = new ExpiringCache<Agent>(maximumAgents);
  const refusals = new ExpiringCache<AuthenticationError>(maximumRefusals);
  const underWay = new Map<string, Promise<Agent>>();

  async function verify(text: string): Promise<Agent> {
    const token = decodeToken(text);
    const {authenticator, keys} = trusted(token, issuers);
    const expiresAtMilliseconds = checkLifetime(token.claims, maximumTokenLifetimeSeconds, now());
    await verifySignature(token, keys);
    checkAudience(token.claims, authenticator.issuer);
    const {issuer, claims} = token;
    return {...identify(authenticator, claims), issuer, claims, expiresAtMilliseconds};
  }

  async function verifyOnce(text: string): Promise<Agent> {
    try {
      const agent = await verify(text);
      agents.set(text, agent, agent.expiresAtMilliseconds);
      return agent;
    } catch (error) {
      if (error instanceof AuthenticationError) refusals.set(text, error, now() + refusalMilliseconds);
      throw error;
    } finally {
      underWay.delete(text);
    }
  }

  return {
    authenticate(text) {
      const time = now();
      const agent = agents.get(text, time);
      if (agent !== undefined) return agent;
      const refusal = refusals.get(text, time);
      if (refusal !== undefined) throw refusal;
      const current = underWay.get(text);
      if (current !== undefined) return current;
      const verdict = verifyOnce(text);
      underWay.set(text, verdict);
      return verdict;
    },
  };
}

function trusted({issuer}: DecodedToken, issuers: ReadonlyMap<string, TrustedIssuer>): TrustedIssuer {
  const found = issuers.get(issuer);
  if (found !== undefined) return found;
  const named = JSON.stringify(issuer.length > 256 ? `${issuer.slice(0, 256)}…` : issuer);
  throw new AuthenticationError('UnknownIssuer', `tokens of the issuer ${named} are not accepted here`);
}

function keySet({issuer, mappings}: JWTAuthenticator, options: AuthenticatorOptions): KeySet {
  const {now, log} = options;
  return new KeySet({issuer: issuer.url, fetchKeys: keyFetch(issuer, mappings.kind, options), now, log});
}

function keyFetch(
  issuer: Issuer,
  kind: JWTAuthenticator['mappings']['kind'],
  {fetch, fetchServiceAccountKeys}: AuthenticatorOptions,
): (signal: AbortSignal) => Promise<unknown> {
  switch (kind) {
    case 'ServiceAccount':
      return fetchServiceAccountKeys;
    case 'OIDC':
      return (signal) => discoverKeys(issuer, fetch, signal);
  }
}
