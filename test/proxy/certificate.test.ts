import {mkdtemp, rename, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterEach, beforeAll, beforeEach, describe, expect, test} from '@jest/globals';
import winston from 'winston';
import {type CertificateFiles, changedCertificate, readCertificate} from '../../serve/certificate.ts';
import {loopbackCertificate, type Presented} from './upstream.ts';

let first: Presented;
let second: Presented;
beforeAll(async () => {
  [first, second] = await Promise.all([loopbackCertificate(), loopbackCertificate()]);
});

let directory: string;
let files: CertificateFiles;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lockkeeper-certificate-'));
  files = {certificateFile: path.join(directory, 'tls.crt'), keyFile: path.join(directory, 'tls.key')};
  await write(first);
});
afterEach(() => rm(directory, {recursive: true}));

async function write({cert, key}: {cert?: string; key?: string}): Promise<void> {
  for (const [file, content] of [
    [files.certificateFile, cert],
    [files.keyFile, key],
  ] as const) {
    if (content === undefined) continue;
    await writeFile(`${file}.new`, content);
    await rename(`${file}.new`, file);
  }
}

const log = winston.createLogger({silent: true});

test('a pair that belongs together is read', async () => {
  expect(await readCertificate(files)).toEqual({cert: first.cert, key: first.key});
});

describe('a pair that cannot be served with is refused, naming both files', () => {
  test.each<[string, () => Promise<void>]>([
    ['a key of another certificate', () => write({key: second.key})],
    ['no certificate', () => rm(files.certificateFile)],
    ['no key', () => rm(files.keyFile)],
    ['an empty certificate', () => write({cert: ''})],
    ['an empty key', () => write({key: ''})],
    ['a key that is none', () => write({key: 'secret'})],
  ])('%s', async (_name, spoil) => {
    await spoil();
    await expect(readCertificate(files)).rejects.toMatchObject({
      name: 'CertificateError',
      message: expect.stringMatching(/tls\.crt with the key .*tls\.key cannot be used: ./),
    });
  });

  test('never telling the key', async () => {
    await write({key: 'very-secret'});
    await expect(readCertificate(files)).rejects.not.toThrow('very-secret');
  });
});

describe('what is served', () => {
  test('stays where the files are the same', async () => {
    expect(await changedCertificate(files, first, log)).toBeUndefined();
  });

  test('changes with the files', async () => {
    await write(second);
    expect(await changedCertificate(files, first, log)).toEqual({cert: second.cert, key: second.key});
  });

  test('stays while only one of the two files was replaced', async () => {
    await write({cert: second.cert});
    expect(await changedCertificate(files, first, log)).toBeUndefined();
    await write({key: second.key});
    expect(await changedCertificate(files, first, log)).toEqual({cert: second.cert, key: second.key});
  });

  test('stays where the files are gone', async () => {
    await rm(files.keyFile);
    expect(await changedCertificate(files, first, log)).toBeUndefined();
  });
});
