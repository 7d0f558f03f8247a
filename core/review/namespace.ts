import type {Body} from '../request/body.ts';

/** Which namespace a SelfSubjectRulesReview asks about; undefined where it asks about none, or cannot be read. */
export function namespaceOfReview(body: Body): string | undefined {
  switch (body.kind) {
    case 'Empty':
    case 'Opaque':
      return undefined;
    case 'JSON': {
      const {spec} = (body.value ?? {}) as {spec?: {namespace?: unknown} | null};
      const namespace = spec?.namespace;
      return typeof namespace === 'string' && namespace !== '' ? namespace : undefined;
    }
  }
}
