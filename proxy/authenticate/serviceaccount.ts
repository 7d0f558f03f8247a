import type {Claims, Identity} from './claims.ts';
import {AuthenticationError} from './errors.ts';

const subject = /^system:serviceaccount:([^:]+):([^:]+)$/;

/**
 * The ServiceAccount that a token of the cluster's own issuer speaks for. Its `kubernetes.io` claim must name the same
 * one as `sub`; tokens without that claim are not bound to a ServiceAccount's uid, and are refused.
 *
 * @throws {AuthenticationError}
 */
export function serviceAccountIdentity(claims: Claims): Identity {
  const {sub} = claims;
  const match = typeof sub === 'string' ? subject.exec(sub) : null;
  const [username = '', namespace = '', name = ''] = match ?? [];
  const bound = boundTo(claims['kubernetes.io']);
  if (match === null || bound?.namespace !== namespace || bound.name !== name || bound.uid === '') {
    throw new AuthenticationError('IdentityRefused', "the token of the cluster's own issuer names no ServiceAccount");
  }
  return {
    username,
    uid: bound.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra: {},
    serviceAccount: {namespace, name},
  };
}

function boundTo(claim: unknown): {namespace: unknown; name: unknown; uid: string} | undefined {
  if (!isObject(claim) || !isObject(claim.serviceaccount)) return undefined;
  const {name, uid} = claim.serviceaccount;
  return {namespace: claim.namespace, name, uid: typeof uid === 'string' ? uid : ''};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
