import type {CustomResource, Schema} from './schema.ts';

/** The reference page of all kinds, as Markdown. */
export function referenceOf(resources: readonly CustomResource[]): string {
  const sections = resources.map((resource) => {
    const {group, version, kind, plural, shortNames, schema} = resource;
    return [
      `## ${kind}`,
      `\`apiVersion: ${group}/${version}\`, \`kind: ${kind}\`; \`kubectl get ${plural}\`${shortNames.map((name) => ` or \`${name}\``).join('')}.`,
      escaped(schema.description ?? ''),
      ...Object.entries(schema.properties ?? {}).flatMap(([name, property]) => objects(`${kind}.${name}`, property)),
    ].join('\n\n');
  });
  return [
    '<!-- Generated from crds/ by `npm run generate`. Do not edit. -->',
    '# API reference',
    'The same text is at hand in the terminal: `kubectl explain aap.spec.rules` and so on.',
    ...sections,
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

/** One section for this object and for each object below it, outermost first. */
function objects(at: string, schema: Schema): string[] {
  if (schema.items) return objects(`${at}[]`, schema.items);
  if (!schema.properties) return [];
  const required = new Set(schema.required);
  const rows = Object.entries(schema.properties).map(
    ([name, property]) =>
      `| \`${name}\` | ${typeOf(property)}${required.has(name) && property.default === undefined ? ', required' : ''} | ${descriptionOf(property)} |`,
  );
  return [
    `### ${escaped(at)}`,
    escaped(schema.description ?? ''),
    ...bullets(schema),
    ['| field | type | description |', '|---|---|---|', ...rows].join('\n'),
    ...Object.entries(schema.properties).flatMap(([name, property]) => objects(`${at}.${name}`, property)),
  ];
}

function bullets(schema: Schema): string[] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  return rules.length === 0 ? [] : [['Rules:\n', ...rules.map(({message}) => `- ${escaped(message)}`)].join('\n')];
}

function typeOf(schema: Schema): string {
  if (schema.items) {
    const keys = schema['x-kubernetes-list-map-keys'];
    const kind = keys
      ? `, one for each ${keys.join(', ')}`
      : schema['x-kubernetes-list-type'] === 'set'
        ? ', no duplicates'
        : '';
    return `list of ${typeOf(schema.items)}${range(schema.minItems, schema.maxItems, 'entries')}${kind}`;
  }
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(' \\| ');
  if (schema.format === 'date-time') return 'time (RFC 3339)';
  const length = schema.type === 'string' ? range(schema.minLength, schema.maxLength, 'characters') : '';
  return `${schema.type ?? 'any'}${length}${range(schema.minimum, schema.maximum, '')}`;
}

function range(least: number | undefined, most: number | undefined, unit: string): string {
  const bound =
    least !== undefined && most !== undefined
      ? `${least} to ${most}`
      : most !== undefined
        ? `at most ${most}`
        : least !== undefined
          ? `at least ${least}`
          : '';
  return bound && ` (${[bound, unit].filter(Boolean).join(' ')})`;
}

function descriptionOf(schema: Schema): string {
  const byDefault = schema.default === undefined ? '' : ` Default: \`${String(schema.default)}\`.`;
  const rules = [schema, schema.items ?? {}]
    .filter(({properties}) => !properties)
    .flatMap((each) => each['x-kubernetes-validations'] ?? [])
    .map(({message}) => ` Rule: ${escaped(message)}.`);
  return `${escaped(schema.description ?? '')}${byDefault}${rules.join('')}`;
}

/** For Markdown text, table cells included. */
function escaped(text: string): string {
  return text.replace(/[\\`*_[\]<>|]/g, '\\$&');
}
