import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdir, mkdtemp, readFile, rename, rm, stat} from 'node:fs/promises';
import path from 'node:path';
import {promisify} from 'node:util';
import {cacheDirectory} from '../cluster/binaries.ts';
import {withLock} from '../cluster/lock.ts';

/**
 * A directory outside the work tree that `fill` makes once for all who have the same `sources`, and the same of what
 * `more` says (the version of a compiler).
 */
export async function cachedFrom(
  name: string,
  sources: readonly string[],
  more: string,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  const parent = path.join(cacheDirectory(process.env), 'clients');
  const directory = path.join(parent, `${name}-${await digestOf(sources, more)}`);
  await mkdir(parent, {recursive: true});
  await withLock(`${directory}.lock`, console.error, async () => {
    if (await exists(directory)) return;
    const work = await mkdtemp(path.join(parent, '.filling-'));
    try {
      await fill(work);
      await rename(work, directory);
    } catch (error) {
      await rm(work, {recursive: true, force: true});
      throw error;
    }
  });
  return directory;
}

async function digestOf(sources: readonly string[], more: string): Promise<string> {
  const hash = createHash('sha256').update(more);
  for (const file of sources) hash.update(`\0${path.basename(file)}\0`).update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}

async function exists(directory: string): Promise<boolean> {
  return stat(directory).then(
    () => true,
    () => false,
  );
}

/** Runs a program of this machine to its end; one that fails throws with its own last words. */
export async function run(program: string, args: readonly string[], cwd: string, env = {}): Promise<string> {
  const options = {cwd, env: {...process.env, ...env}, maxBuffer: 64 * 1024 * 1024};
  try {
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch (cause) {
    const words = (cause as {stderr?: string}).stderr?.trim().split('\n').slice(-5).join('\n');
    throw new Error(`${program} ${args[0]} failed: ${words || String(cause)}`, {cause});
  }
}
