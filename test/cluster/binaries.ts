import {execFile} from 'node:child_process';
import {access, constants, stat} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {promisify} from 'node:util';
import {buildBinaries, kubernetesVersion} from './build.ts';
import {ClusterError} from './error.ts';

export type BinaryName =
  | 'etcd'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kubectl'
  | 'kubelet';

/** The absolute path of each binary. */
export type Binaries = Readonly<Partial<Record<BinaryName, string>>>;

export interface FindBinariesOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

const oldestMinor = 36;
/** What envtest distributes. */
const assetNames: readonly BinaryName[] = ['etcd', 'kube-apiserver', 'kubectl'];

/**
 * The binaries of `names`: from the directory that `KUBEBUILDER_ASSETS` names, else from the cache, where they are built
 * first when they are missing. What the archives that envtest distributes do not have (kube-controller-manager and what
 * a node needs) may come from the cache although `KUBEBUILDER_ASSETS` is set.
 */
export async function findBinaries<Name extends BinaryName>(
  names: readonly Name[],
  options: FindBinariesOptions,
): Promise<Readonly<Record<Name, string>>> {
  const assets = options.env.KUBEBUILDER_ASSETS;
  const found =
    assets === undefined || assets === ''
      ? await cached(names, options)
      : await fromAssets(path.resolve(assets), names, options);
  return found as Readonly<Record<Name, string>>;
}

/** kubectl of another version of Kubernetes, as `v1.28.15`; always from the cache. */
export async function findKubectl(version: string, options: FindBinariesOptions): Promise<string> {
  const {kubectl} = (await cached(['kubectl'], options, version)) as {readonly kubectl: string};
  return kubectl;
}

/** Where what is built or installed for tests is kept, outside the work tree. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  return path.join(env.XDG_CACHE_HOME || path.join(env.HOME || os.homedir(), '.cache'), 'lockkeeper');
}

async function fromAssets(
  assets: string,
  names: readonly BinaryName[],
  options: FindBinariesOptions,
): Promise<Binaries> {
  const missing = await missingIn(assets, names);
  const required = missing.filter((name) => assetNames.includes(name));
  if (required.length > 0) {
    throw new ClusterError(
      'BinariesUnavailable',
      `KUBEBUILDER_ASSETS is ${assets}, where no executable ${required.join(' and no ')} is: ` +
        'add what is missing (`setup-envtest use 1.36.x` fetches all of them), or unset it to build them with Go.',
    );
  }
  await requireRecentServer(path.join(assets, 'kube-apiserver'));
  const present = names.filter((name) => !missing.includes(name));
  return {...(await cached(missing, options)), ...inDirectory(assets, present)};
}

/** An old server fails much later and obscurely, as a kind that does not exist. */
async function requireRecentServer(apiserver: string): Promise<void> {
  const {stdout} = await promisify(execFile)(apiserver, ['--version']).catch((cause: unknown) => {
    throw new ClusterError('BinariesUnavailable', `${apiserver} (from KUBEBUILDER_ASSETS) does not run here.`, cause);
  });
  const version = /v1\.(\d+)\.\S*/.exec(stdout);
  if (version === null || Number(version[1]) < oldestMinor) {
    throw new ClusterError(
      'BinariesUnavailable',
      `${apiserver} (from KUBEBUILDER_ASSETS) is ${version?.[0] ?? stdout.trim()}: ` +
        `1.${oldestMinor} or newer is needed; unset KUBEBUILDER_ASSETS to build ${kubernetesVersion} with Go.`,
    );
  }
}

async function cached(
  names: readonly BinaryName[],
  options: FindBinariesOptions,
  version = kubernetesVersion,
): Promise<Binaries> {
  const directory = path.join(cacheDirectory(options.env), 'kubernetes', version);
  if ((await missingIn(directory, names)).length > 0) {
    await buildBinaries({...options, version, directory, missing: () => missingIn(directory, names)});
  }
  return inDirectory(directory, names);
}

async function missingIn(directory: string, names: readonly BinaryName[]): Promise<BinaryName[]> {
  const executable = await Promise.all(names.map((name) => isExecutableFile(path.join(directory, name))));
  return names.filter((_, index) => !executable[index]);
}

export async function isExecutableFile(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

function inDirectory(directory: string, names: readonly BinaryName[]): Binaries {
  return Object.fromEntries(names.map((name) => [name, path.join(directory, name)]));
}
