import {setTimeout as sleep} from 'node:timers/promises';
import type {Logger} from 'winston';
import type {Bundles} from '../authorize/bundles.ts';
import type {Metrics} from '../serve/metrics.ts';
import type {ControlClient} from './client.ts';

const firstBackoffMilliseconds = 200;
const maximumBackoffMilliseconds = 5_000;

/** Keeps the bundle current for as long as the signal allows: reads the stream, acknowledges, connects anew. */
export async function followBundles(deps: {
  readonly control: ControlClient;
  readonly bundles: Bundles;
  readonly proxy: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: () => number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const {control, bundles, proxy, log, metrics, signal} = deps;
  let backoffMilliseconds = firstBackoffMilliseconds;
  while (!signal.aborted) {
    try {
      for await (const message of control.bundles(signal)) {
        backoffMilliseconds = firstBackoffMilliseconds;
        bundles.heard();
        metrics.operatorLastHeard.setToCurrentTime();
        if (message.type === 'Heartbeat') continue;
        const acknowledgement = bundles.offer(message.bundle, proxy);
        const {result, revision, reason} = acknowledgement;
        metrics.bundles.inc({result});
        if (result === 'Applied') log.info('bundle applied', {revision, policies: message.bundle.policies.length});
        else log.error('bundle rejected, the last good one stays in force', {revision, reason});
        await control.acknowledge(acknowledgement);
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn('bundle stream lost', {error: error instanceof Error ? error.message : String(error)});
    }
    // Jitter: a restarted operator must not meet every proxy at once.
    await sleep(backoffMilliseconds * (0.5 + deps.random()), undefined, {signal}).catch(() => {});
    backoffMilliseconds = Math.min(backoffMilliseconds * 2, maximumBackoffMilliseconds);
  }
}
