import type {Logger} from 'winston';
import type {KubeClient} from './client.ts';
import {type Clock, sleep} from './clock.ts';
import {KubeError} from './error.ts';

export interface ElectionOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** Name of the coordination.k8s.io/v1 Lease that the candidates share. */
  readonly name: string;
  /** Different in every process that runs. */
  readonly identity: string;
  /**
   * The leader's work. Its signal aborts when leadership is lost or the process shuts down; then it must end. A term
   * begins only after the work of the one before has ended.
   */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  /** Told when leadership is won (true) and when it is lost or given up (false). */
  readonly observe: (leading: boolean) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** client-go's defaults: another takes over 15 s after the last renewal; the leader gives up 5 s before that. */
const leaseDurationMilliseconds = 15_000;
const renewDeadlineMilliseconds = 10_000;
const retryPeriodMilliseconds = 2_000;
const jitterFactor = 1.2;

interface Lease {
  readonly apiVersion: 'coordination.k8s.io/v1';
  readonly kind: 'Lease';
  readonly metadata: {readonly name: string; readonly namespace: string; readonly resourceVersion?: string};
  readonly spec?: LeaseSpec;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** `Unknown`: the API server gave no answer, or another candidate wrote at the same moment. */
type Holder = 'Us' | 'Another' | 'Unknown';

/**
 * Leader election with the semantics of client-go's leaderelection: a lease of another counts as held until it was
 * seen unchanged for its duration by this machine's own clock, so clocks need not agree. It does not fence: a leader
 * that was paused may act once more, so irreversible writes carry a resourceVersion precondition.
 */
export class LeaderElection {
  readonly #options: ElectionOptions;
  #observed: {readonly resourceVersion: string; readonly at: number} | undefined;

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  /** Stands for election until the signal aborts; then ends the term, gives the lease back and resolves. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if ((await this.#try(signal)) === 'Us') {
        await this.#term(signal);
      } else {
        const milliseconds = retryPeriodMilliseconds * (1 + this.#options.random() * (jitterFactor - 1));
        await sleep(this.#options.clock, milliseconds, signal);
      }
    }
  }

  async #term(signal: AbortSignal): Promise<void> {
    const {clock, identity, lead, log, name, observe} = this.#options;
    const lost = new AbortController();
    log.info('leadership won', {lease: name, identity});
    observe(true);
    const work = lead(AbortSignal.any([signal, lost.signal])).catch((error: unknown) => {
      log.error('leader work failed', {lease: name, error: messageOf(error)});
    });
    let renewedAt = clock.monotonic();
    const remaining = () => renewedAt + renewDeadlineMilliseconds - clock.monotonic();
    while (!signal.aborted && remaining() > 0) {
      await sleep(clock, Math.min(retryPeriodMilliseconds, remaining()), signal);
      if (signal.aborted || remaining() <= 0) break;
      const attempt = new AbortController();
      const cancel = clock.after(remaining(), () => attempt.abort(new Error('no answer before the renew deadline')));
      const startedAt = clock.monotonic();
      const holder = await this.#try(AbortSignal.any([signal, attempt.signal]));
      cancel();
      if (holder === 'Another') break;
      if (holder === 'Us') renewedAt = startedAt;
    }
    lost.abort();
    observe(false);
    if (!signal.aborted) log.error('leadership lost', {lease: name, identity});
    await work;
    // The work has ended: another may begin at once. Where the lease was lost this fails on its precondition.
    await this.#release();
  }

  /** Takes or renews the lease where that is possible; says who holds it then. */
  async #try(signal: AbortSignal): Promise<Holder> {
    const {client, clock, identity, log, name, namespace} = this.#options;
    const now = new Date(clock.now()).toISOString().replace('Z', '000Z');
    try {
      const lease = await this.#read(signal);
      if (!lease) {
        const spec = specOf(identity, now, now, 0);
        await client.create(leasesPath(namespace), manifest(name, namespace, spec), signal);
        return 'Us';
      }
      const holder = lease.spec?.holderIdentity ?? '';
      if (holder !== identity && holder !== '' && !this.#expired(lease)) return 'Another';
      const spec =
        holder === identity
          ? specOf(identity, lease.spec?.acquireTime ?? now, now, lease.spec?.leaseTransitions ?? 0)
          : specOf(identity, now, now, (lease.spec?.leaseTransitions ?? 0) + 1);
      const path = `${leasesPath(namespace)}/${name}`;
      await client.update(path, manifest(name, namespace, spec, lease.metadata.resourceVersion), signal);
      return 'Us';
    } catch (error) {
      // A conflict is another candidate that was quicker: nothing to tell.
      if (!signal.aborted && !KubeError.hasCode(error, 409)) {
        log.warn('lease not written', {lease: name, error: messageOf(error)});
      }
      return 'Unknown';
    }
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const {client, clock, name, namespace} = this.#options;
    try {
      const lease = await client.get<Lease>(`${leasesPath(namespace)}/${name}`, signal);
      const resourceVersion = lease.metadata.resourceVersion ?? '';
      if (this.#observed?.resourceVersion !== resourceVersion) {
        this.#observed = {resourceVersion, at: clock.monotonic()};
      }
      return lease;
    } catch (error) {
      if (KubeError.hasCode(error, 404)) return undefined;
      throw error;
    }
  }

  #expired(lease: Lease): boolean {
    const {clock} = this.#options;
    const milliseconds = (lease.spec?.leaseDurationSeconds ?? leaseDurationMilliseconds / 1000) * 1000;
    return this.#observed !== undefined && clock.monotonic() >= this.#observed.at + milliseconds;
  }

  async #release(): Promise<void> {
    const {client, clock, identity, log, name, namespace} = this.#options;
    const deadline = new AbortController();
    const cancel = clock.after(retryPeriodMilliseconds, () => deadline.abort(new Error('no answer')));
    try {
      const lease = await this.#read(deadline.signal);
      if (lease?.spec?.holderIdentity !== identity) return;
      const spec = {...lease.spec, holderIdentity: '', leaseDurationSeconds: 1};
      const body = manifest(name, namespace, spec, lease.metadata.resourceVersion);
      await client.update(`${leasesPath(namespace)}/${name}`, body, deadline.signal);
      log.info('leadership given back', {lease: name, identity});
    } catch (error) {
      log.warn('lease not given back', {lease: name, error: messageOf(error)});
    } finally {
      cancel();
    }
  }
}

function specOf(holderIdentity: string, acquireTime: string, renewTime: string, leaseTransitions: number): LeaseSpec {
  const leaseDurationSeconds = leaseDurationMilliseconds / 1000;
  return {holderIdentity, leaseDurationSeconds, acquireTime, renewTime, leaseTransitions};
}

function manifest(name: string, namespace: string, spec: LeaseSpec, resourceVersion?: string): Lease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {name, namespace, ...(resourceVersion !== undefined && {resourceVersion})},
    spec,
  };
}

/** API path of the Leases of a namespace. */
export function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
