import {execFile} from 'node:child_process';
import {mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {promisify} from 'node:util';
import type {BinaryName} from './binaries.ts';
import {ClusterError} from './error.ts';
import {withLock} from './lock.ts';

/** The Kubernetes that tests and the demo run on. Its staging modules have the same minor and patch under v0. */
export const kubernetesVersion = 'v1.36.3';
const etcdVersion = 'v3.6.16';

export interface BuildOptions {
  /** Of Kubernetes; `kubernetesVersion` unless given. */
  readonly version?: string;
  /** Where the binaries are put, each in one step when it is complete. */
  readonly directory: string;
  /** What is not there yet; asked again once no other process is building. */
  readonly missing: () => Promise<readonly BinaryName[]>;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

/** Builds the missing binaries from their Go modules. Two processes that do so at once build once. */
export async function buildBinaries(options: BuildOptions): Promise<void> {
  const {directory, log, version = kubernetesVersion} = options;
  const go = goCommand(options.env);
  await requireGo(go, await options.missing());
  await mkdir(directory, {recursive: true});
  await withLock(`${directory}.lock`, log, async () => {
    const missing = await options.missing();
    if (missing.length === 0) return;
    log(`Building ${missing.join(', ')} (${version}) with Go into ${directory}: once, some minutes.`);
    await removeRemains(directory);
    const work = await mkdtemp(path.join(directory, '.build-'));
    try {
      for (const name of missing) {
        log(`Building ${name}...`);
        await (name === 'etcd' ? buildEtcd(go, work) : buildKubernetes(go, work, name, version));
        await rename(path.join(work, name), path.join(directory, name));
      }
    } finally {
      await rm(work, {recursive: true, force: true});
    }
  });
}

/** Of a build that was killed, which may be somebody's Ctrl-C. */
async function removeRemains(directory: string): Promise<void> {
  const remains = (await readdir(directory)).filter((name) => name.startsWith('.build-'));
  for (const name of remains) await rm(path.join(directory, name), {recursive: true, force: true});
}

/** Runs `go` in a directory and gives its standard output. */
type Go = (directory: string, args: readonly string[]) => Promise<string>;

function goCommand(env: NodeJS.ProcessEnv): Go {
  return async (cwd, args) => {
    const {stdout} = await promisify(execFile)('go', args, {
      cwd,
      env: {...env, CGO_ENABLED: '0', GOWORK: 'off'},
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  };
}

async function requireGo(go: Go, missing: readonly BinaryName[]): Promise<void> {
  try {
    await go('/', ['version']);
  } catch (cause) {
    throw new ClusterError(
      'BinariesUnavailable',
      `The local cluster needs ${missing.join(', ')}: install Go (https://go.dev/dl) and they are built once, ` +
        'or set KUBEBUILDER_ASSETS to a directory that has them (`setup-envtest use -p path 1.36.x` prints one).',
      cause,
    );
  }
}

async function buildKubernetes(go: Go, work: string, name: BinaryName, version: string): Promise<void> {
  const module = path.join(work, 'kubernetes-module');
  await mkdir(module, {recursive: true});
  await runGo(name, async () => {
    const downloaded = await go(module, ['mod', 'download', '-json', `k8s.io/kubernetes@${version}`]);
    const {GoMod} = JSON.parse(downloaded) as {GoMod: string};
    await writeFile(path.join(module, 'go.mod'), kubernetesGoMod(await readFile(GoMod, 'utf8'), version));
    // Without the version stamped in, clients take the server for v0.0.0 and misjudge what it can do.
    const [major, minor] = version.slice(1).split('.');
    const stamps = {gitVersion: version, gitMajor: major, gitMinor: minor};
    const flags = Object.entries(stamps).map(([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`);
    await go(module, build(path.join(work, name), `k8s.io/kubernetes/cmd/${name}`, flags));
  });
}

async function buildEtcd(go: Go, work: string): Promise<void> {
  const module = path.join(work, 'etcd-module');
  await mkdir(module, {recursive: true});
  await runGo('etcd', async () => {
    await writeFile(path.join(module, 'go.mod'), 'module lockkeeper.dev/cluster\n');
    await go(module, ['get', `go.etcd.io/etcd/server/v3@${etcdVersion}`]);
    await go(module, build(path.join(work, 'etcd'), 'go.etcd.io/etcd/server/v3', []));
  });
}

function build(output: string, packagePath: string, linkerFlags: readonly string[]): readonly string[] {
  return ['build', '-mod=mod', '-ldflags', ['-s', '-w', ...linkerFlags].join(' '), '-o', output, packagePath];
}

/**
 * A go.mod from which `k8s.io/kubernetes` builds as a dependency: its own go.mod replaces every staging module by a
 * folder of its repository, and `replace` has no effect in a dependency.
 */
export function kubernetesGoMod(goMod: string, version = kubernetesVersion): string {
  const goVersion = /^go (\S+)$/m.exec(goMod)?.[1];
  const staging = [...goMod.matchAll(/^\s*(?:replace )?(k8s\.io\/\S+) => \.\/staging\//gm)].map((match) => match[1]);
  if (goVersion === undefined || staging.length === 0) {
    throw new ClusterError('BuildFailed', `The go.mod of k8s.io/kubernetes ${version} names no staging module.`);
  }
  const stagingVersion = version.replace(/^v1\./, 'v0.');
  return [
    'module lockkeeper.dev/cluster',
    `go ${goVersion}`,
    `require k8s.io/kubernetes ${version}`,
    ...staging.map((name) => `replace ${name} => ${name} ${stagingVersion}`),
    '',
  ].join('\n');
}

/** Go's own last words say what is wrong (its version, the network, the disk). */
async function runGo(name: BinaryName, steps: () => Promise<void>): Promise<void> {
  try {
    await steps();
  } catch (cause) {
    if (cause instanceof ClusterError) throw cause;
    const stderr = (cause as {stderr?: string}).stderr?.trim().split('\n').slice(-5).join('\n');
    throw new ClusterError('BuildFailed', `Building ${name} with Go failed: ${stderr || String(cause)}`, cause);
  }
}
