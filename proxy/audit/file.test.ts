import {constants as files} from 'node:fs';
import {mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {noPrevious, seal} from '../../core/audit/chain.ts';
import {openAuditFile} from './file.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockkeeper-file-'));
  path = join(folder, 'audit.log');
});

afterEach(() => rm(folder, {recursive: true}));

const record = '{"kind":"Event","annotations":{"a":"b"';
const first = seal(record, {origin: 'gateway-0', sequence: 0, previous: noPrevious});
const second = seal(record, {origin: 'gateway-0', sequence: 1, previous: first.hash});
const whole = `${first.line}\n${second.line}\n`;

describe('a new file', () => {
  test('is empty, for the owner alone, and appends durably', async () => {
    const {file, byteLength, position} = await openAuditFile(path);
    expect({byteLength, position}).toEqual({byteLength: 0, position: undefined});
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await openFlags(path)) & (files.O_APPEND | files.O_DSYNC)).toBe(files.O_APPEND | files.O_DSYNC);
    expect(await file.append(Buffer.from('abc'))).toBe(3);
    await file.truncate(1);
    expect(await file.append(Buffer.from('def'))).toBe(3);
    expect(await readFile(path, 'utf8')).toBe('adef');
    await file.close();
  });
});

/** As the kernel sees the open file. */
async function openFlags(path: string): Promise<number> {
  for (const fd of await readdir('/proc/self/fd')) {
    const target = await readlink(`/proc/self/fd/${fd}`).catch(() => '');
    if (target !== path) continue;
    const info = await readFile(`/proc/self/fdinfo/${fd}`, 'utf8');
    return Number.parseInt(/flags:\s+(\d+)/.exec(info)?.[1] ?? '', 8);
  }
  throw new Error(`${path} is not open`);
}

describe('an existing file', () => {
  test.each([
    ['whole', whole, whole.length, 0],
    ['with a torn line', `${whole}{"kind":"Ev`, whole.length, 11],
    ['with a torn line longer than one read', whole + 'x'.repeat(200_000), whole.length, 200_000],
    ['with a whole line that lost its newline', `${whole}${second.line}`, whole.length, second.line.length],
  ])('%s is continued after its last whole line', async (_what, content, byteLength, tornBytes) => {
    await writeFile(path, content);
    const opened = await openAuditFile(path);
    expect(opened).toMatchObject({byteLength, tornBytes});
    expect(opened.position).toEqual({origin: 'gateway-0', sequence: 2, previous: second.hash});
    await opened.file.close();
    expect(await readFile(path, 'utf8')).toBe(whole);
  });

  test('with a first line that was never finished begins anew', async () => {
    await writeFile(path, first.line.slice(0, 40));
    const opened = await openAuditFile(path);
    expect(opened).toMatchObject({byteLength: 0, position: undefined, tornBytes: 40});
    await opened.file.close();
    expect(await readFile(path, 'utf8')).toBe('');
  });

  test('with a last line longer than one read is continued', async () => {
    const long = seal(`{"a":"${'y'.repeat(300_000)}","annotations":{"a":"b"`, {
      origin: 'gateway-0',
      sequence: 2,
      previous: second.hash,
    });
    await writeFile(path, `${whole}${long.line}\n`);
    const {file, position} = await openAuditFile(path);
    expect(position).toEqual({origin: 'gateway-0', sequence: 3, previous: long.hash});
    await file.close();
  });

  test.each([
    ['a changed byte', `${first.line}\n${second.line.replace('"a":"b"', '"a":"c"')}\n`],
    ['foreign text', `${whole}hello\n`],
    ['a blank line', `${whole}\n`],
    ['only a newline', '\n'],
  ])('that ends with %s is not continued, and not touched', async (_what, content) => {
    await writeFile(path, content);
    await expect(openAuditFile(path)).rejects.toMatchObject({
      code: 'AuditLogDamaged',
      message: expect.stringContaining(`run "lockkeeper audit verify ${path}"`),
    });
    expect(await readFile(path, 'utf8')).toBe(content);
  });
});

test.each([
  ['a folder', 'folder'],
  ['a path whose folder does not exist', 'none/audit.log'],
])('%s: a clear error', async (_what, name) => {
  await mkdir(join(folder, 'folder'));
  const unusable = join(folder, name);
  await expect(openAuditFile(unusable)).rejects.toMatchObject({
    code: 'AuditLogUnusable',
    message: `audit log: cannot open ${unusable} for reading and writing`,
  });
});
