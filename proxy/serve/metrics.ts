import {Counter, collectDefaultMetrics, Gauge, Histogram, Registry} from 'prom-client';
import type {MaskedValues} from '../../core/mask/counts.ts';

const panResourcesAtMost = 256;

/** Everything that the proxy counts; docs/reference/metrics.md is made from it. */
export class Metrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];
  readonly #requests = new Counter({
    name: 'lockkeeper_proxy_requests_total',
    help: 'Calls of agents by verb, HTTP code of the answer and outcome: Forwarded, ClientGone, BrokenOff, or why it was refused.',
    labelNames: ['verb', 'code', 'outcome'] as const,
    registers: this.#registers,
  });
  readonly #requestDuration = new Histogram({
    name: 'lockkeeper_proxy_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer, by verb.',
    labelNames: ['verb'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: this.#registers,
  });
  readonly #masked = new Counter({
    name: 'lockkeeper_proxy_masked_total',
    help: 'Values masked in responses, by detector.',
    labelNames: ['detector'] as const,
    registers: this.#registers,
  });
  readonly #panUnexpected = new Counter({
    name: 'lockkeeper_proxy_pan_unexpected_total',
    help: 'Card numbers found in answers for which a policy expects none, by resource.',
    labelNames: ['resource'] as const,
    registers: this.#registers,
  });
  readonly inFlight = new Gauge({
    name: 'lockkeeper_proxy_requests_in_flight',
    help: 'Calls under way by kind: short, or long (watches and followed logs).',
    labelNames: ['kind'] as const,
    registers: this.#registers,
  });
  readonly streamsEnded = new Counter({
    name: 'lockkeeper_proxy_streams_ended_total',
    help: 'Calls that last and were ended because they were permitted no longer, by why: the code of the refusal.',
    labelNames: ['reason'] as const,
    registers: this.#registers,
  });
  readonly bundles = new Counter({
    name: 'lockkeeper_proxy_bundles_total',
    help: 'Bundles received from the operator by result: Applied or Rejected.',
    labelNames: ['result'] as const,
    registers: this.#registers,
  });
  readonly operatorLastHeard = new Gauge({
    name: 'lockkeeper_proxy_operator_last_heard_timestamp_seconds',
    help: 'When the operator was last heard, in seconds since the epoch.',
    registers: this.#registers,
  });
  readonly auditLines = new Counter({
    name: 'lockkeeper_proxy_audit_lines_total',
    help: 'Lines written durably to the audit log.',
    registers: this.#registers,
  });
  readonly auditBatchLines = new Histogram({
    name: 'lockkeeper_proxy_audit_batch_lines',
    help: 'Lines that shared one durable write.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    registers: this.#registers,
  });
  readonly auditErrors = new Counter({
    name: 'lockkeeper_proxy_audit_write_errors_total',
    help: 'Writes to the audit log that failed; calls are refused until one succeeds.',
    registers: this.#registers,
  });
  readonly auditDroppedLines = new Counter({
    name: 'lockkeeper_proxy_audit_dropped_lines_total',
    help: 'Outcome lines lost while the audit log could not be written; the log says so itself.',
    registers: this.#registers,
  });
  readonly checkpoints = new Counter({
    name: 'lockkeeper_proxy_audit_checkpoints_total',
    help: 'Heads of the audit chain told to the operator by result: Sent or Failed.',
    labelNames: ['result'] as const,
    registers: this.#registers,
  });
  readonly authenticationReloads = new Counter({
    name: 'lockkeeper_proxy_authentication_reloads_total',
    help: 'Reloads of the AuthenticationConfiguration file by result: Applied or Rejected.',
    labelNames: ['result'] as const,
    registers: this.#registers,
  });
  readonly #panResources = new Set<string>();
  /** Looking a labelled child up is dear; few combinations occur. */
  readonly #children = new Map<string, {inc(): void; observe(seconds: number): void}>();

  constructor() {
    collectDefaultMetrics({register: this.registry});
  }

  /** Counts card numbers where policy expects none. Agents choose what they ask for, so the resources are bounded. */
  panUnexpected(resource: string, count: number): void {
    const isKnown = this.#panResources.has(resource) || this.#panResources.size < panResourcesAtMost;
    if (isKnown) this.#panResources.add(resource);
    this.#panUnexpected.labels(isKnown ? resource : 'other').inc(count);
  }

  /** Counts one call that has ended. */
  finished(verb: string, code: number, outcome: string, seconds: number, masked: MaskedValues): void {
    const key = `${verb} ${code} ${outcome}`;
    let child = this.#children.get(key);
    if (child === undefined) {
      const counter = this.#requests.labels(verb, String(code), outcome);
      const histogram = this.#requestDuration.labels(verb);
      child = {inc: () => counter.inc(), observe: (value) => histogram.observe(value)};
      this.#children.set(key, child);
    }
    child.inc();
    child.observe(seconds);
    for (const detector in masked) this.#masked.labels(detector).inc(masked[detector as keyof MaskedValues]);
  }
}
