import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, expect, test} from '@jest/globals';
import {noPrevious, seal} from '../../core/audit/chain.ts';
import type {Checkpoint} from '../../core/control/messages.ts';
import {type CommandInput, processInput} from '../input.ts';
import {auditCommand} from './command.ts';

class Exit extends Error {}

function chain(length: number, origin: string, stage = 'ResponseComplete') {
  let previous = noPrevious;
  let text = '';
  const heads: Checkpoint[] = [];
  for (let sequence = 0; sequence < length; sequence++) {
    const record =
      `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"call-${sequence}","stage":"${stage}",` +
      '"annotations":{"lockkeeper.dev/decision":"Allowed"';
    const {line, hash} = seal(record, {origin, sequence, previous});
    text += `${line}\n`;
    previous = hash;
    heads.push({origin, sequence, hash});
  }
  return {text, heads, checkpoints: (...at: number[]) => at.map((i) => JSON.stringify(heads[i])).join('\n')};
}

async function run(files: Readonly<Record<string, string>>, ...args: string[]) {
  const result = {out: '', error: '', code: 0};
  const input: CommandInput = {
    async *read(path) {
      const text = files[path];
      if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
      yield Buffer.from(text);
    },
    async readText(path) {
      const text = files[path];
      if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
      return text;
    },
    writeText: async () => {},
    list: async () => [],
    out: (text) => {
      result.out += text;
    },
    error: (text) => {
      result.error += text;
    },
    exitCode: (code) => {
      result.code = code;
    },
    exit: (code) => {
      result.code = code;
      throw new Exit();
    },
  };
  try {
    await auditCommand(input).parseAsync(['verify', ...args], {from: 'user'});
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  }
  return result;
}

const a = chain(5, 'gateway-a');
const b = chain(2, 'gateway-b');
const changed = a.text.replace('call-3', 'call-x');

describe('lockkeeper audit verify', () => {
  test('says that a log is whole, and what it could not see', async () => {
    expect(await run({'a.log': a.text}, 'a.log')).toEqual({
      out: 'a.log: whole: 5 records, sequence 0 to 4, origin gateway-a\n',
      error: 'note: no checkpoints were given: a tail that was cut off, or a chain written anew, would not show\n',
      code: 0,
    });
  });

  test('says where a log is not whole', async () => {
    expect(await run({'a.log': changed}, 'a.log')).toMatchObject({
      out:
        'a.log: NOT WHOLE: 1 fault in 4 records, sequence 0 to 4, origin gateway-a\n' +
        "a.log:4: sequence 3: Changed: the line's bytes do not match its hash\n",
      code: 1,
    });
  });

  test('judges each of several logs, standard input too', async () => {
    const {out, code} = await run({'a.log': changed, '-': b.text}, 'a.log', '-');
    expect(out).toContain('a.log: NOT WHOLE');
    expect(out).toContain('-: whole: 2 records, sequence 0 to 1, origin gateway-b\n');
    expect(code).toBe(1);
  });

  test('finds a cut tail with checkpoints', async () => {
    const cut = a.text.split('\n').slice(0, 3).join('\n');
    const files = {'a.log': `${cut}\n`, 'checkpoints.jsonl': a.checkpoints(1, 4)};
    expect(await run(files, 'a.log')).toMatchObject({code: 0});
    const {out, error, code} = await run(files, 'a.log', '--checkpoints', 'checkpoints.jsonl');
    expect(out).toContain('a.log:3: sequence 2: CutTail: the log ends at sequence 2 and a checkpoint saw sequence 4');
    expect([error, code]).toEqual(['', 1]);
  });

  test('finds a log that is missing altogether', async () => {
    const files = {'b.log': b.text, checkpoints: `${a.checkpoints(1, 4)}\n${b.checkpoints(1)}`};
    expect(await run(files, 'b.log', '--checkpoints', 'checkpoints')).toEqual({
      out:
        'b.log: whole: 2 records, sequence 0 to 1, origin gateway-b\n' +
        'no file given holds origin gateway-a, which a checkpoint saw at sequence 4: ' +
        'give its log too, or leave out its checkpoint where the log is kept elsewhere\n',
      error: '',
      code: 1,
    });
  });

  test('reads the checkpoints of the operator', async () => {
    const data = {'ns.sa.a': JSON.stringify({...a.heads[4], time: '2026-01-02T03:04:05Z'})};
    const files = {'a.log': a.text, 'cm.json': JSON.stringify({kind: 'ConfigMap', data})};
    expect(await run(files, 'a.log', '--checkpoints', 'cm.json')).toMatchObject({error: '', code: 0});
  });

  test('names calls without an outcome and calls that no fault', async () => {
    const {out, code} = await run({'a.log': chain(1, 'gateway-a', 'RequestReceived').text}, 'a.log');
    expect(out).toContain(
      'a.log: note: 1 call has an intent and no outcome, still in flight or cut short: call-0 (line 1)\n',
    );
    expect(code).toBe(0);
  });

  test('lists so many faults and counts the others', async () => {
    const {out, code} = await run({'a.log': 'x\n'.repeat(1234)}, 'a.log');
    expect(out).toContain('a.log: NOT WHOLE: 1234 faults in no records\n');
    expect(out).toContain('a.log: and 234 more\n');
    expect(code).toBe(1);
  });

  test('prints JSON for programs', async () => {
    const {out, code} = await run({'a.log': changed}, 'a.log', '--output', 'json');
    expect(JSON.parse(out)).toMatchObject({
      files: [
        {
          file: 'a.log',
          result: 'NotWhole',
          summary: {records: 4, faults: 1, origin: 'gateway-a', firstSequence: 0, lastSequence: 4},
          faults: [{kind: 'Changed', line: 4, sequence: 3}],
        },
      ],
      missing: [],
      checkpointsGiven: false,
    });
    expect(code).toBe(1);
  });

  test.each([
    ['no file', {}, [], "error: missing required argument 'file'"],
    ['an unknown option', {}, ['a.log', '--fix'], "error: unknown option '--fix'"],
    ['an unknown format', {}, ['a.log', '--output', 'xml'], 'Allowed choices are text, json'],
    ['checkpoints that are not there', {'a.log': a.text}, ['a.log', '--checkpoints', 'c'], 'lockkeeper: c: ENOENT'],
    [
      'checkpoints that are none',
      {'a.log': a.text, c: 'hello'},
      ['a.log', '--checkpoints', 'c'],
      'lockkeeper: c: the file must hold checkpoints',
    ],
  ])('exits with 2 for %s', async (_what, files, args, message) => {
    const {error, code} = await run(files, ...args);
    expect(error).toContain(message);
    expect(code).toBe(2);
  });

  test('exits with 2 for a log that cannot be read, and still judges the others', async () => {
    const {out, code} = await run({'a.log': a.text}, 'none.log', 'a.log');
    expect(out).toContain("none.log: cannot be read: ENOENT: no such file or directory, open 'none.log'\n");
    expect(out).toContain('a.log: whole');
    expect(code).toBe(2);
  });

  test('explains itself', async () => {
    const {out, code} = await run({}, '--help');
    expect(out).toContain('Exit code: 0 whole, 1 not whole, 2 wrong usage or not readable.');
    expect(code).toBe(0);
  });
});

test('the process reads files as they are', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockkeeper-cli-'));
  try {
    const path = join(folder, 'a.log');
    await writeFile(path, a.text);
    const {read, readText} = processInput();
    const chunks: Uint8Array[] = [];
    for await (const chunk of read(path)) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe(a.text);
    expect(await readText(path)).toBe(a.text);
  } finally {
    await rm(folder, {recursive: true});
  }
});
