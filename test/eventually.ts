import {setTimeout as sleep} from 'node:timers/promises';

/** Tries until `attempt` no longer throws and gives its result; after so many seconds throws as it did last. */
export async function eventually<T>(attempt: () => T | Promise<T>, seconds = 20): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}
