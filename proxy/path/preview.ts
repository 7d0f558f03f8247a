import {readEnvelope} from '../../core/request/envelope.ts';
import type {Operation} from '../../core/request/operation.ts';
import type {ReceivedBody} from './body.ts';

const previewLength = 8 * 1024;

/** Whether the bodies of an operation hold the values of Secrets. */
export function isSecret(operation: Operation): boolean {
  return operation.resource === 'secrets' && operation.apiGroup === '';
}

/**
 * The body as an approver and the record see it: card numbers masked, the values of Secrets left out. Whoever may read
 * an AccessRequest is not thereby somebody who may read the Secret.
 */
export function previewOf(
  {bytes, contentType, content}: ReceivedBody,
  operation: Operation,
  maskText: (text: string) => string,
): string {
  switch (content.kind) {
    case 'Empty':
      return '';
    case 'Opaque':
      return maskText(opaquePreview(bytes, contentType)).slice(0, previewLength);
    case 'JSON': {
      const text = isSecret(operation)
        ? JSON.stringify(withoutSecretValues(content.value), integers)
        : content.canonical;
      // A number cut at the end could hide from the mask: cut after masking.
      return maskText(text).slice(0, previewLength);
    }
  }
}

/** Of a body that cannot be read, which object it is, where it is Kubernetes' own encoding. */
function opaquePreview(bytes: Uint8Array, contentType: string): string {
  const size = `(${bytes.length} bytes of ${contentType})`;
  const envelope = readEnvelope(bytes);
  if (envelope === undefined) return size;
  const {apiVersion, kind, name, generateName} = envelope;
  return `${apiVersion} ${kind} ${name === '' ? `${generateName}*` : name} ${size}`;
}

/** A Secret, or a patch of one, with the length of each value in its place. */
export function withoutSecretValues(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return lengthOnly(value);
  // A JSON patch is a list of operations, each with a value of its own.
  if (Array.isArray(value)) {
    return value.map((operation) =>
      typeof operation === 'object' && operation !== null && 'value' in operation
        ? {...operation, value: lengthOnly(operation.value)}
        : lengthOnly(operation),
    );
  }
  const secret: Record<string, unknown> = {...value};
  for (const field of ['data', 'stringData'] as const) {
    const entries = secret[field];
    if (entries === undefined) continue;
    secret[field] =
      typeof entries === 'object' && entries !== null
        ? Object.fromEntries(Object.entries(entries).map(([key, entry]) => [key, lengthOnly(entry)]))
        : lengthOnly(entries);
  }
  const metadata = secret.metadata;
  if (typeof metadata === 'object' && metadata !== null && 'annotations' in metadata) {
    // `kubectl apply` keeps the whole object, values and all, in last-applied-configuration.
    secret.metadata = {...metadata, annotations: '(left out)'};
  }
  return secret;
}

function lengthOnly(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value, integers) ?? '');
  return `(${text.length} characters)`;
}

/** parseJSON gives bigint for integers that no double holds; JSON.stringify refuses them. */
function integers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
