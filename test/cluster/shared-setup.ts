import {sharedClusterVariable} from './shared.ts';
import {type StartedCluster, startCluster} from './start.ts';

declare global {
  /** jest gives its setup and its teardown nothing in common but the global object. */
  var lockkeeperSharedCluster: StartedCluster | undefined;
}

/** jest's globalSetup of the tests that share a cluster. */
export default async function setup(): Promise<void> {
  const cluster = await startCluster({
    controllerManager: true,
    auditPolicy: {apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{level: 'Metadata'}]},
    log: (line) => process.stderr.write(`${line}\n`),
  });
  globalThis.lockkeeperSharedCluster = cluster;
  process.env[sharedClusterVariable] = cluster.dataDirectory;
}
