import type {AccessRequest} from '../../core/api/accessrequest.ts';

/**
 * Checks what the API server guarantees of a stored AccessRequest and the operator relies on; the rest is the schema's.
 * Throws naming the field.
 */
export function parseAccessRequest(object: unknown): AccessRequest {
  const {metadata, spec} = object as {metadata: Record<string, unknown>; spec?: Record<string, unknown> | null};
  if (typeof metadata.namespace !== 'string' || metadata.namespace === '') {
    throw new Error('metadata.namespace is not a string');
  }
  if (typeof spec !== 'object' || spec === null) throw new Error('spec is not an object');
  for (const field of ['agent', 'operation', 'request', 'policy']) {
    if (typeof spec[field] !== 'object' || spec[field] === null) throw new Error(`spec.${field} is not an object`);
  }
  if (typeof spec.digest !== 'string' || spec.digest === '') throw new Error('spec.digest is not a string');
  if (typeof spec.expiresAt !== 'string' || Number.isNaN(Date.parse(spec.expiresAt))) {
    throw new Error('spec.expiresAt is not a time');
  }
  return object as AccessRequest;
}
