import './shared-setup.ts';

/** jest's globalTeardown of the tests that share a cluster with a node. */
export default async function teardown(): Promise<void> {
  await globalThis.lockkeeperSharedNodeCluster?.stop();
}
