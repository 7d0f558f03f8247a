import {execFile} from 'node:child_process';
import {mkdtemp, readdir, rm} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';
import {afterAll, beforeAll, expect, test} from '@jest/globals';
import {Cluster} from './cluster.ts';
import {describeWithNode} from './node/describe.ts';
import {startPod} from './node/pod.ts';
import {processesIn} from './testdata/processes.ts';
import {nodeTraces} from './testdata/traces.ts';

let workTree: string;

beforeAll(async () => {
  workTree = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-test-'));
});

afterAll(async () => {
  await keep('down');
  await rm(workTree, {recursive: true, force: true});
});

async function keep(command: 'up' | 'up --node' | 'down', env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const script = path.join(import.meta.dirname, 'keep.ts');
  return (await promisify(execFile)(process.execPath, [script, ...command.split(' ')], {cwd: workTree, env})).stdout;
}

test('a cluster that cannot be had is one sentence, and nothing is left', async () => {
  const env = {PATH: '/nonexistent', XDG_CACHE_HOME: path.join(workTree, 'cache')};
  await expect(keep('up', env)).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^The local cluster needs etcd, .*install Go.*KUBEBUILDER_ASSETS.*\n$/),
  });
  expect(await keep('down')).toBe('No cluster is running.\n');
  expect(await readdir(workTree)).toEqual([]);
});

test('a cluster outlives the command that started it, is started once, and ends with no trace', async () => {
  const [first, second] = await Promise.all([keep('up'), keep('up')]);
  const data = path.join(workTree, '.lockkeeper/cluster/data');
  const {serverURL} = Cluster.open(data);
  expect([first, second].map((text) => text.split('\n').find((line) => line.startsWith('The cluster'))).sort()).toEqual(
    ['The cluster is running already.', 'The cluster is running.'],
  );
  for (const text of [first, second]) {
    expect(text).toContain(serverURL);
    expect(text).toContain('export KUBECONFIG=$PWD/.lockkeeper/cluster/data/admin.kubeconfig');
  }
  expect(await Cluster.open(data).mustKubectl(['get', '--raw', '/readyz'])).toBe('ok');
  expect(processesIn(workTree)).toBeGreaterThan(0);
  await expect(keep('up --node')).rejects.toMatchObject({
    stderr: 'The cluster that is running has no node: end it first (make cluster-down).\n',
  });

  expect(await keep('down')).toBe('The cluster is gone.\n');
  expect(await readdir(workTree)).toEqual([]);
  // Between the last thing that a process does and its end; jest's own limit ends the wait for one that stays.
  while (processesIn(workTree) > 0) await sleep(20);
}, 120_000);

describeWithNode('a cluster with a node', () => {
  test('outlives the command that started it, and ends with no trace', async () => {
    const text = await keep('up --node');
    const cluster = Cluster.open(path.join(workTree, '.lockkeeper/cluster/data'));
    expect(text).toContain(`from pods:   ${cluster.node?.hostAddress} is this machine`);
    await startPod(cluster, {namespace: 'default', name: 'box'});
    expect(await cluster.mustKubectl(['exec', 'box', '--', 'hostname'])).toBe('box\n');
    const left = nodeTraces(cluster.dataDirectory);

    expect(await keep('down')).toBe('The cluster is gone.\n');
    expect(await readdir(workTree)).toEqual([]);
    expect(left()).toEqual({processes: [], links: [], cgroups: []});
  }, 120_000);
});
