import {execFileSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');

/**
 * Writes generated files in the linter's format, each given by its path from the root of the repository. With `--check`
 * on the command line it writes nothing, names those that are stale and makes the process exit with 1.
 */
export function writeOrCheck(generated: ReadonlyMap<string, string>): void {
  const stale = [...generated]
    .map(([file, text]) => ({file: path.join(root, file), text: formatted(file, text)}))
    .filter(({file, text}) => current(file) !== text);
  if (!process.argv.includes('--check')) {
    for (const {file, text} of stale) writeFileSync(file, text);
  } else if (stale.length > 0) {
    const names = stale.map(({file}) => path.relative(root, file));
    console.error(`stale: ${names.join(', ')}: run npm run generate`);
    process.exitCode = 1;
  }
}

/** A text in the linter's format, given the path that it has from the root of the repository. */
export function formatted(file: string, text: string): string {
  const biome = path.join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
  return execFileSync(process.execPath, [biome, 'format', `--stdin-file-path=${file}`], {
    cwd: root,
    input: text,
    encoding: 'utf8',
  });
}

/** Undefined where the file was never generated. */
function current(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
