import {createHash} from 'node:crypto';
import type {BundlePolicy} from './bundle.ts';

/** Lower-case hex sha256 over the canonical JSON of what decides: the root namespace and the policies. */
export function bundleHash(content: {
  readonly rootNamespace: string;
  readonly policies: readonly BundlePolicy[];
}): string {
  const {rootNamespace, policies} = content;
  return createHash('sha256').update(canonicalJSON({rootNamespace, policies})).digest('hex');
}

/** JSON with object keys sorted by code unit (the ordering of RFC 8785) and no white space. */
function canonicalJSON(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member) ? sortedByKey(member) : member,
  );
}

/** Without a prototype, so that a key named `__proto__` stays a key; integer-like keys do not occur in a bundle. */
function sortedByKey(object: object): object {
  const sorted: Record<string, unknown> = Object.create(null);
  for (const [key, member] of Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))) {
    sorted[key] = member;
  }
  return sorted;
}
