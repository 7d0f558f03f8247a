import type {Body} from '../request/body.ts';
import {fields, last, merged, text, unwrapped} from '../request/protobuf.ts';

/**
 * Which namespace a SelfSubjectRulesReview asks about: `spec.namespace`, by JSON or by protobuf, field 1 of field 2.
 *
 * Source: k8s.io/api authorization/v1 generated.proto.
 *
 * @returns undefined where it asks about none, or cannot be read
 */
export function namespaceOfReview(body: Body): string | undefined {
  switch (body.kind) {
    case 'Empty':
      return undefined;
    case 'JSON': {
      const {spec} = (body.value ?? {}) as {spec?: {namespace?: unknown} | null};
      const namespace = spec?.namespace;
      return typeof namespace === 'string' && namespace !== '' ? namespace : undefined;
    }
    case 'Opaque':
      return inProtobuf(body.canonical);
  }
}

function inProtobuf(bytes: Uint8Array): string | undefined {
  try {
    const unknown = unwrapped(bytes);
    return (unknown && text(last(merged(fields(last(unknown.get(2))).get(2)).get(1)))) || undefined;
  } catch {
    return undefined;
  }
}
