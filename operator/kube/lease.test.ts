import {describe, expect, test} from '@jest/globals';
import {createLogger} from 'winston';
import {ManualClock, settle} from '../../test/manualclock.ts';
import type {KubeClient} from './client.ts';
import {KubeConnectionError, KubeError} from './error.ts';
import {LeaderElection} from './lease.ts';

interface StoredLease {
  metadata: {resourceVersion?: string};
  spec: {holderIdentity: string; leaseDurationSeconds: number; leaseTransitions: number; renewTime: string};
}

/** One Lease with the API server's rules for resourceVersion. */
class LeaseServer {
  lease: StoredLease | undefined;
  #version = 0;
  /** Identities whose requests fail, and those whose requests are never answered. */
  readonly unreachable = new Set<string>();
  readonly silent = new Set<string>();

  client(identity: string): KubeClient {
    const reach = async (signal: AbortSignal | undefined) => {
      if (this.unreachable.has(identity)) throw new KubeConnectionError('connect ECONNREFUSED');
      if (!this.silent.has(identity)) return;
      await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    };
    const client: Pick<KubeClient, 'get' | 'create' | 'update'> = {
      get: async <T>(_path: string, signal?: AbortSignal) => {
        await reach(signal);
        if (!this.lease) throw new KubeError('GET', 404, {reason: 'NotFound'});
        return structuredClone(this.lease) as T;
      },
      create: async <T>(_path: string, body: unknown, signal?: AbortSignal) => {
        await reach(signal);
        if (this.lease) throw new KubeError('POST', 409, {reason: 'AlreadyExists'});
        return this.#store(body) as T;
      },
      update: async <T>(_path: string, body: unknown, signal?: AbortSignal) => {
        await reach(signal);
        const {resourceVersion} = (body as StoredLease).metadata;
        if (resourceVersion !== this.lease?.metadata.resourceVersion) {
          throw new KubeError('PUT', 409, {reason: 'Conflict'});
        }
        return this.#store(body) as T;
      },
    };
    return client as KubeClient;
  }

  /** A foreign process takes the lease, as after a pause of this one. */
  seize(identity: string): void {
    if (!this.lease) throw new Error('no lease');
    this.#store({...this.lease, spec: {...this.lease.spec, holderIdentity: identity}});
  }

  #store(body: unknown): StoredLease {
    this.#version += 1;
    this.lease = structuredClone(body) as StoredLease;
    this.lease.metadata.resourceVersion = String(this.#version);
    return structuredClone(this.lease);
  }
}

function candidate(identity: string, server: LeaseServer, clock: ManualClock, workMilliseconds = 0) {
  const stop = new AbortController();
  const observed: boolean[] = [];
  const terms: AbortSignal[] = [];
  let working = false;
  const election = new LeaderElection({
    client: server.client(identity),
    namespace: 'lockkeeper-system',
    name: 'lockkeeper-operator',
    identity,
    async lead(signal) {
      working = true;
      terms.push(signal);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      await new Promise<void>((resolve) => {
        if (workMilliseconds === 0) resolve();
        else clock.after(workMilliseconds, resolve);
      });
      working = false;
    },
    observe: (leading) => observed.push(leading),
    clock,
    random: () => 0,
    log: createLogger({silent: true}),
  });
  const done = election.run(stop.signal);
  return {
    stop: () => stop.abort(),
    done,
    observed,
    terms,
    get working() {
      return working;
    },
  };
}

describe('leader election', () => {
  test('the first candidate leads and renews; the second waits', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const a = candidate('a', server, clock);
    await settle();
    const b = candidate('b', server, clock);
    await clock.advance(60_000);
    expect(a.observed).toEqual([true]);
    expect(b.observed).toEqual([]);
    expect(server.lease?.spec).toMatchObject({holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0});
    expect(server.lease?.spec.renewTime).toBe('2026-01-01T00:01:00.000000Z');
    a.stop();
    b.stop();
    await Promise.all([a.done, b.done]);
  });

  test('shutting down ends the work first and then gives the lease back, so another leads at once', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const a = candidate('a', server, clock, 3000);
    await clock.advance(500);
    const b = candidate('b', server, clock);
    await clock.advance(4500);
    a.stop();
    await clock.advance(2999);
    expect(a.working).toBe(true);
    expect(server.lease?.spec.holderIdentity).toBe('a');
    await clock.advance(1);
    await a.done;
    expect(server.lease?.spec).toMatchObject({holderIdentity: '', leaseDurationSeconds: 1});
    await clock.advance(2000);
    expect(b.observed).toEqual([true]);
    expect(server.lease?.spec).toMatchObject({holderIdentity: 'b', leaseTransitions: 1});
    b.stop();
    await b.done;
  });

  test('a leader that cannot renew stops before another may take over', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const a = candidate('a', server, clock);
    await settle();
    const b = candidate('b', server, clock);
    await clock.advance(20_000);
    server.unreachable.add('a');
    await clock.advance(9_999);
    expect(a.observed).toEqual([true]);
    await clock.advance(1);
    expect(a.observed).toEqual([true, false]);
    expect(a.terms[0]?.aborted).toBe(true);
    expect(b.observed).toEqual([]);
    await clock.advance(7_000);
    expect(b.observed).toEqual([true]);
    server.unreachable.clear();
    await clock.advance(30_000);
    expect(a.observed).toEqual([true, false]);
    a.stop();
    b.stop();
    await Promise.all([a.done, b.done]);
  });

  test('an API server that does not answer counts as one that cannot be reached', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const a = candidate('a', server, clock);
    await clock.advance(4000);
    server.silent.add('a');
    await clock.advance(10_000);
    expect(a.observed).toEqual([true, false]);
    server.silent.clear();
    a.stop();
    await clock.advance(10_000);
    await a.done;
  });

  test('a leader whose lease another holds stops at its next renewal', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const a = candidate('a', server, clock);
    await clock.advance(4000);
    server.seize('b');
    await clock.advance(2000);
    expect(a.observed).toEqual([true, false]);
    expect(server.lease?.spec.holderIdentity).toBe('b');
    a.stop();
    await a.done;
    expect(server.lease?.spec.holderIdentity).toBe('b');
  });

  test('no term begins before the work of the one before has ended', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const a = candidate('a', server, clock, 60_000);
    await settle();
    server.unreachable.add('a');
    await clock.advance(10_000);
    server.unreachable.clear();
    await clock.advance(59_000);
    expect(a.terms).toHaveLength(1);
    await clock.advance(20_000);
    expect(a.terms).toHaveLength(2);
    a.stop();
    await clock.advance(60_000);
    await a.done;
  });

  test('a lease counts as held for its duration by the local clock, whatever time it says', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const a = candidate('a', server, clock);
    await settle();
    a.stop();
    await a.done;
    server.seize('gone');
    if (server.lease)
      server.lease.spec = {...server.lease.spec, leaseDurationSeconds: 15, renewTime: '1970-01-01T00:00:00Z'};
    const b = candidate('b', server, clock);
    await clock.advance(14_000);
    expect(b.observed).toEqual([]);
    await clock.advance(2000);
    expect(b.observed).toEqual([true]);
    b.stop();
    await b.done;
  });
});
