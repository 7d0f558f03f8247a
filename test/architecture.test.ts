import {execFile} from 'node:child_process';
import {cp, mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {promisify} from 'node:util';
import {afterEach, beforeEach, expect, test} from '@jest/globals';

const root = path.resolve(import.meta.dirname, '..');
const folders = ['core', 'serve', 'operator', 'proxy', 'cli'];
const allowed = new Set(['operator→core', 'operator→serve', 'proxy→core', 'proxy→serve', 'cli→core', 'cli→serve']);
const pairs = folders.flatMap((from) => folders.filter((to) => to !== from).map((to): [string, string] => [from, to]));

let directory: string;
/** A tree with the project's own settings and nothing in it but one value in each folder. */
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-architecture-'));
  await cp(path.join(root, 'tsconfig.base.json'), path.join(directory, 'tsconfig.base.json'));
  await writeFile(path.join(directory, 'package.json'), '{"type":"module"}');
  await symlink(path.join(root, 'node_modules'), path.join(directory, 'node_modules'));
  for (const folder of folders) {
    await mkdir(path.join(directory, folder));
    await cp(path.join(root, folder, 'tsconfig.json'), path.join(directory, folder, 'tsconfig.json'));
    await writeFile(path.join(directory, folder, 'value.ts'), 'export const value = 1;\n');
  }
});
afterEach(() => rm(directory, {recursive: true, force: true}));

test.each(pairs)('%s may import %s only where the architecture lets it', async (from, to) => {
  const importing = `import {value} from '../${to}/value.ts';\n\nexport const imported = value;\n`;
  await writeFile(path.join(directory, from, 'importing.ts'), importing);
  const tsc = path.join(root, 'node_modules/.bin/tsc');
  const compiled = promisify(execFile)(tsc, ['--build', from], {cwd: directory});
  if (allowed.has(`${from}→${to}`)) await compiled;
  else await expect(compiled).rejects.toMatchObject({stdout: expect.stringContaining(`${to}/value.ts' is not listed`)});
});
