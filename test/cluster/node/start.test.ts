import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, beforeAll, expect, test} from '@jest/globals';
import {type StartedCluster, startCluster} from '../start.ts';
import {machineState, nodeTraces} from '../testdata/traces.ts';
import {describeWithNode} from './describe.ts';
import {startPod} from './pod.ts';

const startMilliseconds = 120_000;
const nothing = {processes: [], links: [], cgroups: []};

describeWithNode('two clusters with a node at once', () => {
  const before = machineState();
  let clusters: StartedCluster[];

  beforeAll(async () => {
    clusters = await Promise.all([startCluster({node: true}), startCluster({node: true})]);
    await Promise.all(clusters.map((cluster) => startPod(cluster, {namespace: 'default', name: 'box'})));
  }, startMilliseconds);

  afterAll(() => Promise.all(clusters.map((cluster) => cluster.stop())));

  test('each has addresses of its own, and runs pods of its own', async () => {
    const [one, other] = clusters as [StartedCluster, StartedCluster];
    expect(one.node?.hostAddress).not.toBe(other.node?.hostAddress);
    for (const cluster of clusters) {
      expect(cluster.serverURL).toBe(`https://${cluster.node?.hostAddress}`);
      expect(await cluster.mustKubectl(['exec', 'box', '--', 'hostname'])).toBe('box\n');
    }
  });

  test('while they run they have changed nothing of the machine but processes, links and cgroups', () => {
    expect(machineState()).toEqual(before);
  });

  test('after stop, nothing is left of one and the other goes on', async () => {
    const [one, other] = clusters as [StartedCluster, StartedCluster];
    const left = nodeTraces(one.dataDirectory);
    expect(left()).not.toMatchObject(nothing);
    const running = left().processes.join('\n');
    for (const process of ['containerd-shim', 'sleep 2147483647']) expect(running).toContain(process);
    expect(left().links).toHaveLength(1);
    await one.stop();
    expect(left()).toEqual(nothing);
    expect(existsSync(one.dataDirectory)).toBe(false);
    expect(await other.mustKubectl(['exec', 'box', '--', 'hostname'])).toBe('box\n');
  });
});

describeWithNode('a cluster with a node', () => {
  test(
    'ends with the process that started it, even when that is killed while pods run',
    async () => {
      const before = machineState();
      const starter = spawn(process.execPath, [path.join(import.meta.dirname, '../testdata/start-node.ts')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await once(starter.stdout, 'data')) as [Buffer];
      const {dataDirectory} = JSON.parse(line.toString()) as {dataDirectory: string};
      const left = nodeTraces(dataDirectory);
      expect(left()).not.toMatchObject(nothing);

      starter.kill('SIGKILL');
      await once(starter, 'exit');
      // jest's own limit ends the wait for a cluster that stays.
      while (existsSync(dataDirectory)) await sleep(50);
      // The supervisor removes the directory last, and ends.
      while (left().processes.length > 0) await sleep(20);
      expect(left()).toEqual(nothing);
      expect(machineState()).toEqual(before);
    },
    startMilliseconds,
  );
});
