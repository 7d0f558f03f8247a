/**
 * What `make` asks of the local cluster.
 *
 *     node test/cluster/keep.ts up         start a cluster that outlives this command, under .lockkeeper/cluster/;
 *                                          `up --node`: one with a node, on which pods run
 *     node test/cluster/keep.ts down       end it
 *     node test/cluster/keep.ts binaries   have every binary ready, building it when it must be
 *
 * `up` leaves a process behind (this file with `serve`) that holds the cluster and listens on a Unix socket. A socket
 * answers for certain whether that process runs, where a process id may belong to somebody else by now.
 */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, openSync} from 'node:fs';
import {mkdir, readFile, rm, rmdir} from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {type BinaryName, findBinaries} from './binaries.ts';
import {Cluster} from './cluster.ts';
import {withLock} from './lock.ts';
import {nodeUnavailable} from './node/available.ts';
import {requireNode} from './node/start.ts';
import {startCluster} from './start.ts';

const nodeFlag = '--node';
const state = path.resolve('.lockkeeper/cluster');
const data = path.join(state, 'data');
const logPath = path.join(state, 'cluster.log');
// Relative, because a socket's path is bounded at about 100 bytes and a work tree may lie deep.
const socketPath = '.lockkeeper/cluster/control.sock';

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The connection to the process that holds the cluster, or undefined where none runs. */
async function connect(): Promise<net.Socket | undefined> {
  const socket = net.connect(socketPath);
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return undefined;
  }
}

/** Whether a cluster is held; waits while one starts. */
async function isHeld(): Promise<boolean> {
  const socket = await connect();
  // The holder's first and only word comes when the cluster is ready; a holder that fails closes without it.
  if (socket) for await (const _ of socket) return true;
  return false;
}

async function binaries(withNode: boolean): Promise<void> {
  const names: readonly BinaryName[] = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'];
  const ofNode: readonly BinaryName[] = withNode ? ['kube-scheduler', 'kubelet'] : [];
  await findBinaries([...names, ...ofNode], {env: process.env, log: say});
}

/** Two `up`, or an `up` and a `down`, do not remove what the other one makes. */
async function alone(work: () => Promise<void>): Promise<void> {
  await mkdir(path.dirname(state), {recursive: true});
  await withLock(`${state}.lock`, say, work);
}

async function up(withNode: boolean): Promise<void> {
  if (await isHeld()) {
    if (withNode && !Cluster.open(data).node) {
      throw new Error('The cluster that is running has no node: end it first (make cluster-down).');
    }
    say('The cluster is running already.');
  } else {
    // Here, not in the process left behind: building takes minutes, and a person wants to see why.
    if (withNode) await requireNode();
    await binaries(withNode);
    await removeRemains();
    await mkdir(state, {recursive: true, mode: 0o700});
    await spawnHolder(withNode);
    say('The cluster is running.');
  }
  const cluster = Cluster.open(data);
  const kubeconfig = path.relative(process.cwd(), cluster.kubeconfigPath);
  say(`  server:      ${cluster.serverURL}`);
  say(`  use it:      export KUBECONFIG=$PWD/${kubeconfig}`);
  say(`  kubectl:     ${cluster.kubectlPath}`);
  if (cluster.node) say(`  from pods:   ${cluster.node.hostAddress} is this machine`);
  const logs = ['logs', ...(cluster.node ? ['node/var/log'] : [])];
  say(`  logs:        ${logs.map((name) => path.relative(process.cwd(), path.join(data, name))).join(', ')}`);
  say('  end it:      make cluster-down');
}

async function spawnHolder(withNode: boolean): Promise<void> {
  const log = openSync(logPath, 'a', 0o600);
  const holder = spawn(process.execPath, [import.meta.filename, 'serve', ...(withNode ? [nodeFlag] : [])], {
    cwd: process.cwd(),
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  holder.unref();
  while (!(await isHeld())) {
    if (holder.exitCode !== null || holder.signalCode !== null) {
      const words = (await readFile(logPath, 'utf8')).trim();
      await removeRemains();
      throw new Error(words || `The process that holds the cluster ended at once (exit code ${holder.exitCode}).`);
    }
    await sleep(100);
  }
}

/** Of a killed cluster: its supervisor has removed the data, the rest is here. */
async function removeRemains(): Promise<void> {
  await rm(state, {recursive: true, force: true});
}

async function serve(withNode: boolean): Promise<void> {
  const stop = Promise.withResolvers<void>();
  const starting = startCluster({controllerManager: true, node: withNode, dataDirectory: data});
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      if (String(chunk) === 'stop\n') stop.resolve();
    });
    starting.then(
      () => socket.write('ready\n'),
      () => socket.destroy(),
    );
  });
  server.listen(socketPath);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.resolve());

  const cluster = await starting;
  await stop.promise;
  await cluster.stop();
  // Connections are left open: that they close tells `down` that this process has ended too.
  process.exit(0);
}

async function down(): Promise<void> {
  const held = await connect();
  if (held) {
    held.resume();
    held.write('stop\n');
    await once(held, 'close');
  }
  await removeRemains();
  say(held ? 'The cluster is gone.' : 'No cluster is running.');
}

const [command, ...flags] = process.argv.slice(2);
const withNode = flags.includes(nodeFlag);
try {
  switch (command) {
    case 'up':
      await alone(() => up(withNode));
      break;
    case 'down':
      await alone(down);
      // Others keep state beside the cluster's: then it stays.
      await rmdir(path.dirname(state)).catch(() => {});
      break;
    case 'binaries':
      // Tests use a node where there can be one.
      await binaries((await nodeUnavailable()) === undefined);
      break;
    case 'serve':
      await serve(withNode);
      break;
    default:
      throw new Error(`${command ?? 'No command'} is not known: node test/cluster/keep.ts up, down or binaries.`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
