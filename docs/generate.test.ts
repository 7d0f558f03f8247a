import {execFile} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {glob} from 'node:fs/promises';
import path from 'node:path';
import {promisify} from 'node:util';
import {describe, expect, test} from '@jest/globals';

const root = path.resolve(import.meta.dirname, '..');

describe('generated files', () => {
  test.each(['crds/generate.ts', 'docs/generate.ts'])(
    'of %s are what their sources say',
    async (generator) => {
      const run = promisify(execFile)(process.execPath, [generator, '--check'], {cwd: root});
      await expect(run).resolves.toEqual({stdout: '', stderr: ''});
      // Each file takes a run of the formatter.
    },
    30_000,
  );

  test('leave no metric out of the reference', async () => {
    const reference = readFileSync(path.join(root, 'docs/reference/metrics.md'), 'utf8');
    const missing: string[] = [];
    for await (const file of glob('{operator,proxy,serve}/**/*.ts', {cwd: root})) {
      if (file.endsWith('.test.ts')) continue;
      const source = readFileSync(path.join(root, file), 'utf8');
      const made = source.matchAll(/new (?:Counter|Gauge|Histogram)\(\{\s*name: '(\w+)'/g);
      for (const [, name] of made) if (!reference.includes(`\`${name}\``)) missing.push(`${name} of ${file}`);
    }
    expect(missing).toEqual([]);
  });
});
