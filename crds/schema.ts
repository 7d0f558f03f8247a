import {parse} from 'yaml';

/** The part of the OpenAPI v3 schema of a CustomResourceDefinition that types and reference are made from. */
export interface Schema {
  title?: string;
  description?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  pattern?: string;
  enum?: string[];
  default?: unknown;
  required?: string[];
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  items?: Schema;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-validations'?: {rule: string; message: string}[];
}

export interface CustomResource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly schema: Schema;
}

/**
 * Takes the text of a CustomResourceDefinition. The schema's form is not checked here: the API server does that
 * (structural schemas), and it has the last word.
 *
 * @throws Error where the text is no CustomResourceDefinition with exactly one version.
 */
export function parseCustomResource(text: string, source: string): CustomResource {
  const document = parse(text) as {
    kind?: string;
    spec?: {
      group: string;
      names: {kind: string; plural: string; shortNames?: string[]};
      versions: {name: string; schema: {openAPIV3Schema: Schema}}[];
    };
  } | null;
  const [version, ...others] = document?.spec?.versions ?? [];
  if (document?.kind !== 'CustomResourceDefinition' || !document.spec || !version || others.length > 0) {
    throw new Error(`${source}: must be one CustomResourceDefinition with exactly one version`);
  }
  const {group, names} = document.spec;
  return {
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    shortNames: names.shortNames ?? [],
    schema: version.schema.openAPIV3Schema,
  };
}
