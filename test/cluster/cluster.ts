import {spawn} from 'node:child_process';
import {createHash, randomUUID} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {rename, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {type CertificatePair, issueCertificate} from './certificates.ts';
import {type ClusterFiles, clusterFiles, serviceAccountIssuer} from './control-plane.ts';
import {ClusterError} from './error.ts';
import {clientKubeconfig} from './kubeconfig.ts';

/** What `cluster.json` says of a running cluster; all else follows from the layout of its data directory. */
export interface ClusterDescription {
  readonly serverURL: string;
  readonly kubectlPath: string;
  /** Absent where the cluster has no node. */
  readonly node?: NodeDescription | undefined;
}

export interface NodeDescription {
  readonly name: string;
  /**
   * This machine's address on the node's network: pods reach what listens there, the API server among it, and it is the
   * address of the Service `kubernetes`.
   */
  readonly hostAddress: string;
}

export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running cluster, seen by any process that can read its data directory. */
export class Cluster {
  readonly dataDirectory: string;
  /** `https://127.0.0.1:<port>`; with a node `https://<hostAddress>`, which serves this machine and the pods. */
  readonly serverURL: string;
  readonly kubectlPath: string;
  readonly node: NodeDescription | undefined;
  /** The `iss` of ServiceAccount tokens. Its discovery document is served at `serverURL`. */
  readonly serviceAccountIssuer: string = serviceAccountIssuer;
  /** The cluster's CA (PEM): it signs the server's certificate and every client's. */
  readonly caPath: string;
  readonly ca: string;
  /** A client certificate in `system:masters`. */
  readonly adminClient: CertificatePair;
  /** kubeconfig of `adminClient`. */
  readonly kubeconfigPath: string;
  /** The API server's own audit log; written when the cluster was started with an audit policy. */
  readonly auditLogPath: string;
  readonly #files: ClusterFiles;

  constructor(dataDirectory: string, description: ClusterDescription) {
    this.#files = clusterFiles(dataDirectory);
    this.dataDirectory = dataDirectory;
    this.serverURL = description.serverURL;
    this.kubectlPath = description.kubectlPath;
    this.node = description.node;
    this.caPath = this.#pki('ca.crt');
    this.ca = readFileSync(this.caPath, 'utf8');
    this.adminClient = this.#pair('admin');
    this.kubeconfigPath = this.#files.adminKubeconfig;
    this.auditLogPath = this.#files.auditLog;
  }

  /** The running cluster whose data directory this is. */
  static open(dataDirectory: string): Cluster {
    const description = JSON.parse(readFileSync(clusterFiles(dataDirectory).description, 'utf8'));
    return new Cluster(dataDirectory, description as ClusterDescription);
  }

  /**
   * Runs kubectl to its end, as the administrator unless another kubeconfig is given; `input` is its standard input.
   * A failing kubectl is a result, not an error.
   */
  kubectl(
    args: readonly string[],
    options: {readonly kubeconfig?: string; readonly input?: string} = {},
  ): Promise<KubectlResult> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.kubectlPath, args, {env: this.kubectlEnvironment(options.kubeconfig)});
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
      child.once('error', reject);
      child.once('close', (code, signal) => {
        if (code === null) reject(new ClusterError('KubectlFailed', `kubectl was ended by ${signal}.`));
        else resolve({code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString()});
      });
      // kubectl may end without reading its input.
      child.stdin.on('error', () => {});
      child.stdin.end(options.input ?? '');
    });
  }

  /** Like `kubectl`, but gives the standard output alone and throws when kubectl fails. */
  async mustKubectl(
    args: readonly string[],
    options: {readonly kubeconfig?: string; readonly input?: string} = {},
  ): Promise<string> {
    const {code, stdout, stderr} = await this.kubectl(args, options);
    if (code !== 0) throw new ClusterError('KubectlFailed', `kubectl ${args.join(' ')} failed: ${stderr.trim()}`);
    return stdout;
  }

  /** The environment in which kubectl neither reads nor writes anything below `~/.kube`; for who runs it directly. */
  kubectlEnvironment(kubeconfig = this.kubeconfigPath): NodeJS.ProcessEnv {
    return {
      PATH: process.env.PATH,
      HOME: this.dataDirectory,
      KUBECONFIG: kubeconfig,
      KUBECACHEDIR: this.#files.kubectlCache,
      KUBERC: 'off',
    };
  }

  /** The path of a kubeconfig that authenticates as `user` in `groups` by a client certificate. */
  async kubeconfigFor(identity: {readonly user: string; readonly groups?: readonly string[]}): Promise<string> {
    const {user, groups = []} = identity;
    const client = await issueCertificate(this.#pair('ca'), {usage: 'client', user, groups});
    const digest = createHash('sha256')
      .update(JSON.stringify([user, groups]))
      .digest('hex')
      .slice(0, 16);
    const file = path.join(this.#files.users, `${user.replace(/[^\w.-]+/g, '-')}-${digest}.kubeconfig`);
    const temporary = `${file}.${randomUUID()}`;
    await writeFile(temporary, clientKubeconfig(this.serverURL, this.ca, user, client), {mode: 0o600});
    await rename(temporary, file);
    return file;
  }

  /** A token of a ServiceAccount that exists, by TokenRequest; the API server allows no less than 600 seconds. */
  async serviceAccountToken(request: {
    readonly namespace: string;
    readonly name: string;
    readonly audience: string;
    readonly expirationSeconds: number;
  }): Promise<string> {
    const {namespace, name, audience, expirationSeconds} = request;
    const flags = [`--namespace=${namespace}`, `--audience=${audience}`, `--duration=${expirationSeconds}s`];
    return (await this.mustKubectl(['create', 'token', name, ...flags])).trim();
  }

  /** A new namespace whose name begins with `prefix`. */
  async createNamespace(prefix: string): Promise<string> {
    const name = `${prefix}-${randomUUID().slice(0, 8)}`;
    await this.mustKubectl(['create', 'namespace', name]);
    return name;
  }

  #pki(name: string): string {
    return path.join(this.#files.pki, name);
  }

  #pair(name: string): CertificatePair {
    return {
      certificate: readFileSync(this.#pki(`${name}.crt`), 'utf8'),
      key: readFileSync(this.#pki(`${name}.key`), 'utf8'),
    };
  }
}
