import {spawn} from 'node:child_process';
import {readdir} from 'node:fs/promises';
import os from 'node:os';
import {expect, test} from '@jest/globals';
import {root} from '../environment/environment.ts';
import {eventually} from '../eventually.ts';
import {runningUnder} from './processes.ts';

test('the demo tells its story to the end and leaves no process and no directory behind', async () => {
  const before = await demoDirectories();
  const demo = spawn(process.execPath, ['test/demo/demo.ts'], {
    cwd: root,
    detached: true,
    env: {...process.env, KUBECONFIG: ''},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  const code = await new Promise((resolve, reject) => {
    demo.once('error', reject);
    demo.once('close', resolve);
  });

  expect(output).toContain('That was all of it');
  expect(code).toBe(0);
  const directory = /lockkeeper-demo-\w+/.exec(output)?.[0];
  expect(directory).toBeDefined();
  // Everything that the demo starts is given its directory or a data directory of its own on the command line.
  await eventually(async () => expect(await runningUnder(demo.pid ?? 0, directory ?? '')).toEqual([]));
  expect(await demoDirectories()).toEqual(before);
}, 180_000);

async function demoDirectories(): Promise<string[]> {
  return (await readdir(os.tmpdir())).filter((name) => name.startsWith('lockkeeper-demo-')).sort();
}
