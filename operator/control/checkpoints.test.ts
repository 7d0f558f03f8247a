import {describe, expect, test} from '@jest/globals';
import winston from 'winston';
import {ManualClock} from '../../test/manualclock.ts';
import {KubeError} from '../kube/error.ts';
import type {Caller} from './caller.ts';
import {createCheckpointRecorder} from './checkpoints.ts';

const hash = (digit: string) => digit.repeat(64);
const gateway: Caller = {
  kind: 'Gateway',
  username: 'system:serviceaccount:lockkeeper-system:gateway',
  namespace: 'lockkeeper-system',
  name: 'gateway',
  groups: [],
};
const sidecar: Caller = {
  kind: 'Sidecar',
  username: 'system:serviceaccount:payments:bot',
  namespace: 'payments',
  name: 'bot',
  groups: [],
};

interface ConfigMap {
  metadata: {resourceVersion?: string};
  data: Record<string, string>;
}

/** An API server with one ConfigMap, which refuses writes on an old resourceVersion as the real one does. */
class ConfigMapServer {
  object: ConfigMap | undefined;
  writes = 0;
  /** Runs before each write: what another replica does in between. */
  meanwhile: () => void = () => {};

  async get<T>(path: string): Promise<T> {
    if (!this.object) {
      throw new KubeError(path, 404, {reason: 'NotFound'});
    }
    return JSON.parse(JSON.stringify(this.object)) as T;
  }
  async create<T>(path: string, body: unknown): Promise<T> {
    this.meanwhile();
    if (this.object) {
      throw new KubeError(path, 409, {reason: 'AlreadyExists'});
    }
    return this.store(body as ConfigMap) as T;
  }
  async update<T>(path: string, body: unknown): Promise<T> {
    this.meanwhile();
    if ((body as ConfigMap).metadata.resourceVersion !== this.object?.metadata.resourceVersion) {
      throw new KubeError(path, 409, {reason: 'Conflict'});
    }
    return this.store(body as ConfigMap) as T;
  }
  store({metadata, data}: ConfigMap): ConfigMap {
    this.writes++;
    this.object = {metadata: {...metadata, resourceVersion: String(this.writes)}, data};
    return this.object;
  }
  get entries() {
    return Object.values(this.object?.data ?? {}).map((text) => JSON.parse(text));
  }
}

function setUp() {
  const server = new ConfigMapServer();
  const events: string[] = [];
  const clock = new ManualClock();
  const replica = () => {
    const recorder = createCheckpointRecorder({
      client: server,
      rootNamespace: 'lockkeeper-system',
      events: {record: (_regarding, {reason}) => void events.push(reason)},
      clock,
      log: winston.createLogger({silent: true}),
    });
    /** Also lets the time pass that lies between two writes. */
    const record: typeof recorder.record = async (caller, checkpoint) => {
      const recorded = recorder.record(caller, checkpoint);
      recorded.catch(() => undefined);
      await clock.advance(1000);
      return recorded;
    };
    return {record};
  };
  return {server, events, clock, replica, ...replica()};
}

test('a checkpoint is stored with the operator’s clock and the proven name of the proxy', async () => {
  const {record, server} = setUp();
  await record(gateway, {origin: 'gw-0', sequence: 4, hash: hash('a')});
  expect(server.entries).toEqual([
    {origin: 'gw-0', sequence: 4, hash: hash('a'), time: '2026-01-01T00:00:00.000Z', proxy: gateway.username},
  ]);
});

describe('after sequence 4 of a chain', () => {
  test.each([
    ['5 is stored', 5, 'b', 'Stored'],
    ['4 with the same hash is stored', 4, 'a', 'Stored'],
    ['4 with another hash is refused', 4, 'b', 'AuditChainRegressed'],
    ['3 is refused', 3, 'b', 'AuditChainRegressed'],
    ['0 is refused', 0, 'b', 'AuditChainRegressed'],
  ])('%s', async (_name, sequence, digit, outcome) => {
    const {record, events, server} = setUp();
    await record(gateway, {origin: 'gw-0', sequence: 4, hash: hash('a')});
    const next = record(gateway, {origin: 'gw-0', sequence, hash: hash(digit)});
    if (outcome === 'Stored') {
      await next;
      expect(server.entries).toEqual([expect.objectContaining({sequence, hash: hash(digit)})]);
    } else {
      await expect(next).rejects.toMatchObject({code: outcome, httpStatus: 409});
      expect(events).toEqual([outcome]);
      expect(server.entries).toEqual([expect.objectContaining({sequence: 4, hash: hash('a')})]);
    }
  });
});

test('another account cannot speak of a chain by naming its origin', async () => {
  const {record, server} = setUp();
  await record(gateway, {origin: 'gw-0', sequence: 4, hash: hash('a')});
  await record(sidecar, {origin: 'gw-0', sequence: 9, hash: hash('b')});
  await record(gateway, {origin: 'gw-0', sequence: 5, hash: hash('c')});
  expect(server.entries.map(({proxy, sequence}) => [proxy, sequence])).toEqual([
    [gateway.username, 5],
    [sidecar.username, 9],
  ]);
});

test('checkpoints that arrive during a write go together into the next', async () => {
  const {record, server} = setUp();
  await Promise.all(
    Array.from({length: 50}, (_, i) => record(gateway, {origin: `gw-${i}`, sequence: 1, hash: hash('a')})),
  );
  expect(server.entries).toHaveLength(50);
  expect(server.writes).toBe(2);
});

test('of two in one write the lower one that came later is refused', async () => {
  const {record} = setUp();
  const first = record(gateway, {origin: 'other', sequence: 1, hash: hash('a')});
  const higher = record(gateway, {origin: 'gw-0', sequence: 9, hash: hash('a')});
  const lower = record(gateway, {origin: 'gw-0', sequence: 8, hash: hash('b')});
  const outcomes = await Promise.allSettled([first, higher, lower]);
  expect(outcomes.map(({status}) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
});

test('two replicas lose nothing to each other', async () => {
  const {replica, server} = setUp();
  const replicas = [replica(), replica()];
  await Promise.all(
    replicas.flatMap(({record}, i) =>
      Array.from({length: 5}, (_, j) => record(gateway, {origin: `gw-${i}-${j}`, sequence: 1, hash: hash('a')})),
    ),
  );
  expect(server.entries).toHaveLength(10);
});

test('what another replica stored in between is not overwritten by a lower sequence', async () => {
  const {record, replica, server} = setUp();
  await record(gateway, {origin: 'gw-0', sequence: 1, hash: hash('a')});
  const key = Object.keys(server.object?.data ?? {})[0] ?? '';
  server.meanwhile = () => {
    server.meanwhile = () => {};
    const entry = {origin: 'gw-0', sequence: 7, hash: hash('c'), time: '2026-01-01T00:00:00Z', proxy: gateway.username};
    server.store({metadata: {}, data: {[key]: JSON.stringify(entry)}});
  };
  const next = replica().record(gateway, {origin: 'gw-0', sequence: 5, hash: hash('b')});
  await expect(next).rejects.toMatchObject({code: 'AuditChainRegressed'});
});

test('of an account with many chains the oldest are forgotten, nobody else’s', async () => {
  const {record, server} = setUp();
  await record(gateway, {origin: 'gw-0', sequence: 1, hash: hash('a')});
  for (let i = 0; i < 103; i++) {
    await record(sidecar, {origin: `pod-${i}`, sequence: 1, hash: hash('a')});
  }
  const origins = server.entries.map(({origin}) => origin);
  expect(origins).toHaveLength(101);
  expect(origins).toEqual(expect.arrayContaining(['gw-0', 'pod-3', 'pod-102']));
  expect(origins).not.toContain('pod-2');
});

test('a write that fails is told to every proxy that waited for it', async () => {
  const {record, server} = setUp();
  server.meanwhile = () => {
    throw new KubeError('write', 500, undefined);
  };
  await expect(record(gateway, {origin: 'gw-0', sequence: 1, hash: hash('a')})).rejects.toMatchObject({code: 500});
  server.meanwhile = () => {};
  await record(gateway, {origin: 'gw-0', sequence: 1, hash: hash('a')});
  expect(server.entries).toHaveLength(1);
});
