import {compile} from 'json-schema-to-typescript';
import type {CustomResource, Schema} from './schema.ts';

/** Types that every kind shares and that core/api/meta.ts holds: the title in the schema, or the property's name. */
const sharedTypes: Readonly<Record<string, string>> = {metadata: 'ObjectMeta', StatusCondition: 'StatusCondition'};
const descriptionColumns = 100;

/** TypeScript interfaces for one kind, not yet formatted. Titles in the schema become the interfaces' names. */
export async function typesOf(resource: CustomResource, source: string): Promise<string> {
  const body = await compile(annotated(resource.schema), resource.kind, {
    additionalProperties: false,
    bannerComment: '',
    format: false,
    ignoreMinAndMaxItems: true,
    unknownAny: true,
  });
  return [
    `// Generated from ${source} by \`npm run generate\`. Do not edit.`,
    "import type {ObjectMeta, StatusCondition} from './meta.ts';",
    '',
    "export type {ObjectMeta, StatusCondition} from './meta.ts';",
    '',
    body,
  ].join('\n');
}

type Annotated = Parameters<typeof compile>[0];

/** The schema with what json-schema-to-typescript wants to know: references to shared types, wrapped descriptions. */
function annotated(schema: Schema, property?: string): Annotated {
  const shared = sharedTypes[schema.title ?? ''] ?? sharedTypes[property ?? ''];
  if (shared) return {tsType: shared};
  const description = schema.description && wrap(schema.description.replaceAll('*/', '*\\/'));
  return {
    ...(schema.title && {title: schema.title}),
    ...(schema.type && {type: schema.type}),
    ...(schema.enum && {enum: schema.enum}),
    ...(schema.required && {required: schema.required}),
    ...(description && {description}),
    ...(schema.properties && {
      properties: Object.fromEntries(
        Object.entries(schema.properties).map(([name, value]) => [name, annotated(value, name)]),
      ),
    }),
    ...(schema.items && {items: annotated(schema.items)}),
  };
}

function wrap(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= descriptionColumns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}
