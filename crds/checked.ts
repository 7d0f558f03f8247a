import type {CustomResource} from './schema.ts';

/** What only people read, and the API server alone writes. */
const leftOut: ReadonlySet<string> = new Set(['title', 'description', 'format', 'reason']);

/** The source of a module with the schema by which the command line checks what an author wrote. */
export function checkedSchema({kind, schema}: CustomResource, definition: string): string {
  const {status: _, ...properties} = schema.properties ?? {};
  const name = `${kind.charAt(0).toLowerCase()}${kind.slice(1)}Schema`;
  return [
    `// Generated from ${definition} by \`npm run generate\`. Do not edit.`,
    `import type {Schema} from '../schema/schema.ts';`,
    '',
    `export const ${name}: Schema = ${JSON.stringify(stripped({...schema, properties}))};`,
    '',
  ].join('\n');
}

function stripped(schema: object): object {
  return Object.fromEntries(
    Object.entries(schema).flatMap(([name, value]) => {
      if (leftOut.has(name)) return [];
      if (name === 'properties') return [[name, mapped(value as Record<string, object>)]];
      if (Array.isArray(value)) return [[name, value.map((each) => (isObject(each) ? stripped(each) : each))]];
      return [[name, isObject(value) ? stripped(value) : value]];
    }),
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Members may be named like what is left out. */
function mapped(properties: Readonly<Record<string, object>>): object {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, stripped(schema)]));
}
