import {isDeepStrictEqual} from 'node:util';
import type {Logger} from 'winston';
import type {KubeClient} from '../kube/client.ts';
import {type Clock, sleep} from '../kube/clock.ts';
import {KubeError} from '../kube/error.ts';
import {leasesPath} from '../kube/lease.ts';
import {Reflector} from '../kube/reflector.ts';
import {proxyAnnotations, proxyLabel, proxyLeaseSeconds} from './proxies.ts';

/** A connected proxy and what it last acknowledged. */
export interface ConnectedProxy {
  readonly proxy: string;
  readonly acknowledged:
    | {readonly result: 'Applied'; readonly hash: string; readonly revision: string}
    | {readonly result: 'Rejected'; readonly hash: string; readonly revision: string; readonly reason: string}
    | undefined;
}

export interface ProxyLease extends ConnectedProxy {
  readonly name: string;
  readonly resourceVersion: string;
  /** By the clock of the replica that wrote it, milliseconds since the epoch. */
  readonly renewedAt: number;
}

export interface ConnectedProxiesOptions {
  readonly client: KubeClient;
  readonly rootNamespace: string;
  /** Called when a proxy came, went or acknowledged something. */
  readonly changed: () => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

const gatherMilliseconds = 200;
const tickMilliseconds = 5_000;
/** A lease that nobody renewed for this long is deleted. */
const retentionMilliseconds = 60 * 60_000;

/** The leader's view of the proxies of all replicas, from the Leases that the replicas write. */
export class ConnectedProxies {
  readonly #options: ConnectedProxiesOptions;
  readonly #leases: Reflector<ProxyLease>;
  /** When this process saw the renewal: clocks of replicas need not agree. */
  readonly #seen = new Map<string, {readonly renewedAt: number; readonly at: number}>();
  #connected: readonly ConnectedProxy[] = [];
  #compared = false;
  #cancel: (() => void) | undefined;

  constructor(options: ConnectedProxiesOptions) {
    this.#options = options;
    const {client, rootNamespace, clock, random, log} = options;
    const path = `${leasesPath(rootNamespace)}?labelSelector=${encodeURIComponent(`${proxyLabel}=proxy`)}`;
    this.#leases = new Reflector({client, path, parse: parseProxyLease, clock, random, log});
  }

  /** False until the leases were listed: before that nothing can be said of any proxy. */
  get synced(): boolean {
    return this.#compared;
  }

  /** Connected proxies, sorted by name, as of the last time that `changed` was called. */
  list(): readonly ConnectedProxy[] {
    return this.#connected;
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = this.#leases.onChange((key) => {
      if (!this.#leases.get(key)) this.#seen.delete(key.slice(key.indexOf('/') + 1));
      this.#compareSoon();
    });
    await Promise.all([this.#leases.run(signal), this.#tick(signal)]);
    stop();
    this.#cancel?.();
  }

  async #tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#options.clock, this.synced ? tickMilliseconds : gatherMilliseconds, signal);
      if (signal.aborted || !this.#leases.synced) continue;
      this.#compare();
      await this.#deleteOld(signal);
    }
  }

  /** Renewals of a thousand proxies are a hundred events a second: they are looked at together. */
  #compareSoon(): void {
    this.#cancel ??= this.#options.clock.after(gatherMilliseconds, () => {
      this.#cancel = undefined;
      this.#compare();
    });
  }

  #compare(): void {
    const connected = this.#leases
      .list()
      .filter((lease) => this.#isConnected(lease))
      .map(({proxy, acknowledged}) => ({proxy, acknowledged}))
      .sort((a, b) => (a.proxy < b.proxy ? -1 : 1));
    if (this.#compared && isDeepStrictEqual(connected, this.#connected)) return;
    this.#compared = true;
    this.#connected = connected;
    this.#options.changed();
  }

  /** At first sight the lease's own time counts, after that when its renewal was seen. */
  #isConnected({name, renewedAt}: ProxyLease): boolean {
    const {clock} = this.#options;
    let seen = this.#seen.get(name);
    if (seen?.renewedAt !== renewedAt) {
      const age = seen ? 0 : Math.max(0, clock.now() - renewedAt);
      seen = {renewedAt, at: clock.monotonic() - age};
      this.#seen.set(name, seen);
    }
    return clock.monotonic() - seen.at < proxyLeaseSeconds * 1000;
  }

  async #deleteOld(signal: AbortSignal): Promise<void> {
    const {client, clock, log, rootNamespace} = this.#options;
    for (const lease of this.#leases.list()) {
      if (clock.now() - lease.renewedAt < retentionMilliseconds || this.#isConnected(lease)) continue;
      try {
        const {name, resourceVersion} = lease;
        await client.delete(`${leasesPath(rootNamespace)}/${name}`, {resourceVersion}, signal);
      } catch (error) {
        if (KubeError.hasCode(error, 404) || KubeError.hasCode(error, 409)) continue;
        if (!signal.aborted) log.warn('lease not deleted', {lease: lease.name, error: String(error)});
        return;
      }
    }
  }
}

/** Reads a Lease that a replica wrote for a proxy; throws where it is none. */
export function parseProxyLease(object: unknown): ProxyLease {
  const {metadata, spec} = object as {
    metadata: {name: string; resourceVersion?: string; annotations?: Record<string, string>};
    spec?: {renewTime?: string};
  };
  const annotations = metadata.annotations ?? {};
  const proxy = annotations[proxyAnnotations.proxy];
  const renewedAt = Date.parse(spec?.renewTime ?? '');
  if (!proxy) throw new Error(`no annotation ${proxyAnnotations.proxy}`);
  if (Number.isNaN(renewedAt)) throw new Error('no spec.renewTime');
  return {
    name: metadata.name,
    resourceVersion: metadata.resourceVersion ?? '',
    proxy,
    renewedAt,
    acknowledged: acknowledgedOf(annotations),
  };
}

function acknowledgedOf(annotations: Readonly<Record<string, string>>): ConnectedProxy['acknowledged'] {
  const hash = annotations[proxyAnnotations.hash] ?? '';
  const revision = annotations[proxyAnnotations.revision] ?? '';
  switch (annotations[proxyAnnotations.result]) {
    case 'Applied':
      return {result: 'Applied', hash, revision};
    case 'Rejected':
      return {result: 'Rejected', hash, revision, reason: annotations[proxyAnnotations.reason] ?? ''};
    default:
      return undefined;
  }
}
