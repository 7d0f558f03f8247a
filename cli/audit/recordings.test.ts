import {createHash} from 'node:crypto';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {noPrevious, seal} from '../../core/audit/chain.ts';
import {processInput} from '../input.ts';
import {auditCommand} from './command.ts';

const day = '2026-01-02';
const content = '{"version":2}\n[1, "o", "hello"]\n';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockkeeper-recordings-'));
  await mkdir(join(folder, 'recordings'));
});

afterEach(() => rm(folder, {recursive: true}));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, 'recordings', name);
    await mkdir(dirname(path), {recursive: true});
    await writeFile(path, text);
  }
}

interface LogLine {
  readonly call: string;
  readonly stage: 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete';
  /** Default: as a proxy names the recording of this call. */
  readonly name?: string;
  /** What the outcome vouches for. */
  readonly holds?: string;
}

const intent = (call: string): LogLine => ({call, stage: 'RequestReceived'});
const outcome = (call: string, holds?: string): LogLine => ({
  call,
  stage: 'ResponseComplete',
  ...(holds !== undefined && {holds}),
});
const stream = (call: string, holds = content) => [intent(call), outcome(call, holds)];

function logOf(lines: readonly LogLine[]): string {
  let previous = noPrevious;
  let text = '';
  for (const [sequence, {call, stage, name = `${day}/${call}.cast`, holds}] of lines.entries()) {
    const annotations = {
      'lockkeeper.dev/decision': 'Allowed',
      'lockkeeper.dev/recording': name,
      ...(holds !== undefined && {
        'lockkeeper.dev/recording-sha256': createHash('sha256').update(holds).digest('hex'),
        'lockkeeper.dev/recording-bytes': String(Buffer.byteLength(holds)),
      }),
    };
    const event = {kind: 'Event', apiVersion: 'audit.k8s.io/v1', auditID: call, stage, annotations};
    const sealed = seal(JSON.stringify(event).slice(0, -2), {origin: 'gateway-a', sequence, previous});
    text += `${sealed.line}\n`;
    previous = sealed.hash;
  }
  return text;
}

async function verify(
  lines: readonly LogLine[],
  args: readonly string[] = ['--recordings', join(folder, 'recordings')],
) {
  const log = join(folder, 'audit.log');
  await writeFile(log, logOf(lines));
  const result = {out: '', error: '', code: 0};
  const input = {
    ...processInput(),
    out: (text: string) => {
      result.out += text.replaceAll(`${folder}/`, '');
    },
    error: (text: string) => {
      result.error += text.replaceAll(`${folder}/`, '');
    },
    exitCode: (code: number) => {
      result.code = code;
    },
  };
  await auditCommand(input).parseAsync(['verify', log, ...args], {from: 'user'});
  return result;
}

describe('recordings', () => {
  test('that are as the log vouches for are whole', async () => {
    await write({[`${day}/a.cast`]: content, [`${day}/b.jsonl`]: 'x'.repeat(3_000_000), [`${day}/empty.cast`]: ''});
    const {out, code} = await verify([
      ...stream('a'),
      {...intent('b'), name: `${day}/b.jsonl`},
      {call: 'b', stage: 'ResponseStarted', name: `${day}/b.jsonl`},
      {...outcome('b', 'x'.repeat(3_000_000)), name: `${day}/b.jsonl`},
      ...stream('empty', ''),
    ]);
    expect(out).toBe('audit.log: whole: 7 records, sequence 0 to 6, origin gateway-a\naudit.log: 3 recordings whole\n');
    expect(code).toBe(0);
  });

  test.each([
    [
      'edited',
      content.replace('hello', 'jello'),
      `RecordingChanged: recording ${day}/a.cast of call a does not have the SHA-256 that the log vouches for`,
    ],
    [
      'cut short',
      content.slice(0, -1),
      `RecordingChanged: recording ${day}/a.cast of call a has 31 bytes, and the log vouches for 32`,
    ],
    [
      'continued',
      `${content}[2,"o","more"]\n`,
      `RecordingChanged: recording ${day}/a.cast of call a has 47 bytes, and the log vouches for 32`,
    ],
    ['removed', undefined, `RecordingMissing: recording ${day}/a.cast of call a is not there`],
  ])('that one was %s is found, with its file and its call', async (_what, found, fault) => {
    await write({[`${day}/b.cast`]: content, ...(found !== undefined && {[`${day}/a.cast`]: found})});
    const {out, code} = await verify([...stream('a'), ...stream('b')]);
    expect(out).toBe(
      'audit.log: NOT WHOLE: 1 fault in 4 records, sequence 0 to 3, origin gateway-a\n' +
        `audit.log:2: sequence 1: ${fault}\n` +
        'audit.log: 1 recording whole\n',
    );
    expect(code).toBe(1);
  });

  test('without an outcome are a note: the proxy was killed, or they are under way', async () => {
    await write({[`${day}/a.cast`]: '{"version":2}\n[1, "o", "hel', [`${day}/b.cast`]: content});
    const {out, code} = await verify([intent('a'), intent('b'), outcome('b')]);
    expect(out).toContain(
      `audit.log: note: 2 recordings without an outcome, still under way or cut short: ${day}/b.cast, ${day}/a.cast\n`,
    );
    expect(code).toBe(0);
  });

  test('without an outcome are a fault where they are not there: the intent came after the file', async () => {
    const {out, code} = await verify([intent('a')]);
    expect(out).toContain(
      `audit.log:1: sequence 0: RecordingMissing: recording ${day}/a.cast of call a is not there\n`,
    );
    expect(code).toBe(1);
  });

  test('of streams that never began are not missed', async () => {
    expect(await verify([outcome('a')])).toMatchObject({
      out: 'audit.log: whole: 1 record, sequence 0 to 0, origin gateway-a\n',
      code: 0,
    });
  });

  test('that no log given names are a note', async () => {
    await write({[`${day}/a.cast`]: content, [`${day}/other.cast`]: content, 'notes\u001b[31m.txt': ''});
    const {out, code} = await verify(stream('a'));
    expect(out).toContain(
      `note: no log given names 2 files of the recording directory: "${day}/other.cast", "notes\\u001b[31m.txt"\n`,
    );
    expect(code).toBe(0);
  });

  test.each([`../${day}/a.cast`, '/etc/passwd', `${day}/b.cast`, `${day}/a.log`, ''])(
    'named %j are not opened',
    async (name) => {
      await write({[`${day}/b.cast`]: content});
      const {out, code} = await verify([{...outcome('a', content), name}]);
      expect(out).toContain(
        'audit.log:1: sequence 0: RecordingUnreadable: recording of call "a" has a name that no proxy gives\n',
      );
      expect(code).toBe(1);
    },
  );

  test('that cannot be read are a fault', async () => {
    await mkdir(join(folder, 'recordings', day, 'a.cast'), {recursive: true});
    const {out, code} = await verify(stream('a'));
    expect(out).toMatch(/RecordingUnreadable: recording 2026-01-02\/a\.cast of call a cannot be read: EISDIR/);
    expect(code).toBe(1);
  });

  test('are not checked where nobody says where they are, and that is said', async () => {
    const {out, error, code} = await verify([...stream('a'), ...stream('b')], []);
    expect(out).toBe('audit.log: whole: 4 records, sequence 0 to 3, origin gateway-a\n');
    expect(error).toContain('note: 2 recordings not checked: say where with --recordings\n');
    expect(code).toBe(0);
  });

  test('in JSON for programs', async () => {
    await write({[`${day}/a.cast`]: content, [`${day}/b.cast`]: '', [`${day}/c.cast`]: ''});
    const directory = ['--recordings', join(folder, 'recordings'), '--output', 'json'];
    const {out} = await verify([...stream('a'), ...stream('d'), intent('b')], directory);
    expect(JSON.parse(out)).toMatchObject({
      files: [
        {
          result: 'NotWhole',
          summary: {faults: 1, recordings: {whole: 1, unfinished: {count: 1, examples: [`${day}/b.cast`]}}},
          faults: [{kind: 'RecordingMissing', line: 4, sequence: 3}],
        },
      ],
      unnamedRecordings: [`${day}/c.cast`],
    });
  });

  test('in a directory that is not there: wrong usage', async () => {
    const {error, code} = await verify(stream('a'), ['--recordings', join(folder, 'none')]);
    expect(error).toMatch(/^lockkeeper: none: ENOENT/);
    expect(code).toBe(2);
  });
});
