import {mkdtemp, rename, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterEach, beforeEach, describe, expect, jest, test} from '@jest/globals';
import {eventually} from '../../test/eventually.ts';
import {type Credential, tokenFile} from './credential.ts';

let directory: string;
let file: string;
let credential: Credential | undefined;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lockkeeper-credential-'));
  file = path.join(directory, 'token');
});
afterEach(async () => {
  credential?.close();
  await rm(directory, {recursive: true});
});

/** As the kubelet does: a whole file takes the place of the old one. */
async function rotate(token: string): Promise<void> {
  await writeFile(`${file}.new`, token);
  await rename(`${file}.new`, file);
}

async function opened(errors: unknown[] = []): Promise<Credential> {
  credential = await tokenFile(file, {rereadMilliseconds: 5, onError: (error) => errors.push(error)});
  return credential;
}

test('the token of the file is the bearer token, without its line break', async () => {
  await rotate('abc\n');
  expect((await opened()).authorization).toBe('Bearer abc');
});

test('a token that was rotated is used', async () => {
  await rotate('old');
  const {authorization} = await opened();
  expect(authorization).toBe('Bearer old');
  await rotate('new');
  await eventually(() => expect(credential?.authorization).toBe('Bearer new'));
});

describe('a file that cannot be used', () => {
  test.each([
    ['is not there', undefined, 'ENOENT'],
    ['is empty', '', 'is empty; it must hold one bearer token'],
    ['holds a line break alone', '\n', 'is empty; it must hold one bearer token'],
  ])('fails the start where it %s', async (_name, content, message) => {
    if (content !== undefined) await rotate(content);
    await expect(opened()).rejects.toThrow(message);
  });

  test('later keeps the token that was good, and is told', async () => {
    const errors: unknown[] = [];
    await rotate('good');
    const {authorization} = await opened(errors);
    await rotate('');
    await eventually(() => expect(errors).not.toEqual([]));
    expect(credential?.authorization).toBe(authorization);
    await rotate('better');
    await eventually(() => expect(credential?.authorization).toBe('Bearer better'));
  });
});

test('a closed credential is read no more', async () => {
  await rotate('good');
  jest.useFakeTimers();
  try {
    const {close} = await opened();
    expect(jest.getTimerCount()).toBe(1);
    close();
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});
