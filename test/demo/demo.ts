/**
 * `make demo`: brings everything up, plays the PCI story, takes everything down.
 */
import {mkdtemp, rm} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {startLocal} from '../environment/local.ts';
import {tellStory} from './story.ts';

const say = (line: string) => process.stdout.write(`${line}\n`);
const {values} = parseArgs({options: {kubeconfig: {type: 'string'}}});

const directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-demo-'));
try {
  const local = await startLocal({directory, kubeconfig: values.kubeconfig, log: say});
  try {
    await tellStory(local, say);
  } finally {
    await local.stop();
  }
  say(`
That was all of it, on a real API server. What to try next:
  make run                       keeps everything up and writes .lockkeeper/{agent,approver,admin}.kubeconfig
  make run KUBECONFIG=file       the same against a cluster of yours
  examples/pci/                  the policies that you just saw at work
  docs/                          how to write policies, approve, and read the record`);
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await rm(directory, {recursive: true, force: true});
}
