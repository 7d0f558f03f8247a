import {randomBytes} from 'node:crypto';
import {access, constants, copyFile, mkdir, writeFile} from 'node:fs/promises';
import {createServer} from 'node:net';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {stringify} from 'yaml';
import {Cluster} from '../cluster/cluster.ts';
import {StartedCluster, startCluster} from '../cluster/start.ts';
import type {ClusterAccess} from './access.ts';
import {type Environment, root, startEnvironment} from './environment.ts';
import {existingCluster} from './existing.ts';
import type {IssuerClient} from './issuer.ts';

/** Lockkeeper on this machine with the PCI example, for a person to try. */
export interface LocalEnvironment {
  readonly environment: Environment;
  readonly cluster: ClusterAccess;
  readonly kubeconfigs: {readonly agent: string; readonly approver: string; readonly admin: string};
  stop(): Promise<void>;
}

export const approver = {user: 'alice@example.com', groups: ['payments-oncall']};

/**
 * Starts the embedded cluster, or uses the one that a kubeconfig names, and brings up everything of `examples/pci/`.
 *
 * @param directory for kubeconfigs, keys, logs and the audit log; made where absent
 */
export async function startLocal(options: {
  readonly directory: string;
  readonly kubeconfig: string | undefined;
  readonly gatewayPort?: number;
  readonly log: (line: string) => void;
}): Promise<LocalEnvironment> {
  const {directory, log} = options;
  await writable(directory);
  if (options.gatewayPort !== undefined) await free(options.gatewayPort);
  const cluster = options.kubeconfig
    ? await existingCluster(options.kubeconfig)
    : await startCluster({controllerManager: true, log});
  const stopCluster = async () => {
    if (cluster instanceof StartedCluster) await cluster.stop();
  };
  try {
    log(`Kubernetes API server: ${cluster.serverURL}`);
    const agent: IssuerClient = {id: 'build-bot', secret: randomBytes(24).toString('hex'), groups: ['ai-agents']};
    const environment = await startEnvironment({
      cluster,
      directory: path.join(directory, 'run'),
      agents: [agent],
      ...(options.gatewayPort !== undefined && {gatewayPort: options.gatewayPort}),
    });
    log(`Lockkeeper gateway:    ${environment.gatewayURL}`);
    await seed(cluster);
    const kubeconfigs = {
      agent: await environment.agentKubeconfig(agent, path.join(directory, 'agent.kubeconfig')),
      approver: await approverKubeconfig(cluster, directory),
      admin: path.join(directory, 'admin.kubeconfig'),
    };
    await copyFile(cluster.kubeconfigPath, kubeconfigs.admin);
    await writeCommand(directory);
    return {
      environment,
      cluster,
      kubeconfigs,
      async stop() {
        await environment.stop();
        await stopCluster();
      },
    };
  } catch (error) {
    await stopCluster();
    throw error;
  }
}

async function writable(directory: string): Promise<void> {
  try {
    await mkdir(directory, {recursive: true, mode: 0o700});
    await access(directory, constants.W_OK);
  } catch (cause) {
    throw new Error(`${directory} cannot be written to (${(cause as NodeJS.ErrnoException).code}).`, {cause});
  }
}

/** Before anything is written: another run may be using the directory. */
function free(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${cause.code})`;
      reject(
        new Error(`port ${port} of 127.0.0.1 ${why}: end what uses it, or choose another with RUN_FLAGS=--port=N.`),
      );
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}

/** The namespace of the story, something to find in it, and the policies. */
async function seed(cluster: ClusterAccess): Promise<void> {
  await cluster.mustKubectl(['apply', '--server-side', '-f', path.join(root, 'test/demo/payments.yaml')]);
  // Pods are refused before the controller-manager has made the namespace's ServiceAccount.
  for (let attempt = 0; ; attempt++) {
    const {code, stderr} = await cluster.kubectl([
      'apply',
      '--server-side',
      '-f',
      path.join(root, 'test/demo/pods.yaml'),
    ]);
    if (code === 0) break;
    if (attempt === 100) throw new Error(`the pods of the demo cannot be made: ${stderr.trim()}`);
    await sleep(200);
  }
  await cluster.mustKubectl(['apply', '-f', path.join(root, 'examples/pci')]);
  await cluster.mustKubectl([
    ...['wait', '--for=condition=Programmed', '--timeout=30s', '--namespace=payments'],
    ...['agentaccesspolicy', '--all'],
  ]);
}

/** `lockkeeper` as a command, as the npm package and the image have it. */
async function writeCommand(directory: string): Promise<void> {
  const bin = path.join(directory, 'bin');
  await mkdir(bin, {recursive: true});
  const script = `#!/bin/sh\nexec '${process.execPath}' '${path.join(root, 'cli/main.ts')}' "$@"\n`;
  await writeFile(path.join(bin, 'lockkeeper'), script, {mode: 0o755});
}

/** A person: by client certificate where the cluster is ours, else the administrator acting as them. */
async function approverKubeconfig(cluster: ClusterAccess, directory: string): Promise<string> {
  const file = path.join(directory, 'approver.kubeconfig');
  if (cluster instanceof Cluster) {
    await copyFile(await cluster.kubeconfigFor(approver), file);
    return file;
  }
  const view = await cluster.mustKubectl(['config', 'view', '--raw', '--minify', '--flatten', '--output=json']);
  const config = JSON.parse(view) as {users: {user: Record<string, unknown>}[]};
  for (const {user} of config.users) Object.assign(user, {as: approver.user, 'as-groups': approver.groups});
  await writeFile(file, stringify(config), {mode: 0o600});
  return file;
}
