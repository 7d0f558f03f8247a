import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {cardsPlan} from '../../test/maskplan.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockkeeper-record-crash-'));
});

afterEach(() => rm(directory, {recursive: true}));

/** What every child begins with: a recording in a directory, and an output that says on stdout what was emitted. */
const prelude = `
  import {writeSync} from 'node:fs';
  import {openCommandRecording} from ${JSON.stringify(new URL('command.ts', import.meta.url).href)};
  const [directory] = process.argv.slice(-1);
  const plan = ${JSON.stringify(cardsPlan)};
  const failures = [];
  const options = {
    directory,
    auditID: '0a1b2c3d-1111-4222-8333-444455556666',
    agent: {username: 'agent:build-bot'},
    operation: {namespace: 'payments', name: 'api-0', subresource: 'exec', container: '', command: ['sh'], tty: true},
    obligations: {masking: plan, recordMasking: plan, recordInput: false},
    now: () => (performance.timeOrigin + performance.now()) * 1000,
    onFailure: (error) => failures.push(error.message),
  };
  const recording = await openCommandRecording(options);
  const {session} = recording;
`;

const node = (script: string) => ['--input-type=module', '-e', prelude + script, '--', directory];

async function recorded(): Promise<string> {
  const [day = ''] = await readdir(directory);
  const [file = ''] = await readdir(join(directory, day));
  return readFile(join(directory, day, file), 'utf8');
}

/** What was said up to the last whole line; a write that the kernel had only begun leaves part of one. */
function said(recording: string): string {
  const lines = recording.slice(0, recording.lastIndexOf('\n')).split('\n').slice(1);
  return lines.map((line) => JSON.parse(line)[2]).join('');
}

test('a proxy killed in the middle of a session leaves on record all that the agent saw', async () => {
  const script = `
    const output = session.output('stdout', {emit: (bytes) => writeSync(1, bytes), ended() {}});
    for (let i = 0; ; i++) {
      output.push(Buffer.from('line ' + i + ' of what the agent sees\\r\\n'));
      if (session.congested || i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  `;
  const child = spawn(process.execPath, node(script), {stdio: ['ignore', 'pipe', 'pipe']});
  let seen = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    seen += data;
    if (seen.length > 300_000) child.kill('SIGKILL');
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const [, signal] = await once(child, 'close');
  expect([signal, errors]).toEqual(['SIGKILL', '']);
  expect(seen.length).toBeGreaterThan(300_000);
  expect(said(await recorded()).startsWith(seen)).toBe(true);
});

/** A mount of its own, gone with the child; where the machine forbids it, the faults of writer.test.ts stand for it. */
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
      directory,
      process.execPath,
      ...node(script),
    ],
    {encoding: 'utf8'},
  );

const mayMount =
  spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

(mayMount ? describe : describe.skip)('a full disk', () => {
  test('ends the session: what is not on record is not shown, and the outcome vouches for what is', () => {
    const {stdout, stderr} = onSmallDisk(
      `
      import {createHash} from 'node:crypto';
      import {readFileSync} from 'node:fs';
      import {join} from 'node:path';
      let seen = '';
      let taken = 0;
      const output = session.output('stdout', {emit: (bytes) => { seen += bytes; }, ended() {}});
      let refusal;
      for (let i = 0; refusal === undefined; i++) {
        try {
          output.push(Buffer.from('line ' + i + ' of what the agent sees\\r\\n'));
          taken++;
        } catch (error) {
          refusal = error.code;
        }
        if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      const sealed = await recording.finish();
      const text = readFileSync(join(directory, recording.name), 'utf8');
      const true_ = {sha256: createHash('sha256').update(text).digest('hex'), bytes: text.length};
      console.log(JSON.stringify({seen, refusal, failures, sealed, true_, text}));
      `,
      '64k',
    );
    expect(stderr).toBe('');
    const {seen, refusal, failures, sealed, true_, text} = JSON.parse(stdout);
    expect(failures).toEqual([expect.stringContaining('the stream cannot be recorded any more: ENOSPC')]);
    expect(refusal).toBe('RecordingFailed');
    expect(seen.length).toBeGreaterThan(10_000);
    expect(said(text).startsWith(seen)).toBe(true);
    expect(sealed).toEqual(true_);
  });

  test('lets no session begin, and leaves no file', () => {
    const {stdout, stderr} = onSmallDisk(
      `
      import {readdirSync, writeFileSync} from 'node:fs';
      import {join} from 'node:path';
      const [day] = readdirSync(directory);
      try {
        writeFileSync(join(directory, 'ballast'), Buffer.alloc(1024 * 1024));
      } catch {}
      const second = await openCommandRecording({...options, auditID: 'another'}).catch((error) => error.message);
      console.log(JSON.stringify({second, files: readdirSync(join(directory, day))}));
      `,
      '64k',
    );
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      second: 'the recording cannot begin: ENOSPC: no space left on device, write',
      files: ['0a1b2c3d-1111-4222-8333-444455556666.cast'],
    });
  });
});
