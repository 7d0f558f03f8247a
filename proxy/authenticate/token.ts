import {compactVerify, decodeJwt, decodeProtectedHeader, errors} from 'jose';
import type {Claims} from './claims.ts';
import type {Issuer} from './configuration.ts';
import {AuthenticationError, AuthenticationUnavailable} from './errors.ts';
import type {KeySet} from './keys.ts';

/** Asymmetric ones only: with a shared secret, whoever can verify can also sign. */
const algorithms: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** Node takes 16 KiB of headers. */
const maximumTokenLength = 16 * 1024;

/** How far an issuer's clock may be ahead of ours. `exp` gets none: a token is never good for longer than it says. */
const clockSkewSeconds = 30;

/** A token's claims, before anything was verified. */
export interface DecodedToken {
  readonly text: string;
  readonly issuer: string;
  readonly claims: Claims;
}

/** @throws {AuthenticationError} where it is no signed JWT with an issuer */
export function decodeToken(text: string): DecodedToken {
  if (text.length > maximumTokenLength) {
    throw new AuthenticationError('MalformedToken', `the token is longer than ${maximumTokenLength} characters`);
  }
  let claims: Claims;
  let algorithm: string | undefined;
  try {
    claims = decodeJwt(text);
    algorithm = decodeProtectedHeader(text).alg;
  } catch (cause) {
    throw new AuthenticationError('MalformedToken', 'the token is not a signed JWT', {cause});
  }
  if (algorithm === undefined || !algorithms.includes(algorithm)) {
    const message = `the token must be signed with one of ${algorithms.join(', ')}`;
    throw new AuthenticationError('AlgorithmNotAllowed', message);
  }
  const issuer = claims.iss;
  if (typeof issuer !== 'string') throw new AuthenticationError('UnknownIssuer', 'the token has no iss claim');
  return {text, issuer, claims};
}

/**
 * Checks the token's times and that it is short-lived.
 *
 * @returns `exp` in milliseconds since the epoch
 * @throws {AuthenticationError}
 */
export function checkLifetime(claims: Claims, maximumTokenLifetimeSeconds: number, nowMilliseconds: number): number {
  const expiry = seconds(claims, 'exp');
  const issued = seconds(claims, 'iat');
  const notBefore = seconds(claims, 'nbf');
  if (expiry === undefined)
    throw new AuthenticationError('NoExpiry', 'the token has no exp claim, so it never expires');
  if (issued === undefined) {
    throw new AuthenticationError('NoIssueTime', 'the token has no iat claim, so its lifetime cannot be told');
  }
  const lifetime = expiry - issued;
  if (lifetime > maximumTokenLifetimeSeconds) {
    const message = `the token lives for ${lifetime} s, longer than the ${maximumTokenLifetimeSeconds} s allowed`;
    throw new AuthenticationError('LifetimeTooLong', message);
  }
  if (expiry * 1000 <= nowMilliseconds)
    throw new AuthenticationError('Expired', `the token expired at ${instant(expiry)}`);
  const earliest = Math.max(issued, notBefore ?? issued);
  if ((earliest - clockSkewSeconds) * 1000 > nowMilliseconds) {
    throw new AuthenticationError('NotYetValid', `the token is not valid before ${instant(earliest)}`);
  }
  return expiry * 1000;
}

/** @throws {AuthenticationError} where the token is for none of the issuer's audiences */
export function checkAudience(claims: Claims, {audiences}: Issuer): void {
  const {aud} = claims;
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (audiences.some((audience) => named.includes(audience))) return;
  throw new AuthenticationError('WrongAudience', `the token must be for the audience ${audiences.join(' or ')}`);
}

/**
 * @throws {AuthenticationError} where the signature is not the issuer's
 * @throws {AuthenticationUnavailable} where the issuer's keys cannot be had
 */
export async function verifySignature({text, issuer}: DecodedToken, keys: KeySet): Promise<void> {
  try {
    await compactVerify(text, (header, token) => keys.key(header, token), {algorithms: [...algorithms]});
  } catch (cause) {
    if (cause instanceof AuthenticationUnavailable) throw cause;
    if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) {
      const message = `the token is signed with a key that the issuer ${issuer} does not publish`;
      throw new AuthenticationError('UnknownKey', message, {cause});
    }
    throw new AuthenticationError('BadSignature', `the token's signature is not that of ${issuer}`, {cause});
  }
}

/** A NumericDate (RFC 7519); undefined where the claim is absent. */
function seconds(claims: Claims, claim: string): number | undefined {
  const value = claims[claim];
  if (value === undefined) return undefined;
  // Past the year 9999 there is no date to write in a message, and no lifetime worth the name.
  if (typeof value === 'number' && value >= 0 && value < 253_402_300_800) return value;
  throw new AuthenticationError('MalformedToken', `the token's claim ${claim} must be a time in seconds`);
}

function instant(epochSeconds: number): string {
  return new Date(epochSeconds * 1000).toISOString();
}
