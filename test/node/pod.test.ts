import {beforeAll, expect, test} from '@jest/globals';
import type {Cluster} from '../cluster/cluster.ts';
import {describeWithNode} from '../cluster/node/describe.ts';
import {startPod} from '../cluster/node/pod.ts';
import {sharedNodeCluster} from '../cluster/node/shared.ts';

describeWithNode('a pod on the node', () => {
  let cluster: Cluster;
  let namespace: string;

  beforeAll(async () => {
    cluster = sharedNodeCluster();
    namespace = await cluster.createNamespace('pod');
    await startPod(cluster, {namespace, name: 'box'});
  }, 60_000);

  test('runs what kubectl exec asks of it', async () => {
    expect(await cluster.mustKubectl(['exec', '-n', namespace, 'box', '--', 'hostname'])).toBe('box\n');
  });
});
