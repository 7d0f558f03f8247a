import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {afterEach, beforeEach, expect, test} from '@jest/globals';
import {findBinaries} from './binaries.ts';

let directory: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-test-'));
  // A machine with nothing: no Go in the path, an empty cache.
  env = {PATH: path.join(directory, 'bin'), XDG_CACHE_HOME: path.join(directory, 'cache')};
});

afterEach(() => rm(directory, {recursive: true, force: true}));

async function executable(file: string, script = ''): Promise<string> {
  await mkdir(path.dirname(file), {recursive: true});
  await writeFile(file, `#!/bin/sh\n${script}\n`, {mode: 0o755});
  return file;
}

function asset(name: string, script?: string): Promise<string> {
  return executable(path.join(directory, 'assets', name), script);
}

const log = (): void => {};
const envtest = ['etcd', 'kube-apiserver', 'kubectl'] as const;

test('with neither Go nor KUBEBUILDER_ASSETS the error names both ways', async () => {
  const found = findBinaries(envtest, {env, log});
  await expect(found).rejects.toMatchObject({code: 'BinariesUnavailable'});
  await expect(found).rejects.toThrow(/needs etcd, kube-apiserver, kubectl: install Go .* or set KUBEBUILDER_ASSETS/);
});

test('binaries come from KUBEBUILDER_ASSETS where it is set', async () => {
  const etcd = await asset('etcd');
  const apiserver = await asset('kube-apiserver', 'echo Kubernetes v1.36.1');
  const kubectl = await asset('kubectl');
  const found = await findBinaries(envtest, {env: {...env, KUBEBUILDER_ASSETS: `${directory}/assets`}, log});
  expect(found).toEqual({etcd, 'kube-apiserver': apiserver, kubectl});
});

test.each([
  {present: ['etcd', 'kubectl'], named: 'no executable kube-apiserver is'},
  {present: ['kube-apiserver'], named: 'no executable etcd and no kubectl is'},
])('a binary that KUBEBUILDER_ASSETS lacks is named: $named', async ({present, named}) => {
  for (const name of present) await asset(name, 'echo Kubernetes v1.36.1');
  const found = findBinaries(envtest, {env: {...env, KUBEBUILDER_ASSETS: `${directory}/assets`}, log});
  await expect(found).rejects.toMatchObject({code: 'BinariesUnavailable'});
  await expect(found).rejects.toThrow(named);
});

test.each([
  {what: 'a file that cannot be executed', make: (file: string) => writeFile(file, '', {mode: 0o644})},
  {what: 'a folder', make: (file: string) => mkdir(file)},
])('$what is no binary', async ({make}) => {
  await asset('kube-apiserver', 'echo Kubernetes v1.36.1');
  await asset('kubectl');
  await make(path.join(directory, 'assets', 'etcd'));
  const found = findBinaries(envtest, {env: {...env, KUBEBUILDER_ASSETS: `${directory}/assets`}, log});
  await expect(found).rejects.toThrow('no executable etcd is');
});

test.each([
  {script: 'echo Kubernetes v1.35.9', says: 'is v1.35.9: 1.36 or newer is needed'},
  {script: 'exit 126', says: 'does not run here'},
])('an API server in KUBEBUILDER_ASSETS that cannot serve is refused: $says', async ({script, says}) => {
  for (const name of envtest) await asset(name, script);
  const found = findBinaries(envtest, {env: {...env, KUBEBUILDER_ASSETS: `${directory}/assets`}, log});
  await expect(found).rejects.toMatchObject({code: 'BinariesUnavailable'});
  await expect(found).rejects.toThrow(says);
});

test.each(['kube-controller-manager', 'kube-scheduler', 'kubelet'] as const)(
  '%s comes from the cache when KUBEBUILDER_ASSETS lacks it, as what envtest distributes does',
  async (name) => {
    for (const present of envtest) await asset(present, 'echo Kubernetes v1.36.1');
    const cached = await executable(`${env.XDG_CACHE_HOME}/lockkeeper/kubernetes/v1.36.3/${name}`);
    const found = await findBinaries([...envtest, name], {
      env: {...env, KUBEBUILDER_ASSETS: `${directory}/assets`},
      log,
    });
    expect(found[name]).toBe(cached);
    expect(found.etcd).toBe(path.join(directory, 'assets', 'etcd'));
  },
);
