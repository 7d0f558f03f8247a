/**
 * One cluster with a node for the tests under `test/node/`, as shared.ts has one without for `test/integration/`: started
 * once for a jest run and used by all files at once, each in namespaces of its own. Where no node can run, the tests
 * are skipped; `LOCKKEEPER_REQUIRE_NODE=1` makes them fail.
 *
 *     describeWithNode('exec', () => {
 *       let cluster: Cluster;
 *       let namespace: string;
 *
 *       beforeAll(async () => {
 *         cluster = sharedNodeCluster();
 *         namespace = await cluster.createNamespace('exec');
 *         await startPod(cluster, {namespace, name: 'box'});        // busybox, Ready; see pod.ts
 *       });
 *
 *       test('gives what the command printed', async () => {
 *         expect(await cluster.mustKubectl(['exec', '-n', namespace, 'box', '--', 'echo', 'hello'])).toBe('hello\n');
 *       });
 *     });
 *
 * `cluster.serverURL` serves this machine and the pods alike. Pods reach a server of the test's own when it listens at
 * `cluster.node.hostAddress`, and the test reaches a pod at its `status.podIP`.
 */
import {Cluster} from '../cluster.ts';

/** The environment variable by which shared-setup.ts tells jest's workers the cluster's data directory. */
export const sharedNodeClusterVariable = 'LOCKKEEPER_TEST_NODE_CLUSTER';

/** The cluster with a node that this jest run shares; to be called inside `describeWithNode`, in a hook or a test. */
export function sharedNodeCluster(): Cluster {
  const dataDirectory = process.env[sharedNodeClusterVariable];
  if (dataDirectory === undefined) {
    throw new Error('Only tests under test/node/, run by jest on a machine that can run a node, have its cluster.');
  }
  return Cluster.open(dataDirectory);
}
