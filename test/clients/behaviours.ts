import {randomUUID} from 'node:crypto';
import {readFile, writeFile} from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import {expect} from '@jest/globals';
import type {AgentAccessPolicySpec} from '../../core/api/agentaccesspolicy.ts';
import type {PodContainer} from '../cluster/node/pod.ts';
import {eventually} from '../eventually.ts';
import type {Ability} from './client.ts';
import type {Running} from './running.ts';
import type {Trial} from './trial.ts';

type Rule = NonNullable<AgentAccessPolicySpec['rules']>[number];

/** A client takes some seconds to start on a machine that is busy. */
const patienceSeconds = 60;
/** More than Go opens connections for at once, and fewer than the gateway lets in on one. */
const manyInformers = 200;

const card = '4111111111111111';
const masked = '************1111';

/** The pod into which clients reach, what is refused to them, and the ConfigMap that they find. */
export const pod: {readonly name: string; readonly containers: readonly PodContainer[]} = {
  name: 'box',
  containers: [
    {name: 'main', command: ['sh', '-c', `echo paid with ${card}; exec nc -ll -p 8080 -e cat`]},
    {name: 'echo', command: ['cat'], stdin: true},
  ],
};
const refused = 'refused';
export const refusal: Rule = {
  name: 'no-such-name',
  effect: 'Deny',
  operations: [{verbs: ['create', 'patch'], apiGroups: [''], resources: ['configmaps']}],
  conditions: [
    {
      name: 'is-that-name',
      expression: `(request.verb == 'create' ? object.metadata.name : request.name) == '${refused}'`,
    },
  ],
  message: 'Choose another name.',
};
export const found = {name: 'card', data: {card}};

/** What is expected of a client that does it. */
export const behaviours: Readonly<Record<Ability, (trial: Trial) => Promise<void>>> = {
  list: async (trial) => {
    const {stdout} = await trial.run([]);
    expect(stdout).toContain(masked);
    expect(stdout).not.toContain(card);
  },

  watch: async (trial) => {
    const running = trial.start();
    await seen(running, `ADDED card ${masked}`);
    const name = fresh();
    await trial.make(name, {card});
    await seen(running, `ADDED ${name} ${masked}`);
    await trial.administer('label', 'configmap', name, 'changed=yes');
    await seen(running, `MODIFIED ${name} ${masked}`);
    await trial.administer('delete', 'configmap', name);
    await seen(running, `DELETED ${name} ${masked}`);
    expect(running.stdout).not.toContain(card);
  },

  create: async (trial) => {
    const name = fresh();
    await trial.run([name]);
    expect(await dataOf(trial, name)).toEqual({made: 'yes'});
  },

  patch: async (trial) => {
    const name = fresh();
    // The one field is changed, and the card that the client sees masked stays what it is.
    await trial.make(name, {made: 'yes', card});
    await trial.run([name]);
    expect(await dataOf(trial, name)).toEqual({made: 'yes', card, patched: 'yes'});
  },

  refusal: async (trial) => {
    const {stdout, stderr} = await trial.run([refused], {code: 1});
    expect(stdout + stderr).toContain(`rule ${refusal.name}: ${refusal.message}`);
  },

  logs: async (trial) => {
    const {stdout} = await trial.run([pod.name, 'main']);
    expect(stdout).toContain(`paid with ${masked}\n`);
    expect(stdout).not.toContain(card);
  },

  follow: async (trial) => {
    const running = trial.start(pod.name, 'main');
    await seen(running, `paid with ${masked}`);
    const mark = fresh();
    const script = `echo ${mark} ${card} > /proc/1/fd/1`;
    await trial.administer('exec', pod.name, '--container=main', '--', 'sh', '-c', script);
    await seen(running, `${mark} ${masked}`);
    expect(running.stdout).not.toContain(card);
  },

  exec: async (trial) => {
    const {stdout} = await trial.run([pod.name, 'main', 'sh', '-c', `echo out ${card}`]);
    expect(stdout.trim()).toBe(`out ${masked}`);
  },

  input: async (trial) => {
    const script = `cat; echo err ${card} >&2; exit 3`;
    const {stdout, stderr} = await trial.run([pod.name, 'main', 'sh', '-c', script], {input: `in ${card}\n`, code: 3});
    expect(stdout).toBe(`in ${masked}\n`);
    expect(stderr).toContain(`err ${masked}\n`);
    expect(stderr).not.toContain(card);
  },

  attach: async (trial) => {
    const mark = fresh();
    const running = trial.start(pod.name, 'echo');
    running.child.stdin.write(`${mark} ${card}\n`);
    await seen(running, `${mark} ${masked}`);
    expect(running.stdout).not.toContain(card);
  },

  cp: async (trial) => {
    const name = fresh();
    const file = path.join(trial.stack.environment.directory, name);
    const content = 'Words alone, in which nothing looks like a card.\n'.repeat(10_000);
    await writeFile(file, content);
    await trial.run([file, `${pod.name}:/tmp/${name}`, '--container=main']);
    await trial.run([`${pod.name}:/tmp/${name}`, `${file}-back`, '--container=main']);
    expect(await readFile(`${file}-back`, 'utf8')).toBe(content);
  },

  'port-forward': async (trial) => {
    const running = trial.start(pod.name, '8080');
    const port = await eventually(() => {
      const [, listening] = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(running.stdout) ?? [];
      if (listening === undefined) throw new Error(`not listening: ${running.stderr}`);
      return Number(listening);
    }, patienceSeconds);
    const answers = await Promise.all(['one', card].map((text) => exchanged(port, `${text}\n`)));
    expect(answers).toEqual(['one\n', `${masked}\n`]);
  },

  informers: async (trial) => {
    const running = trial.start('2');
    await seen(running, `ADDED card ${masked}`);
    const {gateway} = trial.stack.environment;
    await gateway.stop();
    const name = fresh();
    await trial.make(name, {card});
    await trial.stack.environment.restartGateway();
    await seen(running, `ADDED ${name} ${masked}`);
    await trial.administer('delete', 'configmap', name);
    await seen(running, `DELETED ${name} ${masked}`);
    expect(running.stdout).not.toContain(card);
  },

  'many informers': async (trial) => {
    const count = String(manyInformers);
    const running = trial.start(count);
    await seen(running, `synced ${count} over HTTP/2.0 on 1 connections, ${count} by WatchList`);
    const name = fresh();
    await trial.make(name, {card});
    await seen(running, `ADDED ${name} ${masked}`);
    expect(running.stdout).not.toContain(card);
  },
};

function fresh(): string {
  return `made-${randomUUID().slice(0, 8)}`;
}

async function seen(running: Running, text: string): Promise<void> {
  await eventually(() => {
    if (!running.stdout.includes(text)) throw new Error(`no "${text}" in ${running.stdout}${running.stderr}`);
  }, patienceSeconds);
}

async function dataOf(trial: Trial, name: string): Promise<unknown> {
  return JSON.parse(await trial.administer('get', 'configmap', name, '--output=json')).data;
}

/** Sends a line over a connection of its own and gives the line that comes back. */
async function exchanged(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  socket.write(text);
  let received = '';
  for await (const chunk of socket) {
    received += chunk;
    if (received.endsWith('\n')) break;
  }
  return received;
}
