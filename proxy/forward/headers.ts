import type {IncomingHttpHeaders} from 'node:http';
import type {Agent} from '../../core/request/agent.ts';

/*
 * The request headers that reach the API server. A list of what may pass, not of what may not: neither a header that
 * `Connection` names (CVE-2021-31999), nor an inbound Impersonate-*, X-Remote-* or Authorization, nor one that is
 * invented tomorrow can add to or take from what the proxy says of the caller.
 */
const forwarded = [
  'content-encoding',
  'content-type',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'kubectl-command',
  'kubectl-session',
  'traceparent',
  'tracestate',
  'user-agent',
] as const;

/** Response headers that end at this hop (RFC 9110, 7.6.1), or that HTTP/2 forbids. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Who the API server is told the caller is: impersonation for the gateway, nothing for a sidecar. */
export type IdentityHeaders = (agent: Agent) => readonly string[];

/** A sidecar forwards as its pod's own ServiceAccount: the credential alone says who calls. */
export const ownIdentity: IdentityHeaders = () => [];

/**
 * Impersonation headers for an agent as a flat name, value array, made once for each cached token.
 *
 * A ServiceAccount is impersonated by its name alone: the API server adds its groups itself.
 * Source: k8s.io/apiserver pkg/endpoints/filters/impersonation.
 */
export function impersonation(): IdentityHeaders {
  const cache = new WeakMap<Agent, readonly string[]>();
  return (agent) => {
    let headers = cache.get(agent);
    if (headers === undefined) {
      headers = impersonationHeaders(agent);
      cache.set(agent, headers);
    }
    return headers;
  };
}

function impersonationHeaders(agent: Agent): readonly string[] {
  const headers = ['impersonate-user', headerBytes(agent.username)];
  if (agent.uid !== '') headers.push('impersonate-uid', headerBytes(agent.uid));
  if (agent.serviceAccount === undefined) {
    for (const group of agent.groups) headers.push('impersonate-group', headerBytes(group));
  }
  for (const [key, values] of Object.entries(agent.extra)) {
    for (const value of values) {
      headers.push(`impersonate-extra-${headerKey(key)}`, headerBytes(value));
    }
  }
  return headers;
}

/** As k8s.io/client-go escapes the keys of extras: all that may not stand in a header's name, and `%`. */
function headerKey(key: string): string {
  return encodeURIComponent(key).replaceAll('(', '%28').replaceAll(')', '%29').toLowerCase();
}

/** Go reads header values as bytes; Node writes strings as latin1. */
function headerBytes(value: string): string {
  return Buffer.from(value, 'utf8').toString('latin1');
}

/** Flat name, value array for the call upstream: what may pass of the agent's headers, and what the proxy says itself. */
export function upstreamHeaders(
  inbound: IncomingHttpHeaders,
  identity: readonly string[],
  own: {readonly authorization: string; readonly accept: string | undefined; readonly auditID: string},
): string[] {
  const headers: string[] = [
    ...identity,
    'audit-id',
    own.auditID,
    'accept-encoding',
    'identity',
    'authorization',
    own.authorization,
  ];
  if (own.accept !== undefined) headers.push('accept', own.accept);
  for (const name of forwarded) {
    const value = inbound[name];
    if (typeof value === 'string') headers.push(name, value);
  }
  return headers;
}

/** The upstream's response headers without those that end at this hop, as a flat name, value array. */
export function downstreamHeaders(upstream: IncomingHttpHeaders): string[] {
  const headers: string[] = [];
  const connection = upstream.connection;
  const named = connection === undefined || connection === 'keep-alive' ? undefined : tokens(connection);
  for (const name in upstream) {
    if (hopByHop.has(name) || name.startsWith(':') || named?.has(name)) continue;
    const value = upstream[name];
    if (typeof value === 'string') headers.push(name, value);
    else if (value !== undefined) for (const one of value) headers.push(name, one);
  }
  return headers;
}

function tokens(list: string): ReadonlySet<string> {
  return new Set(list.split(',').map((token) => token.trim().toLowerCase()));
}
