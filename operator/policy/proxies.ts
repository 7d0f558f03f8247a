import {createHash} from 'node:crypto';
import type {Logger} from 'winston';
import type {Acknowledgement} from '../../core/control/messages.ts';
import type {KubeClient} from '../kube/client.ts';
import type {Clock} from '../kube/clock.ts';
import {KubeError} from '../kube/error.ts';
import {leasesPath} from '../kube/lease.ts';
import type {ControllerMetrics} from '../kube/metrics.ts';
import {KeyedQueue} from '../kube/queue.ts';

/** What the control server tells of the proxies that talk to this replica. */
export interface ProxyRegistry {
  /** A bundle stream of that proxy was opened. */
  connected(proxy: string): void;
  /** One was closed. */
  disconnected(proxy: string): void;
  recordAcknowledgement(acknowledgement: Acknowledgement): void;
}

export interface ProxyLeasesOptions {
  readonly client: KubeClient;
  readonly rootNamespace: string;
  /** This replica. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: ControllerMetrics;
}

export const proxyLabel = 'lockkeeper.dev/component';
/** Annotations of a proxy's Lease. */
export const proxyAnnotations = {
  proxy: 'lockkeeper.dev/proxy',
  revision: 'lockkeeper.dev/revision',
  hash: 'lockkeeper.dev/bundle-hash',
  result: 'lockkeeper.dev/result',
  reason: 'lockkeeper.dev/reason',
} as const;

/** A proxy whose lease was not renewed for this long is not connected to any replica. */
export const proxyLeaseSeconds = 40;
const renewMilliseconds = 10_000;
const maximumReasonLength = 1024;

interface Lease {
  readonly metadata: {readonly resourceVersion?: string; readonly annotations?: Readonly<Record<string, string>>};
}

interface KnownProxy {
  streams: number;
  /** Acknowledged, but not yet written. */
  pending: Acknowledgement | undefined;
  /** As last written, so that a renewal is one request. */
  lease: Lease | undefined;
}

/**
 * Shares with the leader what this replica knows of its proxies: one Lease for each. An acknowledgement may reach
 * another replica than the stream, so both write the same Lease: by update with resourceVersion, each only its part.
 */
export class ProxyLeases implements ProxyRegistry {
  readonly #options: ProxyLeasesOptions;
  readonly #proxies = new Map<string, KnownProxy>();
  readonly #queue: KeyedQueue;

  constructor(options: ProxyLeasesOptions) {
    this.#options = options;
    const {clock, random, log, metrics} = options;
    this.#queue = new KeyedQueue({
      name: 'proxylease',
      reconcile: (proxy, signal) => this.#write(proxy, signal),
      workers: 4,
      clock,
      random,
      log,
      metrics,
      backoff: {baseMilliseconds: 50, maximumMilliseconds: renewMilliseconds},
    });
  }

  connected(proxy: string): void {
    const known = this.#known(proxy);
    known.streams += 1;
    if (known.streams === 1) this.#queue.add(proxy);
  }

  disconnected(proxy: string): void {
    const known = this.#proxies.get(proxy);
    if (!known) return;
    known.streams = Math.max(0, known.streams - 1);
    this.#forgetIfDone(proxy, known);
  }

  recordAcknowledgement(acknowledgement: Acknowledgement): void {
    this.#known(acknowledgement.proxy).pending = acknowledgement;
    this.#queue.add(acknowledgement.proxy);
  }

  /** Writes and renews until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#queue.run(signal);
  }

  #known(proxy: string): KnownProxy {
    const known = this.#proxies.get(proxy) ?? {streams: 0, pending: undefined, lease: undefined};
    this.#proxies.set(proxy, known);
    return known;
  }

  #forgetIfDone(proxy: string, known: KnownProxy): void {
    if (known.streams === 0 && !known.pending) this.#proxies.delete(proxy);
  }

  async #write(proxy: string, signal: AbortSignal): Promise<{requeueAfterMilliseconds: number} | undefined> {
    const known = this.#proxies.get(proxy);
    if (!known || (known.streams === 0 && !known.pending)) return undefined;
    const {client, rootNamespace} = this.#options;
    const path = `${leasesPath(rootNamespace)}/${leaseName(proxy)}`;
    const {pending} = known;
    try {
      const before = known.lease ?? (await client.get<Lease>(path, signal));
      known.lease = await client.update<Lease>(path, this.#manifest(proxy, pending, before), signal);
    } catch (error) {
      known.lease = undefined;
      if (!KubeError.hasCode(error, 404)) throw error;
      known.lease = await client.create<Lease>(
        leasesPath(rootNamespace),
        this.#manifest(proxy, pending, undefined),
        signal,
      );
    }
    if (known.pending === pending) known.pending = undefined;
    this.#forgetIfDone(proxy, known);
    return known.streams > 0 ? {requeueAfterMilliseconds: renewMilliseconds} : undefined;
  }

  #manifest(proxy: string, pending: Acknowledgement | undefined, before: Lease | undefined): unknown {
    const {clock, identity, rootNamespace} = this.#options;
    const resourceVersion = before?.metadata.resourceVersion;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: leaseName(proxy),
        namespace: rootNamespace,
        labels: {[proxyLabel]: 'proxy'},
        annotations: {
          ...before?.metadata.annotations,
          [proxyAnnotations.proxy]: proxy,
          ...(pending && {
            [proxyAnnotations.revision]: pending.revision,
            [proxyAnnotations.hash]: pending.hash,
            [proxyAnnotations.result]: pending.result,
            [proxyAnnotations.reason]: (pending.reason ?? '').slice(0, maximumReasonLength),
          }),
        },
        ...(resourceVersion !== undefined && {resourceVersion}),
      },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: proxyLeaseSeconds,
        renewTime: new Date(clock.now()).toISOString().replace('Z', '000Z'),
      },
    };
  }
}

/** Proxies name themselves freely; a Lease's name is a DNS label. */
export function leaseName(proxy: string): string {
  return `lockkeeper-proxy-${createHash('sha256').update(proxy).digest('hex').slice(0, 32)}`;
}
