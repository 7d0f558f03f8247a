import type {BundlePolicy} from '../../core/policy/bundle.ts';
import {matchesSubjects} from '../../core/policy/pattern.ts';

/** A proxy, as the API server vouches for its ServiceAccount. */
export interface Caller {
  /** A gateway serves every agent; a sidecar serves the one ServiceAccount that it runs under. */
  readonly kind: 'Gateway' | 'Sidecar';
  /** `system:serviceaccount:NAMESPACE:NAME` */
  readonly username: string;
  readonly namespace: string;
  readonly name: string;
  readonly groups: readonly string[];
}

const serviceAccountUsername = /^system:serviceaccount:([^:]+):([^:]+)$/;

/**
 * The caller behind a user that the API server authenticated; undefined where that is no ServiceAccount.
 * @param gateways usernames of the gateway's ServiceAccounts
 */
export function callerOf(
  user: {readonly username: string; readonly groups: readonly string[]},
  gateways: ReadonlySet<string>,
): Caller | undefined {
  const [, namespace, name] = serviceAccountUsername.exec(user.username) ?? [];
  if (namespace === undefined || name === undefined) {
    return undefined;
  }
  const kind = gateways.has(user.username) ? 'Gateway' : 'Sidecar';
  return {kind, username: user.username, namespace, name, groups: user.groups};
}

/** Whether a caller may act on AccessRequests of that agent. */
export function servesAgent(caller: Caller, username: string): boolean {
  switch (caller.kind) {
    case 'Gateway':
      return true;
    case 'Sidecar':
      return caller.username === username;
  }
}

/** Whether a policy can concern any agent that the caller serves. */
export function servesPolicy(caller: Caller, policy: BundlePolicy): boolean {
  switch (caller.kind) {
    case 'Gateway':
      return true;
    case 'Sidecar':
      return matchesSubjects(policy.subjects, {
        username: caller.username,
        uid: '',
        groups: caller.groups,
        extra: {},
        issuer: '',
        claims: {},
        serviceAccount: {namespace: caller.namespace, name: caller.name},
        expiresAtMilliseconds: Number.POSITIVE_INFINITY,
      });
  }
}

/** The name of a proxy among all proxies. It begins with who the proxy is proven to be, so none can speak for another. */
export function proxyIdentity({namespace, name}: Caller, proxy: string): string {
  // 253 characters is what AccessRequest's status.consumedBy.proxy holds.
  return `${namespace}/${name}/${proxy}`.slice(0, 253);
}
