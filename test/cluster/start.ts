import {mkdir, mkdtemp, readdir, writeFile} from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {findBinaries} from './binaries.ts';
import {Cluster, type ClusterDescription} from './cluster.ts';
import {
  apiServerArguments,
  apiServerURL,
  clusterFiles,
  controllerManagerArguments,
  etcdArguments,
  schedulerArguments,
} from './control-plane.ts';
import {ClusterError} from './error.ts';
import {type NodeNetwork, nodeName} from './node/configuration.ts';
import {requireNode, startNode} from './node/start.ts';
import {type Pki, writeKubeconfigs, writePki} from './pki.ts';
import {isReady} from './ready.ts';
import {Supervisor} from './supervise.ts';
import {until} from './until.ts';

export interface StartClusterOptions {
  /** Runs kube-controller-manager too: ServiceAccounts in new namespaces, garbage collection, namespace deletion. */
  readonly controllerManager?: boolean;
  /**
   * Runs a node too (containerd, kubelet), kube-scheduler and kube-controller-manager. Its pods use the images of
   * node/images.ts with `imagePullPolicy: Never`.
   */
  readonly node?: boolean;
  /** An `audit.k8s.io/v1` Policy; without one the API server writes no audit log. */
  readonly auditPolicy?: object;
  /** Of the API server; a free one of 127.0.0.1 unless given, and 443 of an address of its own with a node. */
  readonly port?: number;
  /** Absent or empty; removed by `stop`. A new temporary directory unless given. */
  readonly dataDirectory?: string;
  /** Told what takes long, one line at a time. */
  readonly log?: (line: string) => void;
}

/** A cluster that this process started, and that ends with it at the latest. */
export class StartedCluster extends Cluster {
  readonly #supervisor: Supervisor;

  constructor(cluster: Cluster, supervisor: Supervisor) {
    super(cluster.dataDirectory, cluster);
    this.#supervisor = supervisor;
  }

  /** Ends every process, waits for their end, and removes the data directory. */
  async stop(): Promise<void> {
    await this.#supervisor.stop();
  }
}

const portAttempts = 3;

/**
 * Starts etcd and kube-apiserver on 127.0.0.1 and waits until they serve: `/readyz` says so and the ServiceAccount
 * `default` of the namespace `default` exists, which pods are refused without. With a node: until pods can run on it.
 *
 * @throws {ClusterError} and leaves nothing behind.
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<StartedCluster> {
  const log = options.log ?? (() => {});
  const withNode = options.node ?? false;
  const controllerManager = withNode || (options.controllerManager ?? false);
  if (withNode) await requireNode();
  const binaries = await findBinaries(
    [
      'etcd',
      'kube-apiserver',
      'kubectl',
      ...(controllerManager ? (['kube-controller-manager'] as const) : []),
      ...(withNode ? (['kube-scheduler', 'kubelet'] as const) : []),
    ],
    {env: process.env, log},
  );
  const dataDirectory = await prepareDataDirectory(options.dataDirectory);
  const files = clusterFiles(dataDirectory);
  await mkdir(files.logs);
  const supervisor = new Supervisor(dataDirectory, files.logs);
  try {
    const node = withNode ? await startNode(supervisor, dataDirectory, binaries.kubelet) : undefined;
    const pki = await writePki(files, node?.network);
    if (options.auditPolicy) await writeFile(files.auditPolicy, JSON.stringify(options.auditPolicy));

    supervisor.start('etcd', binaries.etcd, etcdArguments());
    const serverURL = await startApiServer(supervisor, binaries['kube-apiserver'], pki, options, node?.network);

    await writeKubeconfigs(files, serverURL, pki);
    const description: ClusterDescription = {
      serverURL,
      kubectlPath: binaries.kubectl,
      node: node && {name: nodeName, hostAddress: node.network.hostAddress},
    };
    await writeFile(files.description, JSON.stringify(description));
    const cluster = new StartedCluster(Cluster.open(dataDirectory), supervisor);
    if (controllerManager) {
      supervisor.start(
        'kube-controller-manager',
        binaries['kube-controller-manager'],
        controllerManagerArguments(withNode),
      );
    }
    if (node) {
      supervisor.start('kube-scheduler', binaries['kube-scheduler'], schedulerArguments());
      await node.startKubelet(serverURL, pki.authority);
    }
    await awaitDefaultServiceAccount(cluster, supervisor, controllerManager);
    if (node) await awaitNode(cluster, supervisor);
    return cluster;
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
}

async function prepareDataDirectory(given: string | undefined): Promise<string> {
  if (given === undefined) return mkdtemp(path.join(os.tmpdir(), 'lockkeeper-cluster-'));
  const directory = path.resolve(given);
  await mkdir(directory, {recursive: true, mode: 0o700});
  if ((await readdir(directory)).length > 0) {
    throw new ClusterError(
      'DataDirectoryNotEmpty',
      `The cluster's data directory ${directory} has files in it: name an empty or absent one, it is removed at the end.`,
    );
  }
  return directory;
}

/** Gives the URL. A free port may be taken by somebody else before kube-apiserver listens on it: then another. */
async function startApiServer(
  supervisor: Supervisor,
  binary: string,
  pki: Pki,
  options: StartClusterOptions,
  network: NodeNetwork | undefined,
): Promise<string> {
  const address = network?.hostAddress ?? '127.0.0.1';
  const wanted = options.port ?? (network ? 443 : 0);
  const audited = options.auditPolicy !== undefined;
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(address, wanted);
    const url = apiServerURL(address, port);
    supervisor.start('kube-apiserver', binary, apiServerArguments({address, port, audited, network}));
    try {
      await until(supervisor, 'kube-apiserver is not ready', () =>
        isReady({url, ca: pki.authority.certificate, ...pki.admin}),
      );
      return url;
    } catch (error) {
      const lost = error instanceof ClusterError && error.message.includes('address already in use');
      if (!lost || wanted !== 0 || attempt === portAttempts) throw error;
    }
  }
}

function freePort(address: string, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'EADDRINUSE' ? 'is in use by another process' : `cannot be used (${cause.message})`;
      reject(new ClusterError('PortInUse', `Port ${wanted} of ${address} ${reason}: choose another one.`, cause));
    });
    server.listen(wanted, address, () => {
      const {port} = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function awaitDefaultServiceAccount(
  cluster: Cluster,
  supervisor: Supervisor,
  controllerManager: boolean,
): Promise<void> {
  const serviceAccount = ['serviceaccount', 'default', '--namespace=default'];
  await until(supervisor, 'the ServiceAccount default/default does not exist', async () => {
    const verb = controllerManager ? 'get' : 'create';
    const {code, stderr} = await cluster.kubectl([verb, ...serviceAccount]);
    return code === 0 || stderr.includes('AlreadyExists');
  });
}

/** Ready, and free of the taint that a node has until kube-controller-manager has seen that it is. */
async function awaitNode(cluster: Cluster, supervisor: Supervisor): Promise<void> {
  await until(supervisor, 'the node is not ready', async () => {
    const {code, stdout} = await cluster.kubectl(['get', 'node', nodeName, '--output=json']);
    if (code !== 0) return false;
    const {spec, status} = JSON.parse(stdout) as {
      spec: {taints?: unknown};
      status: {conditions?: readonly {type: string; status: string}[]};
    };
    const ready = status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
    return ready === true && spec.taints === undefined;
  });
}
