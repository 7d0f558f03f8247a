import {mkdir, rm, stat, utimes} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';

const heartbeatMilliseconds = 2_000;
const staleMilliseconds = 30_000;

/**
 * Runs `work` while no other process does so under the same lock. The lock is a directory that its holder touches every
 * two seconds; one untouched for half a minute belonged to a process that was killed, and is taken over. (A process id
 * would mean nothing to a container that shares the cache.) Should two take it over at once, both work: what is done
 * under this lock is put in place atomically, so that costs time and nothing else.
 */
export async function withLock<T>(directory: string, log: (line: string) => void, work: () => Promise<T>): Promise<T> {
  for (let told = false; !(await acquire(directory)); told = true) {
    if (!told) log(`Waiting for the process that holds ${directory} (one that was killed: half a minute)...`);
    await sleep(500);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    // Gone only if taken over as stale, after this process was suspended: harmless, see above.
    utimes(directory, now, now).catch(() => {});
  }, heartbeatMilliseconds);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(directory, {recursive: true, force: true});
  }
}

async function acquire(directory: string): Promise<boolean> {
  try {
    await mkdir(directory);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const held = await stat(directory).catch(() => undefined);
  if (held !== undefined && Date.now() - held.mtimeMs > staleMilliseconds) {
    await rm(directory, {recursive: true, force: true});
  }
  return false;
}
