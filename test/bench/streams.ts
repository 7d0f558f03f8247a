/**
 * `make bench-streams`: what streams into pods and many watches cost through the gateway, beside the same without it, in
 * one run against a real kubelet and a real API server. Prints Markdown.
 */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import * as http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {WebSocket} from 'ws';
import {startPod} from '../cluster/node/pod.ts';
import {startCluster} from '../cluster/start.ts';
import {type Environment, startEnvironment} from '../environment/environment.ts';
import {LockkeeperProcess} from '../environment/process.ts';
import {freePorts} from '../freeports.ts';
import {agentToken} from './agenttoken.ts';
import {cpuSeconds, residentMegabytes} from './cpu.ts';
import {imageNodeFlags, takeImageEnvironment} from './image.ts';
import type {Target} from './load.ts';

const {values} = parseArgs({
  options: {
    rounds: {type: 'string', default: '5'},
    megabytes: {type: 'string', default: '256'},
    watches: {type: 'string', default: '10000'},
    /** Of `throughput`, `latency` and `watches`, those to measure. */
    measure: {type: 'string', default: 'throughput,latency,watches'},
    /** Of throughput. */
    transports: {type: 'string', default: 'WebSocket,SPDY'},
    directions: {type: 'string', default: 'output,input'},
  },
});
const measures = (what: string) => values.measure.split(',').includes(what);
const rounds = Number(values.rounds);
const megabytes = Number(values.megabytes);
const watchCount = Number(values.watches);
/** On one HTTP/2 connection, as an agent's informers share it. */
const watchesEach = 10;
const keystrokes = 300;
const events = 20;
const attemptsAtMost = 5;
const namespace = 'bench';
const say = (line: string) => process.stdout.write(`${line}\n`);
const tell = (line: string) => process.stderr.write(`${line}\n`);

interface Way {
  readonly name: string;
  readonly kubeconfig: string;
  readonly target: Target;
  /** Of the proxy on the way. */
  readonly pid: number | undefined;
}

takeImageEnvironment();
const directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-bench-'));
const cluster = await startCluster({node: true, log: tell});
const agent = {id: 'bench', secret: 'bench-bench-bench-bench', groups: ['ai-agents']};
let environment: Environment | undefined;
try {
  environment = await startEnvironment({
    cluster,
    directory,
    agents: [agent],
    tokenLifetimeSeconds: 3600,
    built: true,
    gatewayNodeFlags: imageNodeFlags,
    proxyFlags: ['--log-level=error', '--maximum-requests-in-flight=20000'],
  });
  await seed();
  const kubeconfig = await environment.agentKubeconfig(agent);
  const ca = await readFile(environment.caPath, 'utf8');
  const {certificate: cert, key} = cluster.adminClient;
  const direct: Way = {
    name: 'direct',
    kubeconfig: cluster.kubeconfigPath,
    target: {origin: cluster.serverURL, ca: cluster.ca, cert, key},
    pid: undefined,
  };
  const gateway: Way = {
    name: 'lockkeeper',
    kubeconfig,
    target: {origin: environment.gatewayURL, ca, token: await agentToken(kubeconfig, directory)},
    pid: environment.gateway.pid,
  };
  say(
    `Node ${process.version}, ${os.cpus()[0]?.model ?? 'unknown CPU'}, ${os.cpus().length} cores, Linux ${os.release()}.`,
  );
  if (measures('throughput')) {
    const unrecorded = await startUnrecorded(environment, gateway);
    await throughput([direct, gateway], unrecorded.way);
    await unrecorded.process.stop();
  }
  if (measures('latency')) await latency([direct, gateway]);
  if (measures('watches')) await manyWatches([direct, gateway]);
} finally {
  await environment?.stop();
  await cluster.stop();
  await rm(directory, {recursive: true, force: true});
}

/**
 * Text that a command prints, and text that it is sent, as fast as kubectl takes and gives it. Rates are compared with
 * those of the way that is not recorded, round by round.
 */
async function throughput(recorded: readonly Way[], unrecorded: Way): Promise<void> {
  const ways = [...recorded, unrecorded];
  say(`\nExec, ${megabytes} MB of text; medians of ${rounds} rounds (min–max):\n`);
  say('| way | transport | direction | MB/s | not recording = 1 | gateway CPU ms/MB |');
  say('| --- | --- | --- | ---: | ---: | ---: |');
  for (const transport of values.transports.split(',')) {
    for (const direction of values.directions.split(',')) {
      const rates = new Map<Way, number[]>(ways.map((way) => [way, []]));
      const cpu = new Map<Way, number[]>(ways.map((way) => [way, []]));
      for (let round = 0; round <= rounds; round++) {
        // Whoever comes first in a round does so in turn.
        for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
          const before = way.pid === undefined ? 0 : cpuSeconds(way.pid);
          const seconds = await transfer(way, transport, direction);
          if (round === 0) continue;
          rates.get(way)?.push(megabytes / seconds);
          if (way.pid !== undefined) cpu.get(way)?.push(((cpuSeconds(way.pid) - before) * 1000) / megabytes);
        }
      }
      const base = rates.get(unrecorded) ?? [];
      for (const [way, taken] of rates) {
        const used = way.pid === undefined ? '–' : spread(cpu.get(way) ?? [], 1);
        const ratio = spread(
          taken.map((rate, round) => rate / (base[round] ?? Number.NaN)),
          2,
        );
        say(`| ${way.name} | ${transport} | ${direction} | ${spread(taken, 1)} | ${ratio} | ${used} |`);
      }
    }
  }
}

/** The same gateway without recordings: what they cost is the difference. */
async function startUnrecorded(running: Environment, gateway: Way): Promise<{way: Way; process: LockkeeperProcess}> {
  const [port, metricsPort] = await freePorts();
  const process = LockkeeperProcess.start(
    'unrecorded',
    'dist/proxy/main.js',
    [
      ...running.gatewayFlags,
      `--listen-address=127.0.0.1:${port}`,
      `--metrics-address=127.0.0.1:${metricsPort}`,
      `--audit-log-file=${path.join(directory, 'unrecorded-audit.log')}`,
      '--proxy-id=unrecorded',
    ],
    path.join(directory, 'unrecorded.log'),
    [...imageNodeFlags, '--import', path.join(import.meta.dirname, 'unrecorded.mjs')],
  );
  await process.ready(metricsPort);
  const origin = `https://127.0.0.1:${port}`;
  const kubeconfig = path.join(directory, 'unrecorded.kubeconfig');
  await writeFile(kubeconfig, (await readFile(gateway.kubeconfig, 'utf8')).replaceAll(running.gatewayURL, origin));
  const way = {name: 'lockkeeper, not recording', kubeconfig, target: {...gateway.target, origin}, pid: process.pid};
  return {way, process};
}

/** Seconds that it takes. An input of which the server closes the connection first fails in kubectl, with and without us. */
async function transfer(way: Way, transport: string, direction: string): Promise<number> {
  for (let attempt = 0; attempt < attemptsAtMost; attempt++) {
    const seconds = await tryTransfer(way, transport, direction);
    if (seconds !== undefined) return seconds;
  }
  throw new Error(`exec by ${way.name} over ${transport} failed`);
}

async function tryTransfer(way: Way, transport: string, direction: string): Promise<number | undefined> {
  const bytes = megabytes * 1e6;
  const source = `yes 'GET /orders/abcdef HTTP/1.1 200 in 12 ms' | head -c ${bytes}`;
  const command = direction === 'output' ? ['sh', '-c', source] : ['sh', '-c', 'cat > /dev/null'];
  const script = direction === 'output' ? '"$@" > /dev/null' : `${source} | "$@" > /dev/null`;
  const exec = [cluster.kubectlPath, 'exec', '-n', namespace, ...(direction === 'input' ? ['-i'] : []), 'box', '--'];
  const start = performance.now();
  const child = spawn('sh', ['-c', script, 'sh', ...exec, ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...cluster.kubectlEnvironment(way.kubeconfig),
      KUBECTL_REMOTE_COMMAND_WEBSOCKETS: String(transport === 'WebSocket'),
    },
  });
  const [code] = await once(child, 'close');
  if (code !== 0) return undefined;
  return (performance.now() - start) / 1000;
}

/** From a key to its echo on a terminal. */
async function latency(ways: readonly Way[]): Promise<void> {
  say(`\nOne key to its echo on a terminal (WebSocket, v5), ${keystrokes} keys:\n`);
  say('| way | p50 ms | p99 ms |');
  say('| --- | ---: | ---: |');
  const taken = new Map<Way, number[]>(ways.map((way) => [way, []]));
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) taken.get(way)?.push(...(await typed(way, keystrokes / rounds)));
  }
  for (const [{name}, milliseconds] of taken) {
    say(`| ${name} | ${quantile(milliseconds, 0.5).toFixed(2)} | ${quantile(milliseconds, 0.99).toFixed(2)} |`);
  }
}

async function typed({target}: Way, count: number): Promise<number[]> {
  const url = `${target.origin}/api/v1/namespaces/${namespace}/pods/box/exec?command=cat&stdin=true&stdout=true&tty=true`;
  const {ca, cert, key, token} = target;
  const socket = new WebSocket(url, 'v5.channel.k8s.io', {
    ...(ca && {ca}),
    ...(cert && {cert}),
    ...(key && {key}),
    ...(token && {headers: {authorization: `Bearer ${token}`}}),
  });
  await once(socket, 'open');
  const milliseconds: number[] = [];
  for (let at = 0; at < count; at++) {
    const start = performance.now();
    const echo = once(socket, 'message');
    // A letter: what may begin a card number is held back for a while.
    socket.send(Buffer.from([0, 0x61]));
    await echo;
    milliseconds.push(performance.now() - start);
    await sleep(5);
  }
  socket.close();
  await once(socket, 'close');
  return milliseconds;
}

/** What an event takes to reach all watches, and what open watches take of memory. */
async function manyWatches(ways: readonly Way[]): Promise<void> {
  const connections = watchCount / watchesEach;
  say(
    `\n${watchCount} watches, ${connections} connections over HTTP/2 with ${watchesEach} on each; ${events} events to all:\n`,
  );
  say('| way | p50 ms | p99 ms | gateway MB before | gateway MB with them |');
  say('| --- | ---: | ---: | ---: | ---: |');
  for (const {name, target, pid} of ways) {
    const idle = pid === undefined ? undefined : residentMegabytes(pid);
    const watches = await openWatches(target, connections);
    await sleep(5000);
    const open = pid === undefined ? undefined : residentMegabytes(pid);
    const milliseconds: number[] = [];
    for (let event = 0; event < events; event++) milliseconds.push(...(await watches.event(event)));
    watches.close();
    const columns = [
      quantile(milliseconds, 0.5).toFixed(0),
      quantile(milliseconds, 0.99).toFixed(0),
      idle?.toFixed(0) ?? '–',
      open?.toFixed(0) ?? '–',
    ];
    say(`| ${name} | ${columns.join(' | ')} |`);
    await sleep(5000);
  }
}

async function openWatches(target: Target, connections: number) {
  const sessions: http2.ClientHttp2Session[] = [];
  const headers = target.token === undefined ? {} : {authorization: `Bearer ${target.token}`};
  const path = `/api/v1/namespaces/${namespace}/configmaps?watch=true&fieldSelector=metadata.name%3Dwatched`;
  let seen: number[] = [];
  let allSeen: () => void = () => {};
  for (let opened = 0; opened < connections; opened++) {
    const session = http2.connect(target.origin, {
      ...(target.ca && {ca: target.ca}),
      ...(target.cert && {cert: target.cert}),
      ...(target.key && {key: target.key}),
    });
    sessions.push(session);
    const streams = Array.from({length: watchesEach}, () => session.request({':path': path, ...headers}));
    await Promise.all(streams.map((stream) => once(stream, 'data')));
    for (const stream of streams) {
      stream.on('error', () => {});
      stream.on('data', (chunk: Buffer) => {
        if (!chunk.includes('MODIFIED')) return;
        seen.push(performance.now());
        if (seen.length === watchCount) allSeen();
      });
    }
  }
  return {
    /** Milliseconds from the change to each of the watches. */
    async event(number: number): Promise<number[]> {
      seen = [];
      const all = new Promise<void>((resolve) => {
        allSeen = resolve;
      });
      const start = performance.now();
      await cluster.mustKubectl([
        'patch',
        'configmap',
        'watched',
        '-n',
        namespace,
        '--type=merge',
        '-p',
        `{"data":{"event":"${target.origin} ${number}"}}`,
      ]);
      await all;
      return seen.map((at) => at - start);
    },
    close() {
      for (const session of sessions) session.destroy();
    },
  };
}

async function seed(): Promise<void> {
  const subject = {kind: 'Group', name: 'ai-agents'};
  const objects = [
    {apiVersion: 'v1', kind: 'Namespace', metadata: {name: namespace}},
    {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'watched', namespace}, data: {event: ''}},
    {
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'AgentAccessPolicy',
      metadata: {name: 'bench', namespace},
      spec: {
        subjects: [subject],
        rules: [
          {
            name: 'all',
            effect: 'Allow',
            operations: [{verbs: ['*'], apiGroups: [''], resources: ['pods', 'configmaps'], subresources: ['*']}],
          },
        ],
        masking: [{name: 'cards', detector: 'PAN'}],
      },
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: {name: 'bench'},
      roleRef: {apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin'},
      subjects: [{...subject, apiGroup: 'rbac.authorization.k8s.io'}],
    },
  ];
  await cluster.mustKubectl(['apply', '-f', '-'], {
    input: objects.map((object) => JSON.stringify(object)).join('\n---\n'),
  });
  await startPod(cluster, {namespace, name: 'box'});
  await sleep(2000);
}

/** The median, with the least and the most. */
function spread(sample: readonly number[], digits: number): string {
  const [least, most] = [Math.min(...sample), Math.max(...sample)];
  return `${median(sample).toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

function median(sample: readonly number[]): number {
  return (
    (quantile(sample, 0.5) -
      quantile(
        sample.map((value) => -value),
        0.5,
      )) /
    2
  );
}

function quantile(sample: readonly number[], q: number): number {
  const sorted = [...sample].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
