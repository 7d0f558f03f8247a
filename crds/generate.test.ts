import {execFile} from 'node:child_process';
import path from 'node:path';
import {promisify} from 'node:util';
import {describe, expect, test} from '@jest/globals';

const root = path.resolve(import.meta.dirname, '..');

describe('generated files', () => {
  test('core/api and docs/reference/api.md are what crds/ says', async () => {
    const run = promisify(execFile)(process.execPath, ['crds/generate.ts', '--check'], {cwd: root});
    await expect(run).resolves.toEqual({stdout: '', stderr: ''});
  });
});
