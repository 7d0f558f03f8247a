import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import type {Fault} from '../../core/audit/fault.ts';
import {LogVerifier} from '../../core/audit/verify.ts';
import {openAuditLog} from './log.ts';

const hooks = {written() {}, failed() {}, recovered() {}, dropped() {}, torn() {}};

/** What every child begins with: a log, and a way to make records. */
const prelude = `
  import {rmSync, writeFileSync, writeSync} from 'node:fs';
  import {openAuditLog} from ${JSON.stringify(new URL('log.ts', import.meta.url).href)};
  const [path] = process.argv.slice(-1);
  const hooks = {written() {}, failed() {}, recovered() {}, dropped() {}, torn() {}};
  const record = (id) => '{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"' + id +
    '","stage":"ResponseComplete","annotations":{"lockkeeper.dev/decision":"Allowed"';
`;

const node = (script: string, path: string) => ['--input-type=module', '-e', prelude + script, '--', path];

/** Appends from many sides for as long as it lives, and names each acknowledged line once it is. */
const appendForEver = `
  const log = await openAuditLog(path, {newOrigin: 'gateway-0', hooks});
  const run = process.pid;
  for (let side = 0; side < 16; side++) {
    void (async () => {
      for (let i = 0; ; i++) {
        const id = run + '-' + side + '-' + i;
        await log.append(record(id));
        writeSync(1, id + '\\n');
      }
    })();
  }
`;

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockkeeper-crash-'));
  path = join(folder, 'audit.log');
});

afterEach(() => rm(folder, {recursive: true}));

function verify(content: Uint8Array) {
  const faults: Fault[] = [];
  const verifier = new LogVerifier((fault) => faults.push(fault));
  verifier.push(content);
  return {...verifier.end(), faults};
}

/** Kills the child with SIGKILL after so many acknowledged lines. @returns all that it acknowledged. */
async function killAfter(child: ChildProcess, lines: number): Promise<string[]> {
  let output = '';
  let errors = '';
  child.stderr?.on('data', (data) => {
    errors += data;
  });
  child.stdout?.on('data', (data) => {
    output += data;
    if (output.split('\n').length > lines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  expect(errors).toBe('');
  return output.split('\n').slice(0, -1);
}

test('a proxy killed in the middle of writing leaves every acknowledged line in one whole chain, over several restarts', async () => {
  const acknowledged: string[] = [];
  for (const lines of [1, 40, 200]) {
    const child = spawn(process.execPath, node(appendForEver, path), {stdio: ['ignore', 'pipe', 'pipe']});
    acknowledged.push(...(await killAfter(child, lines)));
  }
  // What a crash leaves torn, the next start cuts off.
  const log = await openAuditLog(path, {newOrigin: 'other', hooks});
  await log.close();
  const content = await readFile(path);
  expect(verify(content)).toMatchObject({faults: [], origin: 'gateway-0', firstSequence: 0});
  const written = new Set(Array.from(content.toString().matchAll(/"auditID":"([^"]*)"/g), ([, id]) => id));
  expect(acknowledged.length).toBeGreaterThan(240);
  expect(acknowledged.filter((id) => !written.has(id))).toEqual([]);
});

/** A mount of its own, gone with the child; where the machine forbids it, the faults of log.test.ts stand for it. */
const onSmallDisk = (script: string, size: string) =>
  spawnSync(
    'unshare',
    [
      '--user',
      '--map-root-user',
      '--mount',
      'sh',
      '-c',
      `mount -t tmpfs -o size=${size} tmpfs "$0" && exec "$@"`,
      folder,
      process.execPath,
      ...node(script, path),
    ],
    {encoding: 'utf8'},
  );

const mayMount =
  spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

(mayMount ? describe : describe.skip)('a full disk', () => {
  test('refuses calls, and goes on with a whole chain once there is room', () => {
    const {stdout, stderr} = onSmallDisk(
      `
      import {readFileSync} from 'node:fs';
      const ballast = path + '.ballast';
      writeFileSync(ballast, Buffer.alloc(64 * 1024));
      let failures = [];
      const log = await openAuditLog(path, {
        newOrigin: 'gateway-0',
        retryPauseMilliseconds: 1,
        hooks: {...hooks, failed: (error) => failures.push(error.cause?.code ?? error.message)},
      });
      const acknowledged = [];
      let refused = 0;
      const append = (id) => log.append(record(id)).then(() => acknowledged.push(id), () => refused++);
      for (let i = 0; refused === 0; i++) await Promise.all([append('a' + i), append('b' + i), append('c' + i)]);
      log.record(record('outcome'));
      await append('while-full');
      rmSync(ballast);
      while (!acknowledged.includes('after')) {
        await append('after');
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await log.close();
      console.log(JSON.stringify({acknowledged, failures, log: readFileSync(path, 'utf8')}));
      `,
      '128k',
    );
    expect(stderr).toBe('');
    const {acknowledged, failures, log} = JSON.parse(stdout);
    expect(failures.length).toBeGreaterThan(0);
    expect(verify(Buffer.from(log))).toMatchObject({faults: []});
    expect(acknowledged.length).toBeGreaterThan(10);
    const written = Array.from(log.matchAll(/"auditID":"([^"]*)"/g), ([, id]: string[]) => id);
    expect(written.filter((id) => id !== 'outcome')).toEqual(acknowledged);
    expect(written).toContain('outcome');
  });
});
