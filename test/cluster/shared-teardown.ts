import './shared-setup.ts';

/** jest's globalTeardown of the tests that share a cluster. */
export default async function teardown(): Promise<void> {
  await globalThis.lockkeeperSharedCluster?.stop();
}
