import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {beforeAll, describe, expect, test} from '@jest/globals';
import {parse, stringify} from 'yaml';
import type {AgentAccessPolicy} from '../../core/api/agentaccesspolicy.ts';
import {compilePolicies} from '../../core/policy/compile.ts';
import {sharedCluster} from '../cluster/shared.ts';
import {eventually} from '../eventually.ts';

const root = path.resolve(import.meta.dirname, '../..');
const cluster = sharedCluster();
let namespace: string;

/** What a reader would copy: every fenced block of YAML that holds an object of Lockkeeper's. */
const policies = ['README.md', ...readdirSync(path.join(root, 'docs')).map((file) => `docs/${file}`)]
  .filter((file) => file.endsWith('.md'))
  .flatMap((file) =>
    [...readFileSync(path.join(root, file), 'utf8').matchAll(/^```yaml\n(.*?)^```$/gms)]
      .map(([, block = '']) => block)
      .filter((block) => block.includes('apiVersion: lockkeeper.dev/'))
      .map((block): {title: string; policy: AgentAccessPolicy} => {
        const policy = parse(block) as AgentAccessPolicy;
        return {title: `${policy.metadata?.name} of ${file}`, policy};
      }),
  );

beforeAll(async () => {
  await cluster.mustKubectl(['apply', '--server-side', '--force-conflicts', '-f', path.join(root, 'crds')]);
  await cluster.mustKubectl(['wait', '--for=condition=Established', 'crd/agentaccesspolicies.lockkeeper.dev']);
  namespace = await cluster.createNamespace('docs');
}, 60_000);

describe('the policies in the documentation', () => {
  test('are found', () => {
    expect(policies.length).toBeGreaterThan(0);
  });

  test.each(policies)('$title is taken by the API server', async ({policy}) => {
    const input = stringify({...policy, metadata: {...policy.metadata, namespace}});
    const args = ['apply', '--dry-run=server', '--validate=strict', '-f', '-'];
    // A kind that was just made known is not served everywhere at once.
    await eventually(async () => expect(await cluster.kubectl(args, {input})).toMatchObject({code: 0, stderr: ''}), 5);
  });

  test.each(policies)('$title compiles', ({policy}) => {
    const {problems} = compilePolicies([policy], {rootNamespace: 'lockkeeper-system', revision: '1'});
    expect([...problems]).toEqual([]);
  });
});
