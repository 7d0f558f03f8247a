import type {Logger} from 'winston';
import {type BackoffOptions, backoffMilliseconds} from './backoff.ts';
import type {Clock} from './clock.ts';
import type {ControllerMetrics} from './metrics.ts';

/** Brings one key to its desired state. A rejection is retried with backoff; a number asks to be called again then. */
export type Reconcile = (
  key: string,
  signal: AbortSignal,
) => Promise<{readonly requeueAfterMilliseconds: number} | undefined>;

export interface QueueOptions {
  /** Label of the metrics and of the log lines. */
  readonly name: string;
  readonly reconcile: Reconcile;
  /** How many keys at once. */
  readonly workers: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: ControllerMetrics;
  readonly backoff?: BackoffOptions;
}

/**
 * The keyed queue of controller-runtime: a key that waits is not queued again; a key being worked on is never given to
 * a second worker, and when it is added meanwhile it comes back once after the first is done.
 */
export class KeyedQueue {
  readonly #options: QueueOptions;
  readonly #backoff: BackoffOptions;
  /** Insertion order is the order of work; the value is when the key was added. */
  readonly #waiting = new Map<string, number>();
  readonly #working = new Set<string>();
  readonly #dirty = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, {readonly at: number; readonly cancel: () => void}>();
  #signal: AbortSignal | undefined;
  #idle: (() => void) | undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? {baseMilliseconds: 50, maximumMilliseconds: 60_000};
  }

  /** Adds the key now. What is added before `run` waits for it. */
  add(key: string): void {
    if (this.#signal?.aborted) return;
    if (this.#working.has(key)) {
      if (!this.#dirty.has(key)) this.#options.metrics.added(this.#options.name);
      this.#dirty.add(key);
      return;
    }
    if (this.#waiting.has(key)) return;
    this.#waiting.set(key, this.#options.clock.monotonic());
    this.#options.metrics.added(this.#options.name);
    this.#pump();
  }

  /** Adds the key after that time; of several such wishes for a key the earliest counts. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#signal?.aborted) return;
    if (milliseconds <= 0) {
      this.add(key);
      return;
    }
    const at = this.#options.clock.monotonic() + milliseconds;
    const earlier = this.#timers.get(key);
    if (earlier && earlier.at <= at) return;
    earlier?.cancel();
    const cancel = this.#options.clock.after(milliseconds, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, {at, cancel});
  }

  /** Works until the signal aborts; resolves when the keys then being worked on are done. Runs once. */
  run(signal: AbortSignal): Promise<void> {
    if (this.#signal) throw new Error(`queue ${this.#options.name} was run before`);
    this.#signal = signal;
    return new Promise((resolve) => {
      this.#idle = resolve;
      if (signal.aborted) this.#stop();
      else signal.addEventListener('abort', () => this.#stop(), {once: true});
      this.#pump();
    });
  }

  #stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#waiting.clear();
    this.#dirty.clear();
    this.#options.metrics.depth(this.#options.name, 0);
    if (this.#working.size === 0) this.#idle?.();
  }

  #pump(): void {
    const signal = this.#signal;
    if (signal && !signal.aborted) {
      for (const [key, addedAt] of this.#waiting) {
        if (this.#working.size >= this.#options.workers) break;
        this.#waiting.delete(key);
        this.#working.add(key);
        this.#work(key, addedAt, signal).catch((error: unknown) => {
          this.#options.log.error('queue failed', {queue: this.#options.name, key, error: String(error)});
        });
      }
    }
    this.#options.metrics.depth(this.#options.name, this.#waiting.size);
  }

  async #work(key: string, addedAt: number, signal: AbortSignal): Promise<void> {
    const {name, clock, metrics, log} = this.#options;
    const startedAt = clock.monotonic();
    metrics.started(name, (startedAt - addedAt) / 1000);
    try {
      const again = await this.#options.reconcile(key, signal);
      this.#failures.delete(key);
      metrics.finished(name, again ? 'requeue_after' : 'success', (clock.monotonic() - startedAt) / 1000);
      if (again) this.addAfter(key, again.requeueAfterMilliseconds);
    } catch (error) {
      metrics.finished(name, 'error', (clock.monotonic() - startedAt) / 1000);
      if (!signal.aborted) {
        const failures = (this.#failures.get(key) ?? 0) + 1;
        this.#failures.set(key, failures);
        const milliseconds = backoffMilliseconds(failures, this.#backoff, this.#options.random);
        log.warn('reconcile failed', {
          controller: name,
          key,
          failures,
          retrySeconds: milliseconds / 1000,
          error: error instanceof Error ? error.message : String(error),
        });
        metrics.retried(name);
        this.addAfter(key, milliseconds);
      }
    } finally {
      this.#working.delete(key);
      if (signal.aborted) {
        if (this.#working.size === 0) this.#idle?.();
      } else {
        if (this.#dirty.delete(key)) this.#waiting.set(key, clock.monotonic());
        this.#pump();
      }
    }
  }
}
