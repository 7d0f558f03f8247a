import type {Clock} from '../operator/kube/clock.ts';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #elapsed = 0;
  readonly #startedAt: number;
  readonly #timers = new Set<Timer>();

  /** @param startedAt wall clock, milliseconds since the epoch */
  constructor(startedAt = Date.parse('2026-01-01T00:00:00Z')) {
    this.#startedAt = startedAt;
  }

  now(): number {
    return this.#startedAt + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = {at: this.#elapsed + milliseconds, callback};
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How long until each timer that runs, shortest first. */
  get pending(): readonly number[] {
    return [...this.#timers].map(({at}) => at - this.#elapsed).sort((a, b) => a - b);
  }

  /** Moves on, stopping at every timer on the way; what a timer wakes has run before the next. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#elapsed + milliseconds;
    await settle();
    for (;;) {
      const [next] = [...this.#timers].filter(({at}) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers.delete(next);
      this.#elapsed = Math.max(this.#elapsed, next.at);
      next.callback();
      await settle();
    }
    this.#elapsed = end;
  }
}

/** Lets everything run that waits for nothing but its turn. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
