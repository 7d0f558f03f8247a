import {mkdir, mkdtemp, readdir, readFile, writeFile} from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {findBinaries} from './binaries.ts';
import {type CertificatePair, createAuthority, createServiceAccountKeys, issueCertificate} from './certificates.ts';
import {Cluster} from './cluster.ts';
import {
  apiServerArguments,
  type ClusterFiles,
  clusterFiles,
  controllerManagerArguments,
  etcdArguments,
} from './control-plane.ts';
import {ClusterError} from './error.ts';
import {clientKubeconfig} from './kubeconfig.ts';
import {isReady} from './ready.ts';
import {Supervisor} from './supervise.ts';

export interface StartClusterOptions {
  /** Runs kube-controller-manager too: ServiceAccounts in new namespaces, garbage collection, namespace deletion. */
  readonly controllerManager?: boolean;
  /** An `audit.k8s.io/v1` Policy; without one the API server writes no audit log. */
  readonly auditPolicy?: object;
  /** Of the API server on 127.0.0.1; a free one unless given. */
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

const readySeconds = 60;
const portAttempts = 3;

/**
 * Starts etcd and kube-apiserver on 127.0.0.1 and waits until they serve: `/readyz` says so and the ServiceAccount
 * `default` of the namespace `default` exists, which pods are refused without.
 *
 * @throws {ClusterError} and leaves nothing behind.
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<StartedCluster> {
  const log = options.log ?? (() => {});
  const controllerManager = options.controllerManager ?? false;
  const binaries = await findBinaries(
    ['etcd', 'kube-apiserver', 'kubectl', ...(controllerManager ? (['kube-controller-manager'] as const) : [])],
    {env: process.env, log},
  );
  const dataDirectory = await prepareDataDirectory(options.dataDirectory);
  const files = clusterFiles(dataDirectory);
  await mkdir(files.logs);
  const supervisor = new Supervisor(dataDirectory, files.logs);
  try {
    const pki = await writePki(files);
    if (options.auditPolicy) await writeFile(files.auditPolicy, JSON.stringify(options.auditPolicy));

    supervisor.start('etcd', binaries.etcd, etcdArguments());
    const port = await startApiServer(supervisor, binaries['kube-apiserver'], pki, options);
    const serverURL = `https://127.0.0.1:${port}`;

    await writeKubeconfigs(files, serverURL, pki);
    await writeFile(files.description, JSON.stringify({serverURL, kubectlPath: binaries.kubectl}));
    const cluster = new StartedCluster(Cluster.open(dataDirectory), supervisor);
    if (controllerManager) {
      supervisor.start('kube-controller-manager', binaries['kube-controller-manager'], controllerManagerArguments());
    }
    await awaitDefaultServiceAccount(cluster, supervisor, controllerManager);
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

interface Pki {
  readonly authority: CertificatePair;
  readonly admin: CertificatePair;
  readonly controllerManager: CertificatePair;
}

async function writePki(files: ClusterFiles): Promise<Pki> {
  const [authority, serviceAccount] = await Promise.all([createAuthority('lockkeeper'), createServiceAccountKeys()]);
  const client = (user: string, ...groups: string[]): Promise<CertificatePair> =>
    issueCertificate(authority, {usage: 'client', user, groups});
  const [apiserver, admin, controllerManager, frontProxy] = await Promise.all([
    issueCertificate(authority, {
      usage: 'server',
      names: ['kubernetes.default.svc', 'kubernetes.default', 'kubernetes', 'localhost'],
      addresses: ['127.0.0.1'],
    }),
    client('admin', 'system:masters'),
    client('system:kube-controller-manager'),
    client('front-proxy'),
  ]);
  await mkdir(files.pki, {mode: 0o700});
  await mkdir(files.users, {mode: 0o700});
  const write = (name: string, content: string): Promise<void> =>
    writeFile(path.join(files.pki, name), content, {mode: 0o600});
  const writePair = async (name: string, pair: CertificatePair): Promise<void> => {
    await write(`${name}.crt`, pair.certificate);
    await write(`${name}.key`, pair.key);
  };
  await Promise.all([
    writePair('ca', authority),
    writePair('apiserver', apiserver),
    writePair('admin', admin),
    writePair('front-proxy', frontProxy),
    write('service-account.key', serviceAccount.privateKey),
    write('service-account.pub', serviceAccount.publicKey),
  ]);
  return {authority, admin, controllerManager};
}

async function writeKubeconfigs(files: ClusterFiles, serverURL: string, pki: Pki): Promise<void> {
  const write = (file: string, user: string, client: CertificatePair): Promise<void> =>
    writeFile(file, clientKubeconfig(serverURL, pki.authority.certificate, user, client), {mode: 0o600});
  await write(files.adminKubeconfig, 'admin', pki.admin);
  await write(files.controllerManagerKubeconfig, 'system:kube-controller-manager', pki.controllerManager);
}

/** Gives the port. A free port may be taken by somebody else before kube-apiserver listens on it: then another. */
async function startApiServer(
  supervisor: Supervisor,
  binary: string,
  pki: Pki,
  options: StartClusterOptions,
): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(options.port ?? 0);
    supervisor.start('kube-apiserver', binary, apiServerArguments(port, options.auditPolicy !== undefined));
    try {
      await until(supervisor, 'kube-apiserver is not ready', () =>
        isReady({port, ca: pki.authority.certificate, ...pki.admin}),
      );
      return port;
    } catch (error) {
      const lost = error instanceof ClusterError && error.message.includes('address already in use');
      if (!lost || options.port !== undefined || attempt === portAttempts) throw error;
    }
  }
}

function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'EADDRINUSE' ? 'is in use by another process' : `cannot be used (${cause.message})`;
      reject(new ClusterError('PortInUse', `Port ${wanted} of 127.0.0.1 ${reason}: choose another one.`, cause));
    });
    server.listen(wanted, '127.0.0.1', () => {
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

/** Tries `attempt` until it gives true; a process that ended meanwhile, or a minute gone by, is an error. */
async function until(supervisor: Supervisor, problem: string, attempt: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + readySeconds * 1000;
  while (!(await attempt())) {
    const exited = supervisor.firstExited();
    if (exited !== undefined) {
      const words = await lastWords(supervisor.logPath(exited.name));
      throw new ClusterError('ProcessExited', `${exited.name} ended (${exited.reason}): ${words}`);
    }
    if (performance.now() > deadline) {
      throw new ClusterError('NotReady', `The local cluster: ${problem} after ${readySeconds} seconds.`);
    }
    await sleep(100);
  }
}

async function lastWords(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n');
  return lines.slice(-3).join('\n');
}
