/**
 * Makes core/api/*.ts, docs/reference/api.md and the schema by which the command line checks policies, from the
 * CustomResourceDefinitions beside this file.
 *
 *   node crds/generate.ts           writes them
 *   node crds/generate.ts --check   writes nothing, and exits with 1 where one is stale
 */
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {writeOrCheck} from '../docs/generated.ts';
import {checkedSchema} from './checked.ts';
import {referenceOf} from './reference.ts';
import {parseCustomResource} from './schema.ts';
import {typesOf} from './typescript.ts';

const root = path.resolve(import.meta.dirname, '..');
const kinds = [
  {definition: 'crds/agentaccesspolicies.yaml', types: 'core/api/agentaccesspolicy.ts'},
  {definition: 'crds/accessrequests.yaml', types: 'core/api/accessrequest.ts'},
];

const resources = kinds.map(({definition, types}) => ({
  definition,
  types,
  resource: parseCustomResource(readFileSync(path.join(root, definition), 'utf8'), definition),
}));
const generated = new Map<string, string>();
for (const {definition, types, resource} of resources) {
  generated.set(types, await typesOf(resource, definition));
}
const [policies] = resources;
if (policies !== undefined)
  generated.set('cli/policy/schema.ts', checkedSchema(policies.resource, policies.definition));
generated.set('docs/reference/api.md', referenceOf(resources.map(({resource}) => resource)));

writeOrCheck(generated);
