import {mkdir, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {stringify} from 'yaml';
import {type CertificatePair, createAuthority, issueCertificate} from '../cluster/certificates.ts';
import {freePorts} from '../freeports.ts';
import type {ClusterAccess} from './access.ts';
import type {IssuerClient, IssuerConfiguration} from './issuer.ts';
import {LockkeeperProcess} from './process.ts';

export const root = path.resolve(import.meta.dirname, '../..');
export const rootNamespace = 'lockkeeper-system';
/** The `aud` of agents' tokens, from the issuer and from the cluster. */
export const agentAudience = 'lockkeeper';
const serviceAccountTokenSeconds = 24 * 3600;
const admissionReadySeconds = 60;

export interface EnvironmentOptions {
  readonly cluster: ClusterAccess;
  /** Existing directory for keys, tokens, logs and the audit log. */
  readonly directory: string;
  readonly agents: readonly IssuerClient[];
  /** Of the gateway on 127.0.0.1; a free one unless given. */
  readonly gatewayPort?: number;
  readonly tokenLifetimeSeconds?: number;
  /** Runs the compiled JavaScript of `dist/`, as the image does, and not the sources. */
  readonly built?: boolean;
  /** Flags of Node for the gateway, for who profiles it. */
  readonly gatewayNodeFlags?: readonly string[];
  /** Further flags of the proxy, for tests of single settings. */
  readonly proxyFlags?: readonly string[];
}

/** Lockkeeper running against a real API server: CRDs and configuration applied, issuer, operator and gateway up. */
export class Environment {
  readonly cluster: ClusterAccess;
  readonly directory: string;
  /** The `iss` of agents' tokens. */
  readonly issuerURL: string;
  /** `https://127.0.0.1:port` of the gateway. */
  readonly gatewayURL: string;
  /** PEM of the authority that signed the gateway's, the control API's and the issuer's certificates. */
  readonly caPath: string;
  readonly auditLogPath: string;
  readonly gatewayMetricsPort: number;
  readonly controlURL: string;
  readonly gatewayFlags: readonly string[];
  operator: LockkeeperProcess;
  gateway: LockkeeperProcess;
  readonly #issuer: LockkeeperProcess;
  readonly #startGateway: (flags: readonly string[]) => LockkeeperProcess;
  readonly #startOperator: () => LockkeeperProcess;
  readonly #operatorMetricsPort: number;
  readonly #renewal: NodeJS.Timeout;

  constructor(parts: {
    cluster: ClusterAccess;
    directory: string;
    issuerURL: string;
    issuer: LockkeeperProcess;
    gatewayURL: string;
    gatewayMetricsPort: number;
    operatorMetricsPort: number;
    controlURL: string;
    gatewayFlags: readonly string[];
    operator: LockkeeperProcess;
    gateway: LockkeeperProcess;
    startGateway: (flags: readonly string[]) => LockkeeperProcess;
    startOperator: () => LockkeeperProcess;
  }) {
    this.cluster = parts.cluster;
    this.directory = parts.directory;
    this.issuerURL = parts.issuerURL;
    this.#issuer = parts.issuer;
    this.gatewayURL = parts.gatewayURL;
    this.caPath = path.join(parts.directory, 'ca.crt');
    this.auditLogPath = path.join(parts.directory, 'audit.log');
    this.gatewayMetricsPort = parts.gatewayMetricsPort;
    this.controlURL = parts.controlURL;
    this.gatewayFlags = parts.gatewayFlags;
    this.operator = parts.operator;
    this.gateway = parts.gateway;
    this.#startGateway = parts.startGateway;
    this.#startOperator = parts.startOperator;
    this.#operatorMetricsPort = parts.operatorMetricsPort;
    // The proxies read their token files again, as they would the kubelet's.
    this.#renewal = setInterval(
      () => void writeTokens(this.cluster, this.directory).catch(() => {}),
      (serviceAccountTokenSeconds / 4) * 1000,
    );
    this.#renewal.unref();
  }

  /** Starts the gateway again after a test ended it. */
  async restartGateway(flags: readonly string[] = this.gatewayFlags): Promise<void> {
    this.gateway = this.#startGateway(flags);
    await this.gateway.ready(this.gatewayMetricsPort);
  }

  /** Starts the operator again after a test ended it. */
  async restartOperator(): Promise<void> {
    this.operator = this.#startOperator();
    await this.operator.ready(this.#operatorMetricsPort);
  }

  /** Writes an agent's kubeconfig: the gateway as server, tokens by `lockkeeper token`. Gives its path. */
  async agentKubeconfig(
    agent: IssuerClient,
    file = path.join(this.directory, `${agent.id}.kubeconfig`),
  ): Promise<string> {
    const secretFile = path.join(this.directory, `${agent.id}.secret`);
    await writeFile(secretFile, agent.secret, {mode: 0o600});
    const args = ['token', `--issuer-url=${this.issuerURL}`, `--client-id=${agent.id}`];
    args.push(`--client-secret-file=${secretFile}`, `--certificate-authority=${this.caPath}`);
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: [path.join(root, 'cli/main.ts'), ...args],
      env: [{name: 'XDG_CACHE_HOME', value: path.join(this.directory, 'cache')}],
      interactiveMode: 'Never',
    };
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{name: 'lockkeeper', cluster: {server: this.gatewayURL, 'certificate-authority': this.caPath}}],
      users: [{name: agent.id, user: {exec}}],
      contexts: [{name: 'lockkeeper', context: {cluster: 'lockkeeper', user: agent.id}}],
      'current-context': 'lockkeeper',
    };
    await writeFile(file, stringify(kubeconfig), {mode: 0o600});
    return file;
  }

  async stop(): Promise<void> {
    clearInterval(this.#renewal);
    await this.gateway.stop();
    await this.operator.stop();
    await this.#issuer.stop();
  }
}

/** Installs Lockkeeper in the cluster and starts it; ready to serve agents when it resolves. */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const {cluster, directory} = options;
  await mkdir(directory, {recursive: true, mode: 0o700});
  await install(cluster);
  await writeTokens(cluster, directory);

  const authority = await createAuthority('lockkeeper development');
  const serving = await issueCertificate(authority, {usage: 'server', names: ['localhost'], addresses: ['127.0.0.1']});
  const file = (name: string) => path.join(directory, name);
  await writeFile(file('ca.crt'), authority.certificate);
  await writeFile(file('upstream-ca.crt'), cluster.ca);
  await writeFile(file('tls.crt'), serving.certificate);
  await writeFile(file('tls.key'), serving.key, {mode: 0o600});
  const [controlPort, operatorMetricsPort, gatewayMetricsPort, freeGatewayPort, issuerPort] = await freePorts();
  const issuerURL = `https://127.0.0.1:${issuerPort}`;
  const issuerConfiguration: IssuerConfiguration = {
    port: issuerPort,
    certificateFile: file('tls.crt'),
    keyFile: file('tls.key'),
    audience: agentAudience,
    tokenLifetimeSeconds: options.tokenLifetimeSeconds ?? 600,
    clients: options.agents,
  };
  await writeFile(file('issuer.json'), JSON.stringify(issuerConfiguration), {mode: 0o600});
  await writeFile(file('authentication.yaml'), authenticationConfiguration(cluster, issuerURL, authority));
  const gatewayPort = options.gatewayPort ?? freeGatewayPort;
  const controlURL = `https://127.0.0.1:${controlPort}`;
  const tls = [`--tls-certificate-file=${file('tls.crt')}`, `--tls-private-key-file=${file('tls.key')}`];
  const operatorFlags = [
    `--kubeconfig=${file('operator.kubeconfig')}`,
    `--root-namespace=${rootNamespace}`,
    `--control-address=127.0.0.1:${controlPort}`,
    `--metrics-address=127.0.0.1:${operatorMetricsPort}`,
    `--gateway-service-account=${rootNamespace}:lockkeeper-gateway`,
    `--admission-directory=${path.join(root, 'config/admission')}`,
    ...tls,
  ];
  const gatewayFlags = [
    `--listen-address=127.0.0.1:${gatewayPort}`,
    `--metrics-address=127.0.0.1:${gatewayMetricsPort}`,
    `--upstream-url=${cluster.serverURL}`,
    `--upstream-ca-file=${file('upstream-ca.crt')}`,
    `--upstream-token-file=${file('gateway-token')}`,
    `--authentication-config=${file('authentication.yaml')}`,
    `--service-account-issuer=${cluster.serviceAccountIssuer}`,
    `--control-url=${controlURL}`,
    `--control-ca-file=${file('ca.crt')}`,
    `--control-token-file=${file('control-token')}`,
    `--audit-log-file=${file('audit.log')}`,
    '--proxy-id=gateway',
    ...tls,
    ...(options.proxyFlags ?? []),
  ];
  const issuer = LockkeeperProcess.start(
    'issuer',
    'test/environment/issuer.ts',
    [file('issuer.json')],
    file('issuer.log'),
  );
  const main = (name: string) => (options.built ? `dist/${name}/main.js` : `${name}/main.ts`);
  const startOperator = () =>
    LockkeeperProcess.start('operator', main('operator'), operatorFlags, file('operator.log'));
  const startGateway = (flags: readonly string[]) =>
    LockkeeperProcess.start('gateway', main('proxy'), flags, file('gateway.log'), options.gatewayNodeFlags);
  const operator = startOperator();
  const gateway = startGateway(gatewayFlags);
  try {
    await issuer.answersAt(`${issuerURL}/.well-known/openid-configuration`, authority.certificate);
    await operator.ready(operatorMetricsPort);
    await gateway.ready(gatewayMetricsPort);
  } catch (error) {
    await gateway.stop();
    await operator.stop();
    await issuer.stop();
    throw error;
  }
  return new Environment({
    cluster,
    directory,
    issuerURL,
    issuer,
    gatewayURL: `https://127.0.0.1:${gatewayPort}`,
    gatewayMetricsPort,
    operatorMetricsPort,
    controlURL,
    startOperator,
    startGateway,
    gatewayFlags,
    operator,
    gateway,
  });
}

/** CRDs, RBAC, admission policies and baseline policies, as a user would install them. */
async function install(cluster: ClusterAccess): Promise<void> {
  await cluster.mustKubectl(['apply', '--server-side', '-k', path.join(root, 'config/local')]);
  const kinds = ['agentaccesspolicies.lockkeeper.dev', 'accessrequests.lockkeeper.dev'];
  await cluster.mustKubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', ...kinds]);
  // Right after its CRD is created, an admission policy on a kind answers 503 for a few seconds.
  const deadline = performance.now() + admissionReadySeconds * 1000;
  for (;;) {
    const {code, stderr} = await cluster.kubectl(['apply', '--server-side', '-k', path.join(root, 'config/baseline')]);
    if (code === 0) return;
    if (performance.now() > deadline) throw new Error(`the baseline policies cannot be applied: ${stderr.trim()}`);
    await sleep(250);
  }
}

/** The tokens that the kubelet would project into the pods of operator and gateway. */
async function writeTokens(cluster: ClusterAccess, directory: string): Promise<void> {
  const token = (name: string, audience: string) =>
    cluster.serviceAccountToken({
      namespace: rootNamespace,
      name,
      audience,
      expirationSeconds: serviceAccountTokenSeconds,
    });
  const write = (name: string, content: string) => writeFile(path.join(directory, name), content, {mode: 0o600});
  await write('gateway-token', await token('lockkeeper-gateway', cluster.serviceAccountIssuer));
  await write('control-token', await token('lockkeeper-gateway', 'lockkeeper-operator'));
  await write('operator-token', await token('lockkeeper-operator', cluster.serviceAccountIssuer));
  await write(
    'operator.kubeconfig',
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'lockkeeper',
          cluster: {
            server: cluster.serverURL,
            'certificate-authority-data': Buffer.from(cluster.ca).toString('base64'),
          },
        },
      ],
      users: [{name: 'operator', user: {tokenFile: path.join(directory, 'operator-token')}}],
      contexts: [{name: 'lockkeeper', context: {cluster: 'lockkeeper', user: 'operator'}}],
      'current-context': 'lockkeeper',
    }),
  );
}

function authenticationConfiguration(cluster: ClusterAccess, issuerURL: string, authority: CertificatePair): string {
  return stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [
      {
        issuer: {url: issuerURL, audiences: [agentAudience], certificateAuthority: authority.certificate},
        claimMappings: {
          username: {claim: 'sub', prefix: 'agent:'},
          groups: {claim: 'groups', prefix: ''},
        },
      },
      {
        issuer: {url: cluster.serviceAccountIssuer, audiences: [agentAudience]},
        claimMappings: {username: {claim: 'sub', prefix: ''}},
      },
    ],
  });
}
