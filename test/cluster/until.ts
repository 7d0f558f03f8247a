import {readFile} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {ClusterError} from './error.ts';
import type {Supervisor} from './supervise.ts';

const readySeconds = 60;

/** Tries `attempt` until it gives true; a process that ended meanwhile, or a minute gone by, is an error. */
export async function until(supervisor: Supervisor, problem: string, attempt: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + readySeconds * 1000;
  while (!(await attempt())) {
    const exited = supervisor.firstExited();
    if (exited !== undefined) {
      const words = await lastWords(supervisor.logPath(exited.name));
      throw new ClusterError('ProcessExited', `${exited.name} ended (${exited.reason}): ${words}`);
    }
    if (performance.now() > deadline) {
      throw new ClusterError('NotReady', `The local cluster: ${problem} after ${readySeconds} seconds.`);
    }
    await sleep(100);
  }
}

async function lastWords(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n');
  return lines.slice(-3).join('\n');
}
