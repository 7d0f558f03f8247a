import type {ClaimMappings, MappingExpression, PrefixedClaim, ValidationRule} from './configuration.ts';
import {compileExpression, type Expression, ExpressionError, type Variable} from './expression.ts';
import type {Fields} from './fields.ts';

/** In front of every username that is no ServiceAccount's, unless the configuration names another prefix. */
export const defaultUsernamePrefix = 'agent:';

/** Names that Kubernetes keeps for itself. */
export const reservedPrefix = 'system:';

const mappingFields = ['username', 'groups', 'uid', 'extra'] as const;

/**
 * Reads `claimMappings` by the rules of kube-apiserver's `validateClaimMappings`, and Lockkeeper's own for prefixes.
 *
 * @param claimRules the issuer's, which may be where `claims.email_verified` is looked at
 */
export function readMappings(
  authenticator: Fields,
  isServiceAccountIssuer: boolean,
  claimRules: readonly ValidationRule[],
): ClaimMappings {
  const fields = authenticator.mapping('claimMappings', mappingFields);
  if (isServiceAccountIssuer) {
    if (fields !== undefined) refuseServiceAccountMappings(fields);
    return {kind: 'ServiceAccount'};
  }
  const none: ClaimMappings = {
    kind: 'OIDC',
    username: {kind: 'Claim', claim: '', prefix: ''},
    groups: undefined,
    uid: undefined,
    extra: [],
  };
  if (fields === undefined) {
    authenticator.problem('claimMappings', 'is required: at least username, for example {username: {claim: sub}}');
    return none;
  }
  const username = readUsername(fields);
  const mappings: ClaimMappings = {
    ...none,
    ...(username && {username}),
    groups: readGroups(fields),
    uid: readUID(fields),
    extra: readExtra(fields),
  };
  refuseUnverifiedEmail(fields, mappings, claimRules);
  return mappings;
}

/** Compiles the expression of a field; undefined where that is a problem. */
export function readExpression(
  fields: Fields,
  name: string,
  variable: Variable,
  types: readonly string[],
): Expression | undefined {
  try {
    return compileExpression(fields.text(name) ?? '', variable, types);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    fields.problem(name, `is no valid CEL expression: ${error.message}`);
    return undefined;
  }
}

/** kube-apiserver's own mapping may be written out; nothing else, as it says which ServiceAccount calls. */
function refuseServiceAccountMappings(fields: Fields): void {
  const username = fields.mapping('username', ['claim', 'prefix', 'expression']);
  const isDefault = username?.text('claim') === 'sub' && (username.text('prefix') ?? '') === '';
  const others = ['groups', 'uid', 'extra'].filter((name) => fields.has(name));
  if (others.length > 0 || !isDefault || username.has('expression')) {
    fields.problem('', "must be left out for the cluster's own issuer: its tokens say which ServiceAccount calls");
  }
}

function readUsername(mappings: Fields): PrefixedClaim | MappingExpression | undefined {
  const fields = mappings.mapping('username', ['claim', 'prefix', 'expression']);
  if (fields === undefined) {
    mappings.problem('username', 'is required, for example {claim: sub}');
    return undefined;
  }
  const mapping = readClaimOrExpression(fields, ['string']);
  if (mapping === undefined) {
    if (!fields.has('claim') && !fields.has('expression')) fields.problem('', 'claim or expression is required');
    return undefined;
  }
  if (mapping.kind === 'Expression') return mapping;
  const prefix = fields.text('prefix') ?? defaultUsernamePrefix;
  if (prefix === '') {
    fields.problem(
      'prefix',
      `must not be empty, or an agent could bear a person's name; ${defaultUsernamePrefix} is usual`,
    );
  } else if (prefix.startsWith(reservedPrefix)) {
    fields.problem('prefix', `must not begin with ${reservedPrefix}, which Kubernetes keeps for itself`);
  }
  return {...mapping, prefix};
}

function readGroups(mappings: Fields): PrefixedClaim | MappingExpression | undefined {
  const fields = mappings.mapping('groups', ['claim', 'prefix', 'expression']);
  const mapping = fields && readClaimOrExpression(fields, ['string', 'list', 'null_type']);
  if (fields === undefined || mapping === undefined) return undefined;
  if (mapping.kind === 'Expression') return mapping;
  const prefix = fields.text('prefix');
  if (prefix === undefined) fields.problem('prefix', 'is required beside claim; set it to "" for none');
  else if (prefix.startsWith(reservedPrefix)) {
    fields.problem('prefix', `must not begin with ${reservedPrefix}, which Kubernetes keeps for itself`);
  }
  return {...mapping, prefix: prefix ?? ''};
}

function readUID(mappings: Fields): {kind: 'Claim'; claim: string} | MappingExpression | undefined {
  const fields = mappings.mapping('uid', ['claim', 'expression']);
  return fields && readClaimOrExpression(fields, ['string']);
}

function readClaimOrExpression(
  fields: Fields,
  types: readonly string[],
): {kind: 'Claim'; claim: string} | MappingExpression | undefined {
  const claim = fields.text('claim') ?? '';
  const source = fields.text('expression') ?? '';
  if (claim !== '' && source !== '') {
    fields.problem('', 'claim and expression cannot both be set');
    return undefined;
  }
  if (claim !== '') return {kind: 'Claim', claim};
  if (source === '') return undefined;
  if (fields.has('prefix')) fields.problem('prefix', 'cannot be set beside expression; write it into the expression');
  const expression = readExpression(fields, 'expression', 'claims', types);
  return expression && {kind: 'Expression', expression};
}

function readExtra(mappings: Fields): readonly {key: string; expression: Expression}[] {
  const extra: {key: string; expression: Expression}[] = [];
  const seen = new Set<string>();
  for (const fields of mappings.mappings('extra', ['key', 'valueExpression'])) {
    const key = fields.requiredText('key', 'example.com/tenant');
    if (key !== '') checkExtraKey(fields, key);
    if (seen.has(key)) fields.problem('key', `${key} is there twice`);
    seen.add(key);
    if (fields.requiredText('valueExpression', 'claims.tenant') === '') continue;
    const expression = readExpression(fields, 'valueExpression', 'claims', ['string', 'list', 'null_type']);
    if (expression !== undefined) extra.push({key, expression});
  }
  return extra;
}

/** `IsDomainPrefixedPath` of apimachinery, lower case, and not one of Kubernetes' own domains. */
function checkExtraKey(fields: Fields, key: string): void {
  const slash = key.indexOf('/');
  const domain = key.slice(0, Math.max(slash, 0));
  const path = key.slice(slash + 1);
  const label = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
  if (
    !new RegExp(`^${label}(?:\\.${label})*$`).test(domain) ||
    domain.length > 253 ||
    !/^[a-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path)
  ) {
    fields.problem('key', `must be a lower-case domain, "/" and a path, such as example.com/tenant, not ${key}`);
  }
  if (/(?:^|\.)(?:kubernetes|k8s)\.io$/.test(domain)) {
    fields.problem('key', 'must not be in kubernetes.io or k8s.io, which Kubernetes keeps for itself');
  }
}

/** Whoever takes the email for a name must look at whether the issuer verified it (KEP-3331). */
function refuseUnverifiedEmail(
  fields: Fields,
  mappings: Extract<ClaimMappings, {kind: 'OIDC'}>,
  claimRules: readonly ValidationRule[],
): void {
  const {username, extra} = mappings;
  if (username.kind !== 'Expression' || !username.expression.selectsClaim('email')) return;
  const lookers = [
    username.expression,
    ...extra.map(({expression}) => expression),
    ...claimRules.map(({expression}) => expression),
  ];
  if (!lookers.some((expression) => expression.selectsClaim('email_verified'))) {
    const where = 'in it, in an extra valueExpression or in a claimValidationRules expression';
    fields.problem('username.expression', `uses claims.email, so claims.email_verified must be used too: ${where}`);
  }
}
