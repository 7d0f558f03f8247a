import {describe, expect, test} from '@jest/globals';
import {createLogger} from 'winston';
import type {Bundle} from '../../core/policy/bundle.ts';
import {ManualClock} from '../../test/manualclock.ts';
import type {Store} from '../kube/client.ts';
import {PolicyController} from './controller.ts';
import {policyKey, type StoredPolicy} from './parse.ts';

class ManualStore implements Store<StoredPolicy> {
  readonly #policies = new Map<string, StoredPolicy>();
  readonly #listeners = new Set<(key: string) => void>();
  readonly synced = true;
  resourceVersion = '1';

  get(key: string): StoredPolicy | undefined {
    return this.#policies.get(key);
  }

  list(): readonly StoredPolicy[] {
    return [...this.#policies.values()];
  }

  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  put(policy: StoredPolicy): void {
    this.#policies.set(policyKey(policy), policy);
    this.#changed(policyKey(policy));
  }

  remove(policy: StoredPolicy): void {
    this.#policies.delete(policyKey(policy));
    this.#changed(policyKey(policy));
  }

  #changed(key: string): void {
    this.resourceVersion = String(Number(this.resourceVersion) + 1);
    for (const listener of this.#listeners) listener(key);
  }
}

function policy(name: string, generation = 1, uid = `uid-${name}`): StoredPolicy {
  return {
    metadata: {namespace: 'payments', name, uid, generation},
    spec: {subjects: [{kind: 'Group', name: 'ai-agents'}], rules: []},
  };
}

function setUp(...policies: StoredPolicy[]) {
  const clock = new ManualClock();
  const store = new ManualStore();
  for (const each of policies) store.put(each);
  const stop = new AbortController();
  let compilations = 0;
  const controller = new PolicyController({
    store,
    rootNamespace: 'lockkeeper-system',
    clock,
    log: createLogger({silent: true}),
    observe: () => {
      compilations += 1;
    },
  });
  const published: Bundle[] = [];
  controller.subscribe((bundle) => published.push(bundle));
  return {clock, store, stop, controller, published, compilations: () => compilations};
}

describe('policy controller', () => {
  test('has no bundle before it runs, and publishes one even of a cluster without policies', () => {
    const {controller, published, stop} = setUp();
    expect(controller.current()).toBeUndefined();
    controller.run(stop.signal);
    expect(controller.current()).toMatchObject({revision: '1', policies: []});
    expect(published).toHaveLength(1);
  });

  test('publishes a changed policy within 50 ms, however long the changes go on', async () => {
    const {clock, controller, published, store, stop} = setUp(policy('a'));
    controller.run(stop.signal);
    for (let generation = 2; generation <= 21; generation += 1) {
      store.put(policy('a', generation));
      await clock.advance(10);
    }
    expect(published.map(({policies}) => policies[0]?.generation)).toEqual([1, 6, 11, 16, 21]);
    expect(controller.current()).toBe(published.at(-1));
  });

  test('neither compiles nor publishes again for a change of status or metadata', async () => {
    const {clock, controller, published, store, stop, compilations} = setUp(policy('a'));
    controller.run(stop.signal);
    store.put({...policy('a'), status: {observedGeneration: 1}});
    await clock.advance(1000);
    expect(published).toHaveLength(1);
    expect(compilations()).toBe(1);
  });

  test('a policy deleted and made anew under its name is another policy', async () => {
    const {clock, controller, published, store, stop} = setUp(policy('a'));
    controller.run(stop.signal);
    store.remove(policy('a'));
    store.put(policy('a', 1, 'another'));
    await clock.advance(50);
    expect(published.at(-1)?.policies[0]?.uid).toBe('another');
  });

  test('remembers which generations the bundles held', async () => {
    const {clock, controller, published, store, stop} = setUp(policy('a'), policy('b'));
    controller.run(stop.signal);
    store.put(policy('a', 2));
    await clock.advance(50);
    const [first, second] = published.map(({hash}) => hash);
    const {history} = controller;
    expect(history.holds(first ?? '', policy('a', 1))).toBe(true);
    expect(history.holds(first ?? '', policy('a', 2))).toBe(false);
    expect(history.holds(second ?? '', policy('a', 2))).toBe(true);
    expect(history.holds(first ?? '', policy('b'))).toBe(true);
    expect(history.holds(second ?? '', policy('b'))).toBe(true);
    expect(history.holds('unknown', policy('b'))).toBe(false);
    for (let generation = 3; generation < 60; generation += 1) {
      store.put(policy('a', generation));
      await clock.advance(50);
    }
    expect(history.holds(first ?? '', policy('b'))).toBe(false);
    expect(history.holds(published.at(-1)?.hash ?? '', policy('b'))).toBe(true);
  });

  test('keeps the last good bundle when compiling fails', async () => {
    const {clock, controller, published, store, stop} = setUp(policy('a'));
    controller.run(stop.signal);
    store.put({...policy('b'), spec: null} as unknown as StoredPolicy);
    await clock.advance(50);
    expect(controller.current()).toBe(published[0]);
    store.remove(policy('b'));
    store.put(policy('a', 2));
    await clock.advance(50);
    expect(controller.current()?.policies).toMatchObject([{name: 'a', generation: 2}]);
  });

  test('publishes nothing after it was stopped', async () => {
    const {clock, controller, published, store, stop} = setUp(policy('a'));
    controller.run(stop.signal);
    store.put(policy('a', 2));
    stop.abort();
    await clock.advance(1000);
    store.put(policy('a', 3));
    await clock.advance(1000);
    expect(published).toHaveLength(1);
    expect(clock.pending).toEqual([]);
  });
});
