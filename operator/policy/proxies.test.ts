import {describe, expect, test} from '@jest/globals';
import {Registry} from 'prom-client';
import {createLogger} from 'winston';
import type {Acknowledgement} from '../../core/control/messages.ts';
import {ManualClock, settle} from '../../test/manualclock.ts';
import type {KubeClient} from '../kube/client.ts';
import {KubeError} from '../kube/error.ts';
import {createControllerMetrics} from '../kube/metrics.ts';
import {leaseName, ProxyLeases} from './proxies.ts';

interface Lease {
  metadata: {
    name: string;
    resourceVersion?: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  };
  spec: {holderIdentity: string; renewTime: string; leaseDurationSeconds: number};
}

/** Leases with the API server's rules for resourceVersion. */
class LeaseServer {
  readonly leases = new Map<string, Lease>();
  readonly writes: string[] = [];
  #version = 0;

  readonly client = {
    get: async <T>(path: string) => structuredClone(this.#stored(path)) as T,
    create: async <T>(_path: string, body: unknown) => this.#store('create', body as Lease) as T,
    update: async <T>(path: string, body: unknown) => {
      const lease = body as Lease;
      if (this.#stored(path).metadata.resourceVersion !== lease.metadata.resourceVersion) {
        throw new KubeError('PUT', 409, {reason: 'Conflict'});
      }
      return this.#store('update', lease) as T;
    },
  } as KubeClient;

  lease(proxy: string): Lease | undefined {
    return this.leases.get(leaseName(proxy));
  }

  #stored(path: string): Lease {
    const lease = this.leases.get(path.split('/').at(-1) ?? '');
    if (!lease) throw new KubeError('GET', 404, {reason: 'NotFound'});
    return lease;
  }

  #store(verb: string, body: Lease): Lease {
    this.#version += 1;
    const lease = structuredClone(body);
    lease.metadata.resourceVersion = String(this.#version);
    this.leases.set(lease.metadata.name, lease);
    this.writes.push(verb);
    return structuredClone(lease);
  }
}

function replica(identity: string, server: LeaseServer, clock: ManualClock) {
  const stop = new AbortController();
  const leases = new ProxyLeases({
    client: server.client,
    rootNamespace: 'lockkeeper-system',
    identity,
    clock,
    random: () => 0,
    log: createLogger({silent: true}),
    metrics: createControllerMetrics(new Registry()),
  });
  const done = leases.run(stop.signal);
  return {leases, stop, done};
}

function acknowledgement(hash: string, result: 'Applied' | 'Rejected' = 'Applied', reason?: string): Acknowledgement {
  return {proxy: 'ns/gateway/1', revision: `r-${hash}`, hash, result, ...(reason !== undefined && {reason})};
}

describe('proxy leases', () => {
  test('hold who the proxy is and what it acknowledged', async () => {
    const server = new LeaseServer();
    const {leases} = replica('a', server, new ManualClock());
    leases.connected('ns/gateway/1');
    await settle();
    expect(server.lease('ns/gateway/1')?.metadata.annotations).toEqual({'lockkeeper.dev/proxy': 'ns/gateway/1'});
    leases.recordAcknowledgement(acknowledgement('h1', 'Rejected', 'unknown field'));
    await settle();
    expect(server.lease('ns/gateway/1')).toMatchObject({
      metadata: {
        name: expect.stringMatching(/^lockkeeper-proxy-[0-9a-f]{32}$/),
        labels: {'lockkeeper.dev/component': 'proxy'},
        annotations: {
          'lockkeeper.dev/proxy': 'ns/gateway/1',
          'lockkeeper.dev/revision': 'r-h1',
          'lockkeeper.dev/bundle-hash': 'h1',
          'lockkeeper.dev/result': 'Rejected',
          'lockkeeper.dev/reason': 'unknown field',
        },
      },
      spec: {holderIdentity: 'a', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z'},
    });
  });

  test('are renewed every ten seconds by one write while a stream is open', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const {leases} = replica('a', server, clock);
    leases.connected('p');
    leases.connected('p');
    await clock.advance(30_000);
    expect(server.writes).toEqual(['create', 'update', 'update', 'update']);
    expect(server.lease('p')?.spec.renewTime).toBe('2026-01-01T00:00:30.000000Z');
    leases.disconnected('p');
    await clock.advance(10_000);
    expect(server.writes).toHaveLength(5);
    leases.disconnected('p');
    await clock.advance(60_000);
    expect(server.writes).toHaveLength(5);
  });

  test('keep what another replica wrote: the stream of one, the acknowledgement of the other', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const a = replica('a', server, clock);
    const b = replica('b', server, clock);
    a.leases.connected('ns/gateway/1');
    await clock.advance(5000);
    b.leases.recordAcknowledgement(acknowledgement('h1'));
    await clock.advance(20_000);
    expect(server.lease('ns/gateway/1')).toMatchObject({
      metadata: {annotations: {'lockkeeper.dev/bundle-hash': 'h1', 'lockkeeper.dev/result': 'Applied'}},
      spec: {holderIdentity: 'a'},
    });
    b.leases.recordAcknowledgement(acknowledgement('h2'));
    await clock.advance(20_000);
    expect(server.lease('ns/gateway/1')?.metadata.annotations['lockkeeper.dev/bundle-hash']).toBe('h2');
  });

  test('an acknowledgement that could not be written is written later, the newest alone', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const {leases} = replica('a', server, clock);
    const {create} = server.client;
    server.client.create = () => Promise.reject(new KubeError('POST', 500, undefined));
    leases.recordAcknowledgement(acknowledgement('h1'));
    await clock.advance(1000);
    leases.recordAcknowledgement(acknowledgement('h2'));
    await clock.advance(1000);
    server.client.create = create;
    await clock.advance(20_000);
    expect(server.writes).toEqual(['create']);
    expect(server.lease('ns/gateway/1')?.metadata.annotations['lockkeeper.dev/bundle-hash']).toBe('h2');
  });

  test('nothing is written after the replica stopped', async () => {
    const clock = new ManualClock();
    const server = new LeaseServer();
    const {leases, stop, done} = replica('a', server, clock);
    leases.connected('p');
    await settle();
    stop.abort();
    await done;
    leases.recordAcknowledgement(acknowledgement('h1'));
    await clock.advance(60_000);
    expect(server.writes).toEqual(['create']);
  });
});
