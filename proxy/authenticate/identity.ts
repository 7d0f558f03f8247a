import type {Claims, Identity} from './claims.ts';
import type {ClaimMappings, JWTAuthenticator, MappingExpression, ValidationRule} from './configuration.ts';
import {AuthenticationError} from './errors.ts';
import {type Expression, ExpressionError} from './expression.ts';
import {defaultUsernamePrefix, reservedPrefix} from './mappings.ts';
import {serviceAccountIdentity} from './serviceaccount.ts';

/**
 * Maps the claims of a verified token to an identity and applies the validation rules, in kube-apiserver's order:
 * mapping first, then the rules over claims, then those over the user.
 *
 * @throws {AuthenticationError} where a claim is missing or a rule refuses, and for names that no agent may bear
 */
export function identify(authenticator: JWTAuthenticator, claims: Claims): Identity {
  const identity =
    authenticator.mappings.kind === 'ServiceAccount'
      ? serviceAccountIdentity(claims)
      : oidcIdentity(authenticator.mappings, claims);
  refuseUnsendable(identity);
  for (const {claim, value} of authenticator.requiredClaims) {
    if (claims[claim] !== value) {
      throw new AuthenticationError('ClaimRefused', `the token's claim ${claim} must be ${JSON.stringify(value)}`);
    }
  }
  for (const rule of authenticator.claimRules) apply(rule, claims);
  const {username, uid, groups, extra} = identity;
  for (const rule of authenticator.userRules) apply(rule, {username, uid, groups, extra});
  return identity;
}

function oidcIdentity(mappings: Extract<ClaimMappings, {kind: 'OIDC'}>, claims: Claims): Identity {
  const identity = {
    username: readUsername(mappings.username, claims),
    uid: readUID(mappings.uid, claims),
    groups: readGroups(mappings.groups, claims),
    extra: readExtra(mappings.extra, claims),
    serviceAccount: undefined,
  };
  const reserved = [identity.username, ...identity.groups].find((name) => name.startsWith(reservedPrefix));
  if (reserved !== undefined) {
    const message = `the token names ${JSON.stringify(reserved)}; names that begin with ${reservedPrefix} are Kubernetes' own`;
    throw new AuthenticationError('IdentityRefused', message);
  }
  return identity;
}

function readUsername(mapping: Extract<ClaimMappings, {kind: 'OIDC'}>['username'], claims: Claims): string {
  if (mapping.kind === 'Expression') {
    const username = evaluateText(mapping, claims, 'username');
    if (!username.startsWith(defaultUsernamePrefix) || username === defaultUsernamePrefix) {
      const message = `the username expression must give a name behind ${defaultUsernamePrefix}, gave ${JSON.stringify(username)}`;
      throw new AuthenticationError('IdentityRefused', message);
    }
    return username;
  }
  if (mapping.claim === 'email' && Object.hasOwn(claims, 'email_verified') && claims.email_verified !== true) {
    throw new AuthenticationError('ClaimRefused', 'the token says that its email is not verified');
  }
  return mapping.prefix + claimText(claims, mapping.claim);
}

function readUID(mapping: Extract<ClaimMappings, {kind: 'OIDC'}>['uid'], claims: Claims): string {
  if (mapping === undefined) return '';
  return mapping.kind === 'Claim' ? claimText(claims, mapping.claim) : evaluateText(mapping, claims, 'uid');
}

function readGroups(mapping: Extract<ClaimMappings, {kind: 'OIDC'}>['groups'], claims: Claims): readonly string[] {
  if (mapping === undefined) return [];
  if (mapping.kind === 'Expression') return texts(evaluate(mapping.expression, claims), 'the groups expression');
  const groups = texts(claims[mapping.claim], `the token's claim ${mapping.claim}`);
  return groups.map((group) => mapping.prefix + group);
}

function readExtra(
  mappings: readonly {key: string; expression: Expression}[],
  claims: Claims,
): Readonly<Record<string, readonly string[]>> {
  const extra: Record<string, readonly string[]> = {};
  for (const {key, expression} of mappings) {
    const values = texts(evaluate(expression, claims), `the expression of extra ${key}`);
    if (values.length > 0) extra[key] = values;
  }
  return extra;
}

function claimText(claims: Claims, claim: string): string {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (typeof value === 'string' && value !== '') return value;
  throw new AuthenticationError('ClaimRefused', `the token's claim ${claim} must be a text that is not empty`);
}

/** A text or a list of texts, empty ones left out, null and absent as none: as kube-apiserver converts them. */
function texts(value: unknown, what: string): readonly string[] {
  if (value === undefined || value === null || value === '') return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.every((item) => typeof item === 'string')) return list.filter((item) => item !== '');
  throw new AuthenticationError('ClaimRefused', `${what} must be a text or a list of texts`);
}

function evaluateText({expression}: MappingExpression, claims: Claims, what: string): string {
  const value = evaluate(expression, claims);
  if (typeof value === 'string') return value;
  throw new AuthenticationError('ClaimRefused', `the ${what} expression must give a text`);
}

function apply({expression, message}: ValidationRule, input: unknown): void {
  if (evaluate(expression, input) === true) return;
  const reason = message === '' ? `the rule ${expression.source} does not hold` : message;
  throw new AuthenticationError('ClaimRefused', `the token is refused: ${reason}`);
}

function evaluate(expression: Expression, input: unknown): unknown {
  try {
    return expression.evaluate(input);
  } catch (cause) {
    if (!(cause instanceof ExpressionError)) throw cause;
    const message = `the token does not fit the expression ${expression.source}: ${cause.message}`;
    throw new AuthenticationError('ClaimRefused', message, {cause});
  }
}

/**
 * Identities travel in HTTP headers (Impersonate-*): white space at an end would be trimmed there, and another name
 * would arrive; a line break would begin another header.
 */
function refuseUnsendable({username, uid, groups, extra}: Identity): void {
  for (const text of [username, uid, ...groups, ...Object.values(extra).flat()]) {
    if (text === text.trim() && text.isWellFormed() && !hasControlCharacter(text)) continue;
    const message = `the token names ${JSON.stringify(text)}: a name may have no white space at an end and no control characters`;
    throw new AuthenticationError('IdentityRefused', message);
  }
}

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}
