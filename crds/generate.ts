/**
 * Makes core/api/*.ts and docs/reference/api.md from the CustomResourceDefinitions beside this file.
 *
 *   node crds/generate.ts           writes them
 *   node crds/generate.ts --check   writes nothing, and exits with 1 where one is stale
 */
import {execFileSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {referenceOf} from './reference.ts';
import {parseCustomResource} from './schema.ts';
import {typesOf} from './typescript.ts';

const root = path.resolve(import.meta.dirname, '..');
const kinds = [
  {definition: 'crds/agentaccesspolicies.yaml', types: 'core/api/agentaccesspolicy.ts'},
  {definition: 'crds/accessrequests.yaml', types: 'core/api/accessrequest.ts'},
];

const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

function formatted(file: string, text: string): string {
  const biome = path.join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
  return execFileSync(process.execPath, [biome, 'format', `--stdin-file-path=${file}`], {
    cwd: root,
    input: text,
    encoding: 'utf8',
  });
}

const resources = kinds.map(({definition, types}) => ({
  definition,
  types,
  resource: parseCustomResource(read(definition), definition),
}));
const generated = new Map<string, string>();
for (const {definition, types, resource} of resources) {
  generated.set(types, formatted(types, await typesOf(resource, definition)));
}
generated.set('docs/reference/api.md', referenceOf(resources.map(({resource}) => resource)));

if (process.argv.includes('--check')) {
  const stale = [...generated].filter(([file, text]) => read(file) !== text).map(([file]) => file);
  if (stale.length > 0) {
    console.error(`stale: ${stale.join(', ')}: run npm run generate`);
    process.exitCode = 1;
  }
} else {
  for (const [file, text] of generated) writeFileSync(path.join(root, file), text);
}
