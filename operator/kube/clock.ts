/** Time as the operator sees it; passed in so that tests move it by hand. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch: for what is written down. */
  now(): number;
  /** Milliseconds that never go back: for durations and deadlines. */
  monotonic(): number;
  /** Calls back once after `milliseconds`; gives the way to cancel. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `milliseconds`, or at once when the signal aborts; never rejects. */
export function sleep(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      cancel();
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = clock.after(milliseconds, wake);
    signal.addEventListener('abort', wake, {once: true});
  });
}
