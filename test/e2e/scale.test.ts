import type {ClientHttp2Session, ClientHttp2Stream} from 'node:http2';
import path from 'node:path';
import {afterAll, beforeAll, expect, jest, test} from '@jest/globals';
import {eventually} from '../eventually.ts';
import {type AgentClient, lines} from './client.ts';
import {ForgingIssuer, trustIssuer} from './issuer.ts';
import {residentBytes} from './processes.ts';
import {agentGroup, allowEverything, configMap, namespace, Stack} from './stack.ts';

/** Agents, each on a connection of its own. `LOCKKEEPER_SCALE_AGENTS=1000` for a run at full scale. */
const agentCount = Number(process.env.LOCKKEEPER_SCALE_AGENTS ?? 200);
const watchesEach = 10;
const watchCount = agentCount * watchesEach;
/** The API server lets only so many watches begin at once. */
const openedAtOnce = 10;
const bytesForEachWatch = 64 * 1024;

jest.setTimeout(60_000 + agentCount * 1_000);

const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;

let stack: Stack;
let issuer: ForgingIssuer;

interface WatchEvent {
  readonly type: string;
  readonly object: {readonly metadata: {readonly name: string}};
}

/** One watch of an agent: its events as they come, and how its stream ended. */
interface Watch {
  readonly events: AsyncGenerator<WatchEvent, void>;
  readonly stream: ClientHttp2Stream;
}

const sessions: ClientHttp2Session[] = [];
const watches: Watch[] = [];

beforeAll(async () => {
  issuer = await ForgingIssuer.start();
  stack = await Stack.start({policies: {everything: allowEverything()}});
  await trustIssuer(path.join(stack.environment.directory, 'authentication.yaml'), issuer);
  await eventually(async () =>
    expect((await stack.client({token: await token('first')}).call('/api')).status).toBe(200),
  );
});

afterAll(async () => {
  for (const session of sessions) session.destroy();
  await stack?.stop();
  await issuer?.stop();
});

function token(sub: string): Promise<string> {
  return issuer.token({sub, groups: [agentGroup], exp: Math.floor(Date.now() / 1000) + 3600});
}

async function openWatches(client: AgentClient): Promise<void> {
  const session = client.session();
  sessions.push(session);
  for (let opened = 0; opened < watchesEach; opened++) {
    const {stream, headers} = await client.openOn(session, `${configMaps}?watch=1&labelSelector=of=scale`);
    expect(headers[':status']).toBe(200);
    watches.push({stream, events: lines<WatchEvent>(stream)});
  }
}

function quantile(values: readonly number[], q: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * q)] ?? 0;
}

test(`${agentCount} agents with ${watchesEach} watches each all hear of a change`, async () => {
  const {pid} = stack.environment.gateway;
  const before = await residentBytes(pid);
  const opening = performance.now();
  const names = Array.from({length: agentCount}, (_, index) => `agent-${index}`);
  const work = async () => {
    for (let sub = names.pop(); sub !== undefined; sub = names.pop()) {
      await openWatches(stack.client({token: await token(sub)}));
    }
  };
  await Promise.all(Array.from({length: openedAtOnce}, work));
  const openSeconds = (performance.now() - opening) / 1000;
  expect(watches).toHaveLength(watchCount);

  const latencies: number[] = [];
  const sent: number[] = [];
  for (let round = 0; round < 3; round++) {
    const heard = watches.map(async ({events}) => {
      const {value} = await events.next();
      latencies.push(performance.now() - (sent[round] ?? 0));
      return value?.object.metadata.name;
    });
    const name = `scale-${round}`;
    const body = {...configMap(name), metadata: {name, namespace, labels: {of: 'scale'}}};
    sent.push(performance.now());
    expect((await stack.direct().call(configMaps, {method: 'POST', body})).status).toBe(201);
    expect(new Set(await Promise.all(heard))).toEqual(new Set([name]));
  }
  const grown = (await residentBytes(pid)) - before;
  const figures = {
    openSeconds: Math.round(openSeconds),
    p50Milliseconds: Math.round(quantile(latencies, 0.5)),
    p99Milliseconds: Math.round(quantile(latencies, 0.99)),
    grownMegabytes: Math.round(grown / 1e6),
  };
  if (process.env.LOCKKEEPER_SCALE_AGENTS !== undefined) process.stderr.write(`${JSON.stringify(figures)}\n`);
  expect(grown).toBeLessThan(50e6 + watchCount * bytesForEachWatch);
});

test('when the gateway goes down all of them end with a clean frame, and are on record', async () => {
  const ends = watches.map(async ({stream, events}) => {
    for await (const event of events) expect(event.type).toBe('ADDED');
    return stream.rstCode;
  });
  await stack.environment.gateway.stop();
  expect(stack.environment.gateway.exitCode).toBe(0);
  expect(new Set(await Promise.all(ends))).toEqual(new Set([0]));
  await eventually(async () => {
    const outcomes = (await stack.records()).filter(
      ({stage, verb}) => stage === 'ResponseComplete' && verb === 'watch',
    );
    expect(outcomes.filter(({responseStatus}) => responseStatus?.code === 200)).toHaveLength(watchCount);
  });
});
