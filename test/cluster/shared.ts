/**
 * One cluster for the tests under `test/integration/`. jest starts it before the first of them
 * (shared-setup.ts, with kube-controller-manager and the API server's audit log) and ends it after the last; unit tests
 * do not start it. The files run in parallel in processes of their own, so each works in namespaces of its own, and names
 * cluster-scoped objects after them:
 *
 *     const cluster = sharedCluster();
 *     const namespace = await cluster.createNamespace('masking');   // masking-1f0c9a2e
 *     await cluster.mustKubectl(['apply', '-f', '-'], {input: manifest});
 *     const agent = await cluster.kubeconfigFor({user: 'agent:reader', groups: ['ai-agents']});
 *     const {code, stdout, stderr} = await cluster.kubectl(['get', 'pods', '-n', namespace], {kubeconfig: agent});
 *     const token = await cluster.serviceAccountToken({namespace, name: 'default', audience: 'lockkeeper', expirationSeconds: 600});
 *
 * `cluster.serverURL`, `cluster.ca` and `cluster.adminClient` serve clients that are no kubectl. Whoever needs a cluster
 * of its own calls `startCluster` of start.ts, and `stop` in the end.
 */
import {Cluster} from './cluster.ts';

/** The environment variable by which shared-setup.ts tells jest's workers the cluster's data directory. */
export const sharedClusterVariable = 'LOCKKEEPER_TEST_CLUSTER';

/** The cluster that this jest run shares. */
export function sharedCluster(): Cluster {
  const dataDirectory = process.env[sharedClusterVariable];
  if (dataDirectory === undefined) {
    throw new Error('Only tests under test/integration/, run by jest, have the shared cluster.');
  }
  return Cluster.open(dataDirectory);
}
