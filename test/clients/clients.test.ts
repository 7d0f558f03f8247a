import {readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {afterAll, beforeAll, expect, jest, test} from '@jest/globals';
import {clientsPage, keyOf} from '../../docs/clients.ts';
import {describeUnless, describeWithNode} from '../cluster/node/describe.ts';
import {startPod} from '../cluster/node/pod.ts';
import {allowEverything, configMap, namespace, Stack, tokenByPlugin} from '../e2e/stack.ts';
import {behaviours, found, pod, refusal} from './behaviours.ts';
import {callsOf} from './client.ts';
import {clients} from './clients.ts';
import {type InstalledClient, Trial} from './trial.ts';

jest.setTimeout(120_000);

const installMilliseconds = 20 * 60_000;
const page = path.resolve(import.meta.dirname, '../../docs/clients.md');
const runnable = await Promise.all(clients.map(async (client) => ({client, cannot: await client.unavailable?.()})));

describeWithNode('clients', () => {
  /** What was tried with success; what this machine cannot try is taken from the page. */
  const proven = new Set<string>();
  let stack: Stack;

  beforeAll(async () => {
    const {subjects, rules = []} = allowEverything();
    const policy = {subjects, rules: [...rules, refusal], masking: [{name: 'cards', detector: 'PAN' as const}]};
    stack = await Stack.start({node: true, policies: {everything: policy}});
    await startPod(stack.cluster, {namespace, ...pod});
    const input = JSON.stringify(configMap(found.name, found.data));
    await stack.cluster.mustKubectl(['create', '-f', '-'], {input});
  });
  afterAll(() => stack?.stop());

  for (const {client, cannot} of runnable) {
    if (cannot !== undefined) for (const call of callsOf(client)) proven.add(keyOf(client, call));
    describeUnless(cannot, client.name, () => {
      let installed: InstalledClient;
      beforeAll(async () => {
        installed = {client, program: await client.install(), token: await tokenByPlugin(stack.kubeconfig)};
      }, installMilliseconds);
      test.each(callsOf(client))('$ability over $transport', async (call) => {
        const trial = new Trial(stack, installed, call);
        try {
          await behaviours[call.ability](trial);
        } finally {
          await trial.end();
        }
        proven.add(keyOf(client, call));
      });
    });
  }

  test('docs/clients.md says what this run has shown', async () => {
    const shown = clientsPage(clients, proven);
    if (process.env.LOCKKEEPER_WRITE_CLIENTS) await writeFile(page, shown);
    expect(await readFile(page, 'utf8')).toBe(shown);
  });
});
