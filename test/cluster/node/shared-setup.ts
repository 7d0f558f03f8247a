import {type StartedCluster, startCluster} from '../start.ts';
import {nodeUnavailable} from './available.ts';
import {sharedNodeClusterVariable} from './shared.ts';

declare global {
  /** jest gives its setup and its teardown nothing in common but the global object. */
  var lockkeeperSharedNodeCluster: StartedCluster | undefined;
}

/** jest's globalSetup of the tests that share a cluster with a node. */
export default async function setup(): Promise<void> {
  // The tests then say so themselves, by describeWithNode.
  if ((await nodeUnavailable()) !== undefined) return;
  const cluster = await startCluster({
    node: true,
    auditPolicy: {apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{level: 'Metadata'}]},
    log: (line) => process.stderr.write(`${line}\n`),
  });
  globalThis.lockkeeperSharedNodeCluster = cluster;
  process.env[sharedNodeClusterVariable] = cluster.dataDirectory;
}
