import {mkdir, mkdtemp, readdir, rm, utimes} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {afterEach, beforeEach, expect, test} from '@jest/globals';
import {withLock} from './lock.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-test-'));
});
afterEach(() => rm(directory, {recursive: true, force: true}));

const log = (): void => {};

test('works under one lock follow each other', async () => {
  const events: string[] = [];
  const work = async (): Promise<void> => {
    events.push('begin');
    await new Promise((resolve) => setTimeout(resolve, 20));
    events.push('end');
  };
  const lock = path.join(directory, 'lock');
  await Promise.all([withLock(lock, log, work), withLock(lock, log, work), withLock(lock, log, work)]);
  expect(events).toEqual(['begin', 'end', 'begin', 'end', 'begin', 'end']);
});

test('a lock is released by work that fails', async () => {
  const lock = path.join(directory, 'lock');
  await expect(withLock(lock, log, () => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk');
  expect(await readdir(directory)).toEqual([]);
});

test('the lock of a process that was killed is taken over', async () => {
  const lock = path.join(directory, 'lock');
  await mkdir(lock);
  const aMinuteAgo = new Date(Date.now() - 60_000);
  await utimes(lock, aMinuteAgo, aMinuteAgo);
  const lines: string[] = [];
  expect(
    await withLock(
      lock,
      (line) => lines.push(line),
      async () => 'done',
    ),
  ).toBe('done');
  expect(lines).toEqual([expect.stringContaining(`Waiting for the process that holds ${lock}`)]);
});
