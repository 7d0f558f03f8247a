import type {AgentAccessPolicy} from '../../core/api/agentaccesspolicy.ts';

/** An AgentAccessPolicy as the API server serves it: with all that it fills in itself. */
export interface StoredPolicy extends AgentAccessPolicy {
  readonly metadata: NonNullable<AgentAccessPolicy['metadata']> & {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly generation: number;
  };
}

export const policyAPIVersion = 'lockkeeper.dev/v1alpha1';
export const policyKind = 'AgentAccessPolicy';

/**
 * Checks what the API server guarantees of a stored object and the operator relies on; the rest is the schema's and the
 * compiler's. Throws naming the field.
 */
export function parsePolicy(object: unknown): StoredPolicy {
  const policy = object as {metadata: Record<string, unknown>; spec?: Record<string, unknown> | null};
  for (const field of ['namespace', 'name', 'uid']) {
    const value = policy.metadata[field];
    if (typeof value !== 'string' || value === '') throw new Error(`metadata.${field} is not a string`);
  }
  if (typeof policy.metadata.generation !== 'number') throw new Error('metadata.generation is not a number');
  if (typeof policy.spec !== 'object' || policy.spec === null) throw new Error('spec is not an object');
  if (!Array.isArray(policy.spec.subjects)) throw new Error('spec.subjects is not a list');
  for (const field of ['rules', 'masking']) {
    const value = policy.spec[field];
    if (value !== undefined && !Array.isArray(value)) throw new Error(`spec.${field} is not a list`);
  }
  for (const [index, rule] of ((policy.spec.rules ?? []) as {operations?: unknown}[]).entries()) {
    if (!Array.isArray(rule?.operations)) throw new Error(`spec.rules[${index}].operations is not a list`);
  }
  return object as StoredPolicy;
}

/** `namespace/name`. */
export function policyKey({metadata: {namespace, name}}: StoredPolicy): string {
  return `${namespace}/${name}`;
}

/** API path of one policy's status. */
export function policyStatusPath({metadata: {namespace, name}}: StoredPolicy): string {
  return `/apis/${policyAPIVersion}/namespaces/${namespace}/agentaccesspolicies/${name}/status`;
}

/** API path of all policies of the cluster. */
export const policiesPath = `/apis/${policyAPIVersion}/agentaccesspolicies`;
