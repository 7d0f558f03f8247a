import {execFile} from 'node:child_process';
import path from 'node:path';
import {promisify} from 'node:util';
import {expect, test} from '@jest/globals';

const rootDirectory = path.resolve(import.meta.dirname, '../../..');
const needsNode = path.join(import.meta.dirname, '../testdata/needs-node.ts');

interface Results {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** The one test of testdata/needs-node.ts, run where nothing is installed. */
async function runWithoutTools(env: NodeJS.ProcessEnv): Promise<Results['testResults'][0]['assertionResults'][0]> {
  const config = {rootDir: rootDirectory, transform: {}, extensionsToTreatAsEsm: ['.ts'], testMatch: [needsNode]};
  const jest = path.join(rootDirectory, 'node_modules/jest/bin/jest.js');
  const args = ['--experimental-vm-modules', jest, `--config=${JSON.stringify(config)}`, '--json', '--watchman=false'];
  const options = {cwd: rootDirectory, env: {PATH: '/nonexistent', ...env}};
  // jest fails where the test does; its results come either way.
  const {stdout} = await promisify(execFile)(process.execPath, args, options).catch((error: {stdout: string}) => error);
  const [result] = (JSON.parse(stdout) as Results).testResults[0]?.assertionResults ?? [];
  if (result === undefined) throw new Error(`jest ran no test: ${stdout}`);
  return result;
}

test('where no node can run, a test that needs one is skipped, and its name says why', async () => {
  expect(await runWithoutTools({})).toMatchObject({
    status: 'pending',
    fullName: expect.stringMatching(
      /^exec \(skipped: A node needs .*containerd.*apt-get install .*containerd.* as root\.\) runs a command$/,
    ),
  });
}, 60_000);

test('where a node is required, it fails instead and says what is missing', async () => {
  expect(await runWithoutTools({LOCKKEEPER_REQUIRE_NODE: '1'})).toMatchObject({
    status: 'failed',
    fullName: 'exec',
    failureMessages: [expect.stringContaining('apt-get install --no-install-recommends containerd')],
  });
}, 60_000);
