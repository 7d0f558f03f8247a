import type {Logger} from 'winston';
import type {Acknowledgement, BundleMessage} from '../../core/control/messages.ts';
import type {Bundles} from '../authorize/bundles.ts';
import type {Metrics} from '../serve/metrics.ts';
import type {ControlClient} from './client.ts';

const firstBackoffMilliseconds = 200;
const maximumBackoffMilliseconds = 5_000;

export interface SubscriptionDependencies {
  readonly control: Pick<ControlClient, 'bundles' | 'acknowledge'>;
  readonly bundles: Bundles;
  readonly proxy: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Resolves when the time has passed or the signal has aborted. */
  readonly pause: (milliseconds: number) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Keeps the bundle current for as long as the signal allows: reads the stream, acknowledges, connects anew. */
export async function followBundles(deps: SubscriptionDependencies): Promise<void> {
  const {control, bundles, metrics, log, signal} = deps;
  const acknowledgements = new Acknowledgements(deps);
  let backoffMilliseconds = firstBackoffMilliseconds;
  while (!signal.aborted) {
    try {
      for await (const message of control.bundles(signal)) {
        backoffMilliseconds = firstBackoffMilliseconds;
        bundles.heard();
        metrics.operatorLastHeard.setToCurrentTime();
        if (message.type === 'Bundle') acknowledgements.owe(take(message, deps));
        void acknowledgements.send();
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn('bundle stream lost', {error: messageOf(error)});
    }
    // Jitter: a restarted operator must not meet every proxy at once.
    await deps.pause(backoffMilliseconds * (0.5 + deps.random()));
    backoffMilliseconds = Math.min(backoffMilliseconds * 2, maximumBackoffMilliseconds);
  }
}

function take(
  {bundle}: Extract<BundleMessage, {type: 'Bundle'}>,
  {bundles, proxy, metrics, log}: SubscriptionDependencies,
): Acknowledgement {
  const acknowledgement = bundles.offer(bundle, proxy);
  const {result, revision, reason} = acknowledgement;
  metrics.bundles.inc({result});
  if (result === 'Applied') log.info('bundle applied', {revision, policies: bundle.policies.length});
  else log.error('bundle rejected, the last good one stays in force', {revision, reason});
  return acknowledgement;
}

/** What the operator is still to be told. The next bundle does not wait for it, and its failing ends nothing. */
class Acknowledgements {
  readonly #deps: SubscriptionDependencies;
  #owed: Acknowledgement | undefined;
  #sending = false;

  constructor(deps: SubscriptionDependencies) {
    this.#deps = deps;
  }

  /** Only the latest matters. */
  owe(acknowledgement: Acknowledgement): void {
    this.#owed = acknowledgement;
  }

  /** Sends what is owed; called with each message, so that what failed is tried again with the next heartbeat. */
  async send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#owed !== undefined) {
        const sent = this.#owed;
        await this.#deps.control.acknowledge(sent);
        if (this.#owed === sent) this.#owed = undefined;
      }
    } catch (error) {
      this.#deps.log.warn('bundle not acknowledged', {error: messageOf(error)});
    } finally {
      this.#sending = false;
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
