/**
 * `make bench`: what the proxy costs, beside `kubectl proxy` and a direct connection, in one run.
 *
 * Two upstreams: a TLS server that answers from memory, and the real API server. Each figure of a proxy is the median
 * of rounds in which every way to the upstream has its turn, so that the machine's drift hits all alike. CPU is what
 * the kernel counted for the proxy's process. Prints Markdown.
 */
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {Pool} from 'undici';
import {createAuthority, issueCertificate} from '../cluster/certificates.ts';
import {clientKubeconfig} from '../cluster/kubeconfig.ts';
import {startCluster} from '../cluster/start.ts';
import {type Environment, startEnvironment} from '../environment/environment.ts';
import {agentToken} from './agenttoken.ts';
import {cpuSeconds, residentMegabytes} from './cpu.ts';
import {imageNodeFlags, takeImageEnvironment} from './image.ts';
import {load, openSharedWatches, openWatches, type Target} from './load.ts';
import {pod} from './pods.ts';
import {reference, type Sample, table} from './table.ts';

const {values} = parseArgs({
  options: {seconds: {type: 'string', default: '4'}, rounds: {type: 'string', default: '5'}},
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const podCount = 5000;
const watchCount = 1000;
/** On one HTTP/2 connection, as a controller's informers share it. */
const watchesEach = 10;
const listRequests = 10;
const smallURL = '/api/v1/namespaces/bench/configmaps/small';
const warmUpSeconds = 12;
/** Until what opening the watches left behind is collected. */
const settleMilliseconds = 10_000;
const say = (line: string) => process.stdout.write(`${line}\n`);
const tell = (line: string) => process.stderr.write(`${line}\n`);

/** A way to the upstream, and the process whose CPU it costs. */
interface Way {
  readonly name: string;
  readonly target: Target;
  readonly pid: number | undefined;
}

interface Upstream {
  readonly name: string;
  readonly serverURL: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

takeImageEnvironment();
const directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-bench-'));
const cluster = await startCluster({controllerManager: true, log: tell});
const agent = {id: 'bench', secret: 'bench-bench-bench-bench', groups: ['ai-agents']};
const children: ChildProcess[] = [];
let environment: Environment | undefined;
try {
  environment = await startEnvironment({
    cluster,
    directory,
    agents: [agent],
    tokenLifetimeSeconds: 3600,
    built: true,
    gatewayNodeFlags: imageNodeFlags,
    proxyFlags: ['--log-level=error'],
  });
  await seed();
  const token = await agentToken(await environment.agentKubeconfig(agent), directory);
  const memory = await startMemoryUpstream();
  const real: Upstream = {
    name: 'kube-apiserver',
    serverURL: cluster.serverURL,
    ca: cluster.ca,
    cert: cluster.adminClient.certificate,
    key: cluster.adminClient.key,
  };
  say(
    `Node ${process.version}, ${os.cpus()[0]?.model ?? 'unknown CPU'}, ${os.cpus().length} cores, Linux ${os.release()}.`,
  );
  for (const upstream of [memory, real]) {
    const upstreamCA = path.join(directory, 'bench-upstream-ca.crt');
    await writeFile(upstreamCA, upstream.ca);
    const flags = [
      ...environment.gatewayFlags,
      `--upstream-url=${upstream.serverURL}`,
      `--upstream-ca-file=${upstreamCA}`,
    ];
    await environment.gateway.stop();
    await environment.restartGateway(flags);
    const ca = await readFile(environment.caPath, 'utf8');
    const kubectlProxy = await startKubectlProxy(upstream);
    const ways: Way[] = [
      {name: 'direct', target: {origin: upstream.serverURL, ...upstream}, pid: undefined},
      {name: reference, target: {origin: kubectlProxy.origin}, pid: kubectlProxy.pid},
      {name: 'lockkeeper', target: {origin: environment.gatewayURL, ca, token}, pid: environment.gateway.pid},
    ];
    // A proxy runs for weeks: what its first seconds cost, while code is compiled, is not what is asked.
    for (const {target} of ways) await load(target, smallURL, {connections: 32, seconds: warmUpSeconds});
    say(`\n### Upstream: ${upstream.name}`);
    await small(ways, 1);
    await small(ways, 32);
    await list(ways);
    await watches(environment, flags, {origin: environment.gatewayURL, ca, token});
  }
} finally {
  for (const child of children) child.kill();
  await environment?.stop();
  await cluster.stop();
  await rm(directory, {recursive: true, force: true});
}

async function small(ways: readonly Way[], connections: number): Promise<void> {
  say(`\nSmall GET, ${connections} connection${connections === 1 ? '' : 's'}:\n`);
  await compare(ways, smallURL, {connections, seconds});
}

async function list(ways: readonly Way[]): Promise<void> {
  say(`\nList of ${podCount} pods, masked by lockkeeper, 1 connection:\n`);
  await compare(ways, '/api/v1/namespaces/bench/pods', {connections: 1, seconds: 120, requests: listRequests});
}

async function compare(
  ways: readonly Way[],
  url: string,
  options: {readonly connections: number; readonly seconds: number; readonly requests?: number},
): Promise<void> {
  const samples = new Map(ways.map(({name}): [string, Sample[]] => [name, []]));
  // The first round warms up code and connections.
  for (let round = 0; round <= rounds; round++) {
    for (const {name, target, pid} of ways) {
      const before = pid === undefined ? 0 : cpuSeconds(pid);
      const {requests, seconds: took, p50Milliseconds, p99Milliseconds} = await load(target, url, options);
      const cpuMicroseconds = pid === undefined ? undefined : ((cpuSeconds(pid) - before) * 1e6) / requests;
      if (round === 0) continue;
      samples.get(name)?.push({requestsPerSecond: requests / took, p50Milliseconds, p99Milliseconds, cpuMicroseconds});
    }
  }
  say(table(samples));
}

async function watches(running: Environment, flags: readonly string[], target: Target): Promise<void> {
  const url = '/api/v1/namespaces/bench/configmaps?watch=true';
  const shared = {connections: watchCount / watchesEach, watchesEach};
  const own = await watchMemory(running, flags, () => openWatches(target, url, watchCount));
  const many = await watchMemory(running, flags, () => openSharedWatches(target, url, shared));
  say(`\n${watchCount} open watches, resident memory of the gateway:\n`);
  say('| agents’ connections | MB |');
  say('| --- | ---: |');
  say(`| none | ${own.idle.toFixed(0)} |`);
  say(`| ${watchCount} over HTTP/1.1, one watch on each | ${own.open.toFixed(0)} |`);
  say(`| ${shared.connections} over HTTP/2, ${watchesEach} watches on each | ${many.open.toFixed(0)} |`);
}

/** In a process of its own each time: what ran before has grown the heap. */
async function watchMemory(running: Environment, flags: readonly string[], open: () => Promise<() => void>) {
  await running.gateway.stop();
  await running.restartGateway(flags);
  const {pid} = running.gateway;
  const idle = residentMegabytes(pid);
  const close = await open();
  await sleep(settleMilliseconds);
  const megabytes = residentMegabytes(pid);
  close();
  return {idle, open: megabytes};
}

/** What the agent asks for, and a policy that lets it, with every effect of the PCI story but none in the way. */
async function seed(): Promise<void> {
  tell(`making ${podCount} pods`);
  const operations = [{verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['pods', 'configmaps']}];
  const subject = {kind: 'Group', name: 'ai-agents'};
  const objects = [
    {apiVersion: 'v1', kind: 'Namespace', metadata: {name: 'bench'}},
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {name: 'small', namespace: 'bench'},
      data: {greeting: 'hello'},
    },
    {
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'AgentAccessPolicy',
      metadata: {name: 'bench', namespace: 'bench'},
      spec: {
        subjects: [subject],
        rules: [{name: 'read', effect: 'Allow', operations}],
        masking: [{name: 'cards', detector: 'PAN'}],
      },
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: {name: 'bench'},
      roleRef: {apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view'},
      subjects: [{...subject, apiGroup: 'rbac.authorization.k8s.io'}],
    },
  ];
  await cluster.mustKubectl(['apply', '-f', '-'], {
    input: objects.map((object) => JSON.stringify(object)).join('\n---\n'),
  });
  const admin = new Pool(cluster.serverURL, {
    connections: 16,
    allowH2: false,
    connect: {ca: cluster.ca, cert: cluster.adminClient.certificate, key: cluster.adminClient.key},
  });
  let next = 0;
  const worker = async () => {
    while (next < podCount) {
      const body = JSON.stringify(storable(next++));
      const answer = await admin.request({
        method: 'POST',
        path: '/api/v1/namespaces/bench/pods',
        headers: {'content-type': 'application/json'},
        body,
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 201) throw new Error(`a pod cannot be made: ${text}`);
    }
  };
  await eventually(async () => (await cluster.kubectl(['-n', 'bench', 'get', 'serviceaccount', 'default'])).code === 0);
  await Promise.all(Array.from({length: 16}, worker));
  await admin.close();
}

/** A pod as a client may create it: what only the API server writes is left out. Its status stays empty. */
function storable(index: number): object {
  const {metadata, spec, ...rest} = pod(index, 'bench') as {
    metadata: {name: string; namespace: string; labels: object; annotations: object};
    spec: Record<string, unknown>;
  };
  const {name, namespace, labels, annotations} = metadata;
  // As long as the status that no kubelet writes here.
  const filler = {...annotations, 'example.com/status': JSON.stringify((rest as {status: object}).status)};
  const {containers, restartPolicy} = spec as {containers: Record<string, unknown>[]; restartPolicy: string};
  const withoutMounts = containers.map(({volumeMounts: _volumeMounts, ...container}) => container);
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {name, namespace, labels, annotations: filler},
    spec: {containers: withoutMounts, restartPolicy},
  };
}

async function startMemoryUpstream(): Promise<Upstream> {
  const authority = await createAuthority('bench');
  const server = await issueCertificate(authority, {usage: 'server', names: ['localhost'], addresses: ['127.0.0.1']});
  const [cert, key] = [path.join(directory, 'memory.crt'), path.join(directory, 'memory.key')];
  await writeFile(cert, server.certificate);
  await writeFile(key, server.key, {mode: 0o600});
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'upstream.ts'), cert, key], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  children.push(child);
  const [port] = await once(child.stdout as NodeJS.ReadableStream, 'data');
  const {certificate, key: clientKey} = cluster.adminClient;
  return {
    name: 'TLS server that answers from memory',
    serverURL: `https://127.0.0.1:${String(port).trim()}`,
    ca: authority.certificate,
    cert: certificate,
    key: clientKey,
  };
}

async function startKubectlProxy(upstream: Upstream): Promise<{origin: string; pid: number}> {
  const kubeconfig = path.join(directory, 'kubectl-proxy.kubeconfig');
  const client = {certificate: upstream.cert, key: upstream.key};
  await writeFile(kubeconfig, clientKubeconfig(upstream.serverURL, upstream.ca, 'admin', client), {mode: 0o600});
  const child = spawn(cluster.kubectlPath, ['proxy', '--port=0', `--kubeconfig=${kubeconfig}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = await once(child.stdout, 'data');
  const address = /127\.0\.0\.1:\d+/.exec(String(line))?.[0];
  if (address === undefined || child.pid === undefined) throw new Error(`kubectl proxy did not start: ${line}`);
  return {origin: `http://${address}`, pid: child.pid};
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(100);
}
