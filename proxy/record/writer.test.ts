import {createHash} from 'node:crypto';
import {constants} from 'node:fs';
import {mkdir, mkdtemp, open, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep, setImmediate as turn} from 'node:timers/promises';
import {afterEach, beforeEach, describe, expect, jest, test} from '@jest/globals';
import fc from 'fast-check';
import {type AppendedFile, createRecordingFile} from './append.ts';
import {RecordingFailed} from './errors.ts';
import {RecordingWriter} from './writer.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockkeeper-record-'));
});

afterEach(() => rm(folder, {recursive: true}));

/** Long enough for what is gathered to be on its way to the file. */
async function gathered(): Promise<void> {
  await sleep(10);
  await turn();
  await turn();
}

/** A file in memory whose writes wait to be let through, each with how many bytes it takes or why it fails. */
function heldFile() {
  const waiting: {bytes: Buffer; settle(result: number | Error): void}[] = [];
  let content = '';
  const file: AppendedFile = {
    append: (bytes) =>
      new Promise((resolve, reject) => {
        waiting.push({
          bytes: Buffer.from(bytes),
          settle: (result) => {
            if (result instanceof Error) return reject(result);
            content += Buffer.from(bytes).subarray(0, result).toString();
            resolve(result);
          },
        });
      }),
    sync: async () => {},
    close: async () => {},
    remove: async () => {},
  };
  return {
    file,
    content: () => content,
    writes: () => waiting.map(({bytes}) => bytes.toString()),
    /** Lets the oldest write through, and what follows from it happen. */
    async write(result?: number | Error) {
      await turn();
      const oldest = waiting.shift();
      oldest?.settle(result ?? oldest.bytes.length);
      await gathered();
    },
  };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** A writer on a held file, its header written, and all that it tells. */
async function held() {
  const disk = heldFile();
  const failures: RecordingFailed[] = [];
  const beginning = RecordingWriter.begin(disk.file, 'header\n', (error) => failures.push(error));
  await disk.write();
  return {...disk, writer: await beginning, failures};
}

describe('what is recorded', () => {
  test('is told once it is in the file, in order, and shares one write with what came meanwhile', async () => {
    const {writer, writes, write, content} = await held();
    const told: string[] = [];
    const append = (text: string) => writer.append(text, () => told.push(text));
    append('a');
    append('b');
    await turn();
    append('c');
    append('d');
    expect([writes(), told]).toEqual([['ab'], []]);
    await write();
    expect([writes(), told]).toEqual([['cd'], ['a', 'b']]);
    await write();
    expect([content(), told]).toEqual(['header\nabcd', ['a', 'b', 'c', 'd']]);
  });

  test('may be empty: then it is told behind what was queued before, without a write', async () => {
    const {writer, writes, write} = await held();
    const told: string[] = [];
    writer.append('', () => told.push('alone'));
    await turn();
    expect([writes(), told]).toEqual([[], ['alone']]);
    writer.append('a', () => told.push('a'));
    writer.append('', () => told.push('behind'));
    await turn();
    expect(told).toEqual(['alone']);
    await write();
    expect(told).toEqual(['alone', 'a', 'behind']);
  });

  test('is written whole where the disk takes it in pieces', async () => {
    const {writer, write, writes, content} = await held();
    const told: string[] = [];
    writer.append('äbcdef', () => told.push('all'));
    await turn();
    await write(1);
    expect(told).toEqual([]);
    await write(2);
    expect(writes()).toEqual(['cdef']);
    await write();
    expect(told).toEqual(['all']);
    const finished = writer.finish();
    // A held file keeps bytes, not text: the first two are the halves of one letter.
    expect(content()).toMatch(/^header\n.*bcdef$/);
    expect(await finished).toEqual({sha256: sha256('header\näbcdef'), bytes: 14});
  });

  test('past 1 MiB says that it is too much, until half of it is written', async () => {
    const {writer, write} = await held();
    let drained = 0;
    writer.onDrain = () => drained++;
    writer.append('x'.repeat(1024 * 1024));
    expect(writer.congested).toBe(false);
    await turn();
    writer.append('y', undefined, 600 * 1024);
    expect([writer.congested, drained]).toEqual([true, 0]);
    await write();
    expect([writer.congested, drained]).toEqual([true, 0]);
    await write();
    expect([writer.congested, drained]).toEqual([false, 1]);
  });
});

describe('what comes right after a write', () => {
  const gatherMilliseconds = 1;

  /** A writer that has just written. */
  async function written() {
    // All that the writer takes of the clock is how long to gather.
    jest.useFakeTimers({doNotFake: ['setImmediate', 'clearImmediate', 'nextTick', 'queueMicrotask', 'performance']});
    const disk = await held();
    jest.advanceTimersByTime(gatherMilliseconds);
    disk.writer.append('a');
    await disk.write();
    expect(disk.content()).toBe('header\na');
    return disk;
  }

  afterEach(() => {
    jest.useRealTimers();
  });

  test('is gathered for a moment, and shares the next write', async () => {
    const {writer, writes} = await written();
    writer.append('b');
    await gathered();
    jest.advanceTimersByTime(gatherMilliseconds - 1);
    writer.append('c');
    await gathered();
    expect(writes()).toEqual([]);
    jest.advanceTimersByTime(1);
    await gathered();
    expect(writes()).toEqual(['bc']);
  });

  test('is written at once where nothing came for that moment', async () => {
    const {writer, writes} = await written();
    jest.advanceTimersByTime(gatherMilliseconds);
    writer.append('b');
    await turn();
    expect(writes()).toEqual(['b']);
  });

  test('is written at once where it is much', async () => {
    const {writer, writes} = await written();
    writer.append('b'.repeat(124 * 1024));
    await gathered();
    expect(writes()).toEqual([]);
    writer.append('c', undefined, 4 * 1024);
    await gathered();
    expect(writes()).toEqual([`${'b'.repeat(124 * 1024)}c`]);
  });

  test('is told at once where it has nothing to be written', async () => {
    const {writer} = await written();
    const told: string[] = [];
    writer.append('', () => told.push('b'));
    await gathered();
    expect(told).toEqual(['b']);
  });

  test('is not waited for at the end', async () => {
    const {writer, write, content} = await written();
    writer.append('b');
    const finished = writer.finish();
    await write();
    expect(await finished).toEqual({sha256: sha256('header\nab'), bytes: 9});
    expect(content()).toBe('header\nab');
  });
});

describe('a text that is not there yet', () => {
  test('is asked for in its turn, when its write begins', async () => {
    const {writer, writes, write, content} = await held();
    const asked: string[] = [];
    const later = (text: string) => () => {
      asked.push(text);
      return text;
    };
    writer.append(later('a'));
    expect(asked).toEqual([]);
    await turn();
    writer.append(later('b'));
    writer.append('c');
    writer.append(later('d'));
    expect([asked, writes()]).toEqual([['a'], ['a']]);
    await write();
    expect([asked, writes()]).toEqual([['a', 'b', 'd'], ['bcd']]);
    await write();
    expect(content()).toBe('header\nabcd');
  });

  test('counts as much as it holds on to', async () => {
    const {writer} = await held();
    writer.append(() => 'short', undefined, 1024 * 1024);
    expect(writer.congested).toBe(false);
    writer.append(() => '', undefined, 1);
    expect(writer.congested).toBe(true);
  });

  test('and cannot be given is a failure: nothing of its batch is written or told', async () => {
    const {writer, writes, failures, content} = await held();
    const told: string[] = [];
    writer.append('a', () => told.push('a'));
    writer.append(() => {
      throw new Error('no text');
    });
    await turn();
    await turn();
    expect([writes(), told, content()]).toEqual([[], [], 'header\n']);
    expect(failures[0]?.message).toBe('the stream cannot be recorded any more: no text');
  });
});

describe('when it cannot be written', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {code: 'ENOSPC'});

  test('nothing that waits is told, the owner is, and nothing more is taken', async () => {
    const {writer, write, failures} = await held();
    const told: string[] = [];
    writer.append('a', () => told.push('a'));
    await turn();
    writer.append('b', () => told.push('b'));
    await write(full);
    expect(told).toEqual([]);
    expect(failures).toEqual([expect.any(RecordingFailed)]);
    expect(failures[0]).toMatchObject({
      code: 'RecordingFailed',
      message: 'the stream cannot be recorded any more: ENOSPC: no space left on device, write',
      cause: full,
    });
    expect(() => writer.append('c')).toThrow(failures[0]);
    expect(writer.congested).toBe(true);
    writer.fail(new Error('again'));
    expect(failures).toHaveLength(1);
  });

  test.each([
    ['fails', full],
    ['takes nothing', 0],
  ])('the outcome still vouches for what is in the file, part of a write that %s included', async (_what, result) => {
    const {writer, write, content, failures} = await held();
    writer.append('abcdef');
    await turn();
    await write(3);
    await write(result);
    expect(failures).toHaveLength(1);
    expect(content()).toBe('header\nabc');
    expect(await writer.finish()).toEqual({sha256: sha256('header\nabc'), bytes: 10});
  });

  test('who is told throws: that is a failure too, and no later one is told', async () => {
    const {writer, write, failures} = await held();
    const told: string[] = [];
    writer.append('a', () => {
      throw new Error('the agent is gone');
    });
    writer.append('b', () => told.push('b'));
    await turn();
    await write();
    expect(told).toEqual([]);
    expect(failures[0]?.message).toBe('the stream cannot be recorded any more: the agent is gone');
  });

  test('a real full disk says so', async () => {
    const handle = await open('/dev/full', constants.O_WRONLY);
    const file: AppendedFile = {
      append: async (bytes) => (await handle.write(bytes)).bytesWritten,
      sync: async () => {},
      close: () => handle.close(),
      remove: async () => {},
    };
    await expect(RecordingWriter.begin(file, 'header\n', () => {})).rejects.toMatchObject({
      code: 'RecordingFailed',
      message: 'the recording cannot begin: ENOSPC: no space left on device, write',
    });
  });

  test('a file that cannot be made durable has no hash', async () => {
    const disk = heldFile();
    disk.file.sync = () => Promise.reject(new Error('EIO: i/o error, fsync'));
    const beginning = RecordingWriter.begin(disk.file, 'header\n', () => {});
    await disk.write();
    await expect((await beginning).finish()).rejects.toThrow(
      'the recording cannot be made durable: EIO: i/o error, fsync',
    );
  });
});

describe('the end', () => {
  test('waits for what is queued, takes no more, and is the same when asked again', async () => {
    const {writer, write, content, failures} = await held();
    const told: string[] = [];
    writer.append('a', () => told.push('a'));
    const finished = writer.finish();
    expect(() => writer.append('b')).toThrow('the recording is finished');
    await turn();
    await write();
    expect(await finished).toEqual({sha256: sha256('header\na'), bytes: 8});
    expect(await writer.finish()).toEqual(await finished);
    expect([content(), told, failures]).toEqual(['header\na', ['a'], []]);
    writer.fail(new Error('too late'));
    expect(failures).toEqual([]);
  });

  test('hashes what is in the file, whatever was written how', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.string({unit: 'grapheme'}), fc.boolean())), async (parts) => {
        const name = `2026-01-02/${Math.random().toString(36).slice(2)}.cast`;
        const writer = await RecordingWriter.begin(await createRecordingFile(folder, name), 'header\n', () => {});
        for (const [text, pause] of parts) {
          writer.append(text);
          if (pause) await turn();
        }
        const {sha256: hash, bytes} = await writer.finish();
        const content = await readFile(join(folder, name), 'utf8');
        expect(content).toBe(`header\n${parts.map(([text]) => text).join('')}`);
        expect([hash, bytes]).toEqual([sha256(content), Buffer.byteLength(content)]);
      }),
      {numRuns: 30},
    );
  });
});

describe('the file', () => {
  const name = '2026-01-02/a.cast';

  test('is for the owner alone, as are its folders', async () => {
    const directory = join(folder, 'recordings');
    const file = await createRecordingFile(directory, name);
    await file.close();
    const modes = await Promise.all(
      ['', '2026-01-02', name].map(async (path) => (await stat(join(directory, path))).mode),
    );
    expect(modes.map((mode) => (mode & 0o777).toString(8))).toEqual(['700', '700', '600']);
  });

  test('that is there already is not touched', async () => {
    await mkdir(join(folder, '2026-01-02'));
    await writeFile(join(folder, name), 'evidence');
    await expect(createRecordingFile(folder, name)).rejects.toMatchObject({
      code: 'RecordingFailed',
      message: expect.stringContaining('EEXIST'),
    });
    expect(await readFile(join(folder, name), 'utf8')).toBe('evidence');
  });

  test('is gone where the stream never began', async () => {
    const writer = await RecordingWriter.begin(await createRecordingFile(folder, name), 'header\n', () => {});
    await writer.discard();
    await expect(stat(join(folder, name))).rejects.toMatchObject({code: 'ENOENT'});
    expect(() => writer.append('a')).toThrow('the recording is finished');
  });

  test('that cannot be removed stays, and nobody trips over it', async () => {
    const writer = await RecordingWriter.begin(await createRecordingFile(folder, name), 'header\n', () => {});
    await rm(join(folder, name));
    await writer.discard();
  });

  test('cannot be made where the folder is a file: a clear error', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(createRecordingFile(join(folder, 'file'), name)).rejects.toThrow(
      `the recording ${join(folder, 'file', name)} cannot be made: ENOTDIR`,
    );
  });
});
