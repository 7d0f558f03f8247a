import {describe, expect, test} from '@jest/globals';
import {createLogger} from 'winston';
import {ManualClock} from '../../test/manualclock.ts';
import type {KubeClient, WatchEvent} from '../kube/client.ts';
import {ConnectedProxies, parseProxyLease} from './connectedproxies.ts';

function lease(proxy: string, renewedAt: number, annotations: Record<string, string> = {}) {
  return {
    metadata: {
      namespace: 'lockkeeper-system',
      name: `lockkeeper-proxy-${proxy}`,
      resourceVersion: '5',
      annotations: {'lockkeeper.dev/proxy': proxy, ...annotations},
    },
    spec: {renewTime: new Date(renewedAt).toISOString()},
  };
}

const applied = {
  'lockkeeper.dev/result': 'Applied',
  'lockkeeper.dev/bundle-hash': 'h',
  'lockkeeper.dev/revision': '7',
};

async function setUp(...items: unknown[]) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const events: WatchEvent[] = [];
  const deleted: unknown[] = [];
  let wake: (() => void) | undefined;
  const client: Pick<KubeClient, 'get' | 'watch' | 'delete'> = {
    get: async <T>() => ({metadata: {resourceVersion: '10'}, items}) as T,
    async *watch() {
      for (;;) {
        yield* events.splice(0);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async delete(path, preconditions) {
      deleted.push([path, preconditions]);
    },
  };
  let changes = 0;
  const proxies = new ConnectedProxies({
    client: client as KubeClient,
    rootNamespace: 'lockkeeper-system',
    changed: () => {
      changes += 1;
    },
    clock,
    random: () => 0,
    log: createLogger({silent: true}),
  });
  const start = async () => {
    void proxies.run(stop.signal);
    await clock.advance(200);
  };
  const send = async (type: WatchEvent['type'], object: unknown) => {
    events.push({type, object});
    wake?.();
    await clock.advance(200);
  };
  const names = () => proxies.list().map(({proxy}) => proxy);
  return {clock, stop, deleted, proxies, start, send, names, changes: () => changes};
}

const startedAt = Date.parse('2026-01-01T00:00:00Z');

describe('connected proxies', () => {
  test('are known once the leases were listed, also when there are none', async () => {
    const {proxies, start, changes} = await setUp();
    expect(proxies.synced).toBe(false);
    await start();
    expect(proxies.synced).toBe(true);
    expect(proxies.list()).toEqual([]);
    expect(changes()).toBe(1);
  });

  test('are those whose lease was renewed within 40 seconds, sorted, with what they acknowledged', async () => {
    const {proxies, start} = await setUp(
      lease('b', startedAt - 39_000, applied),
      lease('a', startedAt, {...applied, 'lockkeeper.dev/result': 'Rejected', 'lockkeeper.dev/reason': 'why'}),
      lease('gone', startedAt - 41_000),
      lease('quiet', startedAt),
    );
    await start();
    expect(proxies.list()).toEqual([
      {proxy: 'a', acknowledged: {result: 'Rejected', hash: 'h', revision: '7', reason: 'why'}},
      {proxy: 'b', acknowledged: {result: 'Applied', hash: 'h', revision: '7'}},
      {proxy: 'quiet', acknowledged: undefined},
    ]);
  });

  test('a proxy that is renewed stays, and its renewals are no change', async () => {
    const {clock, names, send, start, changes} = await setUp(lease('a', startedAt, applied));
    await start();
    for (let seconds = 10; seconds <= 120; seconds += 10) {
      await clock.advance(9_800);
      await send('MODIFIED', lease('a', startedAt + seconds * 1000, applied));
    }
    expect(names()).toEqual(['a']);
    expect(changes()).toBe(1);
  });

  test('a proxy that is no longer renewed is gone after 40 seconds, and back with its next renewal', async () => {
    const {clock, names, send, start, changes} = await setUp(lease('a', startedAt));
    await start();
    await clock.advance(39_000);
    expect(names()).toEqual(['a']);
    await clock.advance(6_000);
    expect(names()).toEqual([]);
    expect(changes()).toBe(2);
    await send('MODIFIED', lease('a', startedAt + 46_000));
    expect(names()).toEqual(['a']);
    expect(changes()).toBe(3);
  });

  test('renewals count though the clock of their replica is an hour slow', async () => {
    const hour = 3_600_000;
    const {names, send, start} = await setUp(lease('a', startedAt - hour));
    await start();
    expect(names()).toEqual([]);
    await send('MODIFIED', lease('a', startedAt - hour + 10_000));
    expect(names()).toEqual(['a']);
  });

  test('leases that nobody renewed for an hour are deleted, if they are still the same', async () => {
    const {clock, deleted, start} = await setUp(
      lease('old', startedAt - 3_600_000),
      lease('young', startedAt - 60_000),
    );
    await start();
    await clock.advance(5_000);
    const path = '/apis/coordination.k8s.io/v1/namespaces/lockkeeper-system/leases/lockkeeper-proxy-old';
    expect(deleted[0]).toEqual([path, {resourceVersion: '5'}]);
    expect(deleted.flat()).not.toContainEqual(expect.stringContaining('young'));
  });

  test.each([
    ['the proxy', {metadata: {name: 'x', annotations: {}}, spec: {renewTime: '2026-01-01T00:00:00Z'}}],
    ['the time', {metadata: {name: 'x', annotations: {'lockkeeper.dev/proxy': 'a'}}, spec: {renewTime: 'now'}}],
    ['a spec', {metadata: {name: 'x', annotations: {'lockkeeper.dev/proxy': 'a'}}}],
  ])('a lease without %s is none of a proxy', (_what, object) => {
    expect(() => parseProxyLease(object)).toThrow();
  });
});
