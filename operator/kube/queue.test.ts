import {describe, expect, test} from '@jest/globals';
import {Registry} from 'prom-client';
import {createLogger} from 'winston';
import {ManualClock, settle} from '../../test/manualclock.ts';
import {createControllerMetrics} from './metrics.ts';
import {KeyedQueue, type Reconcile} from './queue.ts';

function setUp(reconcile: Reconcile, workers = 1) {
  const clock = new ManualClock();
  const registry = new Registry();
  const stop = new AbortController();
  const queue = new KeyedQueue({
    name: 'test',
    reconcile,
    workers,
    clock,
    random: () => 0,
    log: createLogger({silent: true}),
    metrics: createControllerMetrics(registry),
    backoff: {baseMilliseconds: 100, maximumMilliseconds: 1000},
  });
  const value = async (name: string, labels: Record<string, string> = {}) => {
    const found = (await registry.getSingleMetric(name)?.get())?.values ?? [];
    return found.find((each) => Object.entries(labels).every(([key, text]) => each.labels[key] === text))?.value;
  };
  return {clock, queue, stop, value};
}

/** A reconcile whose calls end when the test says so. */
function gated() {
  const calls: {key: string; end: () => void; fail: (error: Error) => void}[] = [];
  const reconcile: Reconcile = (key) =>
    new Promise((resolve, reject) => calls.push({key, end: () => resolve(undefined), fail: reject}));
  return {calls, reconcile};
}

describe('keyed queue', () => {
  test('works a key that was added many times while it waited once', async () => {
    const seen: string[] = [];
    const {queue, stop} = setUp(async (key) => {
      seen.push(key);
      return undefined;
    });
    for (const key of ['a', 'b', 'a', 'a', 'b']) queue.add(key);
    const done = queue.run(stop.signal);
    await settle();
    expect(seen).toEqual(['a', 'b']);
    stop.abort();
    await done;
  });

  test('never gives a key to two workers, and works it once more when it was added meanwhile', async () => {
    const {calls, reconcile} = gated();
    const {queue, stop} = setUp(reconcile, 4);
    const done = queue.run(stop.signal);
    queue.add('a');
    queue.add('a');
    queue.add('a');
    queue.add('b');
    await settle();
    expect(calls.map(({key}) => key)).toEqual(['a', 'b']);
    calls[0]?.end();
    await settle();
    expect(calls.map(({key}) => key)).toEqual(['a', 'b', 'a']);
    for (const {end} of calls) end();
    await settle();
    expect(calls).toHaveLength(3);
    stop.abort();
    await done;
  });

  test('works no more keys at once than it has workers', async () => {
    const {calls, reconcile} = gated();
    const {queue, stop, value} = setUp(reconcile, 2);
    const done = queue.run(stop.signal);
    for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
    await settle();
    expect(calls).toHaveLength(2);
    expect(await value('workqueue_depth')).toBe(3);
    expect(await value('controller_runtime_active_workers')).toBe(2);
    stop.abort();
    for (const {end} of calls) end();
    await done;
  });

  test('retries a failed key with growing waits, and starts over after a success', async () => {
    const {calls, reconcile} = gated();
    const {clock, queue, stop, value} = setUp(reconcile);
    const done = queue.run(stop.signal);
    queue.add('a');
    for (const milliseconds of [100, 200, 400, 800, 1000, 1000]) {
      await settle();
      calls.at(-1)?.fail(new Error('no'));
      await settle();
      expect(clock.pending).toEqual([milliseconds]);
      await clock.advance(milliseconds);
    }
    calls.at(-1)?.end();
    await settle();
    expect(clock.pending).toEqual([]);
    queue.add('a');
    await settle();
    calls.at(-1)?.fail(new Error('no'));
    await settle();
    expect(clock.pending).toEqual([100]);
    expect(await value('workqueue_retries_total')).toBe(7);
    expect(await value('controller_runtime_reconcile_total', {result: 'error'})).toBe(7);
    expect(await value('controller_runtime_reconcile_total', {result: 'success'})).toBe(1);
    stop.abort();
    await done;
  });

  test('comes back to a key when its reconcile asked for it', async () => {
    let calls = 0;
    const {clock, queue, stop} = setUp(async () => {
      calls += 1;
      return calls < 3 ? {requeueAfterMilliseconds: 5000} : undefined;
    });
    const done = queue.run(stop.signal);
    queue.add('a');
    await clock.advance(4999);
    expect(calls).toBe(1);
    await clock.advance(1);
    expect(calls).toBe(2);
    await clock.advance(60_000);
    expect(calls).toBe(3);
    stop.abort();
    await done;
  });

  test('of several wishes for later the earliest counts', async () => {
    let calls = 0;
    const {clock, queue, stop} = setUp(async () => {
      calls += 1;
      return undefined;
    });
    const done = queue.run(stop.signal);
    queue.addAfter('a', 5000);
    queue.addAfter('a', 1000);
    queue.addAfter('a', 3000);
    await clock.advance(1000);
    expect(calls).toBe(1);
    await clock.advance(60_000);
    expect(calls).toBe(1);
    stop.abort();
    await done;
  });

  test('when stopped lets the work under way end, and begins no other', async () => {
    const {calls, reconcile} = gated();
    const {clock, queue, stop} = setUp(reconcile);
    let ended = false;
    const done = queue.run(stop.signal).then(() => {
      ended = true;
    });
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    await settle();
    stop.abort();
    await clock.advance(1000);
    expect(ended).toBe(false);
    calls[0]?.end();
    await done;
    queue.add('d');
    await clock.advance(1000);
    expect(calls.map(({key}) => key)).toEqual(['a']);
    expect(clock.pending).toEqual([]);
  });
});
