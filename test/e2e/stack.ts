import {execFile} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {promisify} from 'node:util';
import {parse, stringify} from 'yaml';
import type {AgentAccessPolicySpec} from '../../core/api/agentaccesspolicy.ts';
import type {KubectlResult} from '../cluster/cluster.ts';
import {type StartedCluster, startCluster} from '../cluster/start.ts';
import {type Environment, rootNamespace, startEnvironment} from '../environment/environment.ts';
import type {IssuerClient} from '../environment/issuer.ts';
import {LockkeeperProcess} from '../environment/process.ts';
import {eventually} from '../eventually.ts';
import {freePorts} from '../freeports.ts';
import {AgentClient} from './client.ts';

const run = promisify(execFile);

/** RBAC lets it do everything, so that what is refused was refused by Lockkeeper. */
export const agentGroup = 'ai-agents';

/** Where the tests' objects live. */
export const namespace = 'payments';

export interface AuditEvent {
  readonly auditID: string;
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user?: {readonly username?: string; readonly groups?: readonly string[]};
  readonly impersonatedUser?: {readonly username?: string; readonly groups?: readonly string[]};
  readonly responseStatus?: {readonly code?: number};
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface FurtherProxy {
  readonly url: string;
  readonly metricsPort: number;
  readonly auditLogPath: string;
  readonly process: LockkeeperProcess;
}

/** A cluster of the test file's own, Lockkeeper in front of it, and one agent with its kubeconfig and token. */
export class Stack {
  readonly cluster: StartedCluster;
  readonly environment: Environment;
  readonly kubeconfig: string;
  readonly token: string;
  readonly agent: AgentClient;
  readonly #ca: string;
  readonly #further: LockkeeperProcess[] = [];

  private constructor(parts: {
    cluster: StartedCluster;
    environment: Environment;
    kubeconfig: string;
    token: string;
    ca: string;
  }) {
    this.cluster = parts.cluster;
    this.environment = parts.environment;
    this.kubeconfig = parts.kubeconfig;
    this.token = parts.token;
    this.#ca = parts.ca;
    this.agent = this.client();
  }

  /** @param policies of the root namespace, by name, in force when it resolves. */
  static async start(options: {
    readonly policies?: Readonly<Record<string, AgentAccessPolicySpec>>;
    readonly audited?: boolean;
    /** With the controllers behind deployments, ServiceAccounts and deletion. */
    readonly controllerManager?: boolean;
    /** With a node, on which pods run. */
    readonly node?: boolean;
    readonly proxyFlags?: readonly string[];
  }): Promise<Stack> {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-e2e-'));
    const auditPolicy = {apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{level: 'Metadata'}]};
    const cluster = await startCluster({
      ...(options.audited && {auditPolicy}),
      ...(options.controllerManager && {controllerManager: true}),
      ...(options.node && {node: true}),
    });
    let environment: Environment | undefined;
    try {
      const agent: IssuerClient = {id: 'build-bot', secret: randomBytes(24).toString('hex'), groups: [agentGroup]};
      const {proxyFlags = []} = options;
      environment = await startEnvironment({cluster, directory, agents: [agent], proxyFlags});
      await cluster.mustKubectl(['create', 'namespace', namespace]);
      await cluster.mustKubectl([
        ...['create', 'clusterrolebinding', 'agents-may-do-everything'],
        ...['--clusterrole=cluster-admin', `--group=${agentGroup}`],
      ]);
      const kubeconfig = await environment.agentKubeconfig(agent);
      const token = await tokenByPlugin(kubeconfig);
      const ca = await readFile(environment.caPath, 'utf8');
      const stack = new Stack({cluster, environment, kubeconfig, token, ca});
      await stack.applyPolicies(options.policies ?? {});
      return stack;
    } catch (error) {
      await environment?.stop();
      await cluster.stop();
      await rm(directory, {recursive: true, force: true});
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const each of this.#further) await each.stop();
    await this.environment.stop();
    await this.cluster.stop();
    await rm(this.environment.directory, {recursive: true, force: true});
  }

  /** A client of the gateway; the stack's own agent unless another token is given. */
  client(options: {readonly url?: string; readonly token?: string | undefined} = {}): AgentClient {
    return new AgentClient({
      url: options.url ?? this.environment.gatewayURL,
      ca: this.#ca,
      token: 'token' in options ? options.token : this.token,
    });
  }

  /** A client that goes round the gateway, as the administrator. */
  direct(): AgentClient {
    const {serverURL, ca, adminClient} = this.cluster;
    return new AgentClient({
      url: serverURL,
      ca,
      token: undefined,
      clientCertificate: {cert: adminClient.certificate, key: adminClient.key},
    });
  }

  /** What the agent types. */
  kubectl(args: readonly string[], input?: string): Promise<KubectlResult> {
    const options = {kubeconfig: this.kubeconfig, ...(input !== undefined && {input})};
    return this.cluster.kubectl([`--namespace=${namespace}`, ...args], options);
  }

  /** Applies policies and waits until the gateway decides by them. */
  async applyPolicies(
    policies: Readonly<Record<string, AgentAccessPolicySpec>>,
    policyNamespace = rootNamespace,
  ): Promise<void> {
    const names = Object.keys(policies);
    if (names.length === 0) return;
    const items = names.map((name) => ({
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'AgentAccessPolicy',
      metadata: {name, namespace: policyNamespace},
      spec: policies[name],
    }));
    await this.cluster.mustKubectl(['apply', '-f', '-'], {
      input: stringify({apiVersion: 'v1', kind: 'List', items}),
    });
    await eventually(() =>
      this.cluster.mustKubectl([
        ...['wait', '--for=condition=Programmed', '--timeout=20s', `--namespace=${policyNamespace}`],
        ...['agentaccesspolicy', ...names],
      ]),
    );
  }

  /** Runs another proxy beside the gateway with the same flags but for those given; ends with the stack. */
  async startProxy(name: string, flags: readonly string[]): Promise<FurtherProxy> {
    const proxy = await this.spawnProxy(name, flags);
    await proxy.process.ready(proxy.metricsPort);
    return proxy;
  }

  /** Like `startProxy`, for one that does not become ready. */
  async spawnProxy(name: string, flags: readonly string[]): Promise<FurtherProxy> {
    const [port, metricsPort] = await freePorts();
    const {directory, gatewayFlags} = this.environment;
    const auditLogPath = path.join(directory, `${name}-audit.log`);
    const process = LockkeeperProcess.start(
      name,
      'proxy/main.ts',
      [
        ...gatewayFlags,
        `--listen-address=127.0.0.1:${port}`,
        `--metrics-address=127.0.0.1:${metricsPort}`,
        `--audit-log-file=${auditLogPath}`,
        `--proxy-id=${name}`,
        ...flags,
      ],
      path.join(directory, `${name}.log`),
    );
    this.#further.push(process);
    return {url: `https://127.0.0.1:${port}`, metricsPort, auditLogPath, process};
  }

  /** The proxy's record so far. */
  records(file = this.environment.auditLogPath): Promise<readonly AuditEvent[]> {
    return readEvents(file);
  }

  /** The API server's own record so far: what really arrived there. */
  async arrived(): Promise<readonly AuditEvent[]> {
    const gateway = `system:serviceaccount:${rootNamespace}:lockkeeper-gateway`;
    const events = await readEvents(this.cluster.auditLogPath);
    return events.filter(({user}) => user?.username === gateway);
  }
}

/** Allows an operation on any resource, and the paths that every client reads. */
export function allowEverything(): AgentAccessPolicySpec {
  return {
    subjects: [{kind: 'User', name: '*'}],
    rules: [
      {
        name: 'everything',
        effect: 'Allow',
        operations: [
          {verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']},
          {verbs: ['*'], nonResourceURLs: ['/*']},
        ],
      },
    ],
  };
}

export function configMap(name: string, data: Readonly<Record<string, string>> = {}) {
  return {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name, namespace}, data};
}

/** Runs the exec credential plugin that a kubeconfig names, as kubectl does. */
export async function tokenByPlugin(kubeconfig: string): Promise<string> {
  const {users} = parse(await readFile(kubeconfig, 'utf8')) as {
    users: [{user: {exec: {command: string; args: string[]; env: {name: string; value: string}[]}}}];
  };
  const {command, args, env} = users[0].user.exec;
  const variables = Object.fromEntries(env.map(({name, value}) => [name, value]));
  const {stdout} = await run(command, args, {env: {...process.env, ...variables}});
  return (JSON.parse(stdout) as {status: {token: string}}).status.token;
}

async function readEvents(file: string): Promise<readonly AuditEvent[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  // What follows the last newline is a line that is being written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as AuditEvent);
}
