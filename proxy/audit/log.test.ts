import {appendFile, mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {maximumRecordBytes} from '../../core/audit/chain.ts';
import type {Fault} from '../../core/audit/fault.ts';
import {LogVerifier} from '../../core/audit/verify.ts';
import {AuditUnavailable} from './errors.ts';
import type {AuditFile} from './file.ts';
import {AuditLog, type AuditLogOptions, openAuditLog} from './log.ts';

/** A file in memory whose writes a test can hold back, cut short or fail. */
class MemoryFile implements AuditFile {
  content = Buffer.alloc(0);
  writes = 0;
  closed = false;
  /** What each next write does; without an entry it succeeds. */
  readonly script: (Error | number)[] = [];
  held: PromiseWithResolvers<void> | undefined;
  truncateError: Error | undefined;

  async append(bytes: Uint8Array): Promise<number> {
    this.writes += 1;
    await this.held?.promise;
    const next = this.script.shift();
    if (next instanceof Error) throw next;
    const written = bytes.subarray(0, next ?? bytes.length);
    this.content = Buffer.concat([this.content, written]);
    return written.length;
  }

  async size(): Promise<number> {
    return this.content.length;
  }

  async truncate(byteLength: number): Promise<void> {
    if (this.truncateError !== undefined) throw this.truncateError;
    this.content = this.content.subarray(0, byteLength);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

function record(id: string, filler = ''): string {
  return (
    `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"${id}","stage":"ResponseComplete",` +
    `"annotations":{"lockkeeper.dev/decision":"Allowed${filler}"`
  );
}

function verify(content: Uint8Array) {
  const faults: Fault[] = [];
  const verifier = new LogVerifier((fault) => faults.push(fault));
  verifier.push(content);
  return {...verifier.end(), faults};
}

// biome-ignore lint/suspicious/noExplicitAny: events as they stand in the file
function events(content: Uint8Array): any[] {
  return Buffer.from(content)
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const ids = (content: Uint8Array) => events(content).map(({auditID}) => auditID);

class Heard {
  readonly batches: number[] = [];
  readonly failures: AuditUnavailable[] = [];
  dropped = 0;
  torn = 0;
  recovered = Promise.withResolvers<void>();

  readonly hooks = {
    written: (lines: number) => void this.batches.push(lines),
    failed: (error: AuditUnavailable) => void this.failures.push(error),
    recovered: () => this.recovered.resolve(),
    dropped: () => {
      this.dropped += 1;
    },
    torn: (bytes: number) => {
      this.torn = bytes;
    },
  };
}

function inMemory(options: Partial<AuditLogOptions> = {}) {
  const file = new MemoryFile();
  const heard = new Heard();
  let released = false;
  const lock = {
    release: () => {
      released = true;
    },
  };
  const log = new AuditLog({file, byteLength: 0, position: undefined, tornBytes: 0}, lock, {
    newOrigin: 'gateway-0',
    hooks: heard.hooks,
    retryPauseMilliseconds: 1,
    ...options,
  });
  return {file, heard, log, isReleased: () => released};
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const diskFull = () => Object.assign(new Error('ENOSPC: no space left on device'), {code: 'ENOSPC'});

describe('group commit', () => {
  test('writes what comes together at once, in the order of the calls', async () => {
    const {file, log} = inMemory();
    await Promise.all(Array.from({length: 200}, (_, i) => log.append(record(`call-${i}`))));
    expect(file.writes).toBe(1);
    expect(ids(file.content)).toEqual(Array.from({length: 200}, (_, i) => `call-${i}`));
    expect(verify(file.content).faults).toEqual([]);
    await log.close();
  });

  test('joins what comes during a write into the next', async () => {
    const {file, log} = inMemory();
    file.held = Promise.withResolvers();
    const first = log.append(record('first'));
    while (file.writes === 0) await turn();
    const later = Array.from({length: 50}, (_, i) => log.append(record(`later-${i}`)));
    await turn();
    expect(file.writes).toBe(1);
    file.held.resolve();
    await Promise.all([first, ...later]);
    expect(file.writes).toBe(2);
    await log.close();
  });

  test('does not acknowledge before the write has ended', async () => {
    const {file, log} = inMemory();
    file.held = Promise.withResolvers();
    let acknowledged = false;
    const append = log.append(record('a')).then(() => {
      acknowledged = true;
    });
    while (file.writes === 0) await turn();
    await turn();
    expect(acknowledged).toBe(false);
    file.held.resolve();
    await append;
    expect(acknowledged).toBe(true);
    await log.close();
  });

  test('writes a large queue in several pieces that make one chain', async () => {
    const {file, log} = inMemory();
    const filler = 'x'.repeat(300_000);
    await Promise.all(Array.from({length: 10}, (_, i) => log.append(record(`call-${i}`, filler))));
    expect(file.writes).toBe(4);
    expect(verify(file.content)).toMatchObject({records: 10, faults: []});
    await log.close();
  });

  test('lets an outcome share the write of the next intent', async () => {
    const {file, log} = inMemory({lingerMilliseconds: 60_000});
    log.record(record('outcome'));
    for (let i = 0; i < 20; i++) await turn();
    expect(file.writes).toBe(0);
    await log.append(record('intent'));
    expect(file.writes).toBe(1);
    expect(ids(file.content)).toEqual(['outcome', 'intent']);
    await log.close();
  });

  test('writes an outcome that no intent follows', async () => {
    const {file, heard, log} = inMemory({lingerMilliseconds: 1});
    log.record(record('outcome'));
    while (heard.batches.length === 0) await turn();
    expect(ids(file.content)).toEqual(['outcome']);
    await log.close();
  });

  test('tells the head only of what is durable', async () => {
    const {file, log} = inMemory();
    expect(log.head()).toBeUndefined();
    await log.append(record('a'));
    file.held = Promise.withResolvers();
    const second = log.append(record('b'));
    while (file.writes === 1) await turn();
    const [first] = events(file.content);
    const hash = first.annotations['lockkeeper.dev/chain-hash'];
    expect(log.head()).toEqual({origin: 'gateway-0', sequence: 0, hash});
    file.held.resolve();
    await second;
    expect(log.head()?.sequence).toBe(1);
    await log.close();
  });
});

describe('a log that cannot be written', () => {
  test.each([
    ['an error', [diskFull()]],
    ['a short write', [100]],
    ['a write of nothing', [0]],
  ])('refuses every call that waits after %s, and goes on with a whole chain', async (_what, script) => {
    const {file, heard, log} = inMemory({lingerMilliseconds: 60_000});
    await log.append(record('before'));
    file.script.push(...script);
    log.record(record('outcome'));
    const waiting = await Promise.allSettled([log.append(record('a')), log.append(record('b'))]);
    for (const result of waiting) {
      expect(result).toMatchObject({status: 'rejected', reason: {code: 'AuditUnavailable'}});
    }
    expect(heard.failures).toHaveLength(1);
    expect(log.available).toBe(false);
    await expect(log.append(record('c'))).rejects.toBeInstanceOf(AuditUnavailable);

    await heard.recovered.promise;
    expect(log.available).toBe(true);
    await log.append(record('after'));
    expect(ids(file.content)).toEqual(['before', 'outcome', 'after']);
    expect(verify(file.content)).toMatchObject({records: 3, faults: []});
    await log.close();
  });

  test('refuses what was queued behind the failing write too', async () => {
    const {file, log} = inMemory();
    file.held = Promise.withResolvers();
    file.script.push(diskFull());
    const first = log.append(record('first'));
    while (file.writes === 0) await turn();
    const second = log.append(record('second'));
    const both = Promise.allSettled([first, second]);
    file.held.resolve();
    expect((await both).map(({status}) => status)).toEqual(['rejected', 'rejected']);
    await log.close();
  });

  test('stays unavailable while the file cannot be cut back to its last whole line', async () => {
    const {file, heard, log} = inMemory();
    await log.append(record('before'));
    file.script.push(100);
    file.truncateError = new Error('EIO: i/o error');
    await expect(log.append(record('lost'))).rejects.toBeInstanceOf(AuditUnavailable);
    while (heard.failures.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(log.available).toBe(false);
    file.truncateError = undefined;
    await heard.recovered.promise;
    await log.append(record('after'));
    expect(ids(file.content)).toEqual(['before', 'after']);
    await log.close();
  });

  test('does not grow back a file that somebody else shortened', async () => {
    const {file, heard, log} = inMemory();
    await log.append(record('before'));
    file.content = Buffer.alloc(0);
    file.script.push(diskFull());
    await expect(log.append(record('lost'))).rejects.toBeInstanceOf(AuditUnavailable);
    await heard.recovered.promise;
    await log.append(record('after'));
    expect(verify(file.content).faults.map(({kind}) => kind)).toEqual(['Gap']);
    await log.close();
  });

  test('refuses calls past the bound of the queue, and keeps outcomes up to four times that', async () => {
    const size = record('x', 'y'.repeat(1000)).length;
    const {file, heard, log} = inMemory({maximumQueuedBytes: size * 2});
    file.held = Promise.withResolvers();
    const writing = log.append(record('w'));
    while (file.writes === 0) await turn();
    const queued = [log.append(record('a', 'y'.repeat(1000))), log.append(record('b', 'y'.repeat(1000)))];
    await expect(log.append(record('c'))).rejects.toThrow('the audit log cannot keep up');
    for (let i = 0; i < 8; i++) log.record(record(`${i}`, 'y'.repeat(1000)));
    expect(heard.dropped).toBe(2);
    file.held.resolve();
    await Promise.all([writing, ...queued]);
    await log.close();
    expect(events(file.content)[1].annotations['lockkeeper.dev/log-dropped-lines']).toBe('2');
    expect(ids(file.content)).toEqual(['w', 'a', 'b', '0', '1', '2', '3', '4', '5']);
    expect(verify(file.content).faults).toEqual([]);
  });

  test('refuses a record longer than a line may be', async () => {
    const {log} = inMemory();
    await expect(log.append(record('a', 'x'.repeat(maximumRecordBytes)))).rejects.toThrow('the audit record has');
    await log.close();
  });
});

describe('close', () => {
  test('writes what waits, lets go of file and lock, and refuses what comes later', async () => {
    const {file, heard, log, isReleased} = inMemory({lingerMilliseconds: 60_000});
    const last = log.append(record('intent'));
    log.record(record('outcome'));
    await log.close();
    await last;
    expect(ids(file.content)).toEqual(['intent', 'outcome']);
    expect([file.closed, isReleased()]).toEqual([true, true]);
    await expect(log.append(record('late'))).rejects.toThrow('the audit log is closed');
    log.record(record('late'));
    expect(heard.dropped).toBe(1);
    await log.close();
  });

  test('says that not all could be written', async () => {
    const {file, log, isReleased} = inMemory({lingerMilliseconds: 60_000});
    file.script.push(diskFull());
    log.record(record('outcome'));
    await expect(log.close()).rejects.toThrow('ENOSPC');
    expect([file.closed, isReleased()]).toEqual([true, true]);
  });
});

describe('a log on disk', () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockkeeper-log-'));
    path = join(folder, 'audit.log');
  });

  afterEach(() => rm(folder, {recursive: true}));

  test('goes on with its chain over restarts', async () => {
    for (const run of ['one', 'two', 'three']) {
      const log = await openAuditLog(path, {newOrigin: `origin-${run}`, hooks: new Heard().hooks});
      await Promise.all([log.append(record(`${run}-a`)), log.append(record(`${run}-b`))]);
      await log.close();
    }
    expect(verify(await readFile(path))).toMatchObject({records: 6, faults: [], origin: 'origin-one', lastSequence: 5});
  });

  test('notes a torn line that it cut off', async () => {
    const first = await openAuditLog(path, {newOrigin: 'gateway-0', hooks: new Heard().hooks});
    await first.append(record('a'));
    await first.close();
    await appendFile(path, '{"kind":"Eve');
    const heard = new Heard();
    const second = await openAuditLog(path, {newOrigin: 'gateway-0', hooks: heard.hooks});
    await second.append(record('b'));
    await second.append(record('c'));
    await second.close();
    expect(heard.torn).toBe(12);
    const content = await readFile(path);
    expect(events(content).map(({annotations}) => annotations['lockkeeper.dev/log-torn-bytes'])).toEqual([
      undefined,
      '12',
      undefined,
    ]);
    expect(verify(content).faults).toEqual([]);
  });

  test('is held by one process, and free again once closed', async () => {
    const options = {newOrigin: 'gateway-0', hooks: new Heard().hooks};
    const log = await openAuditLog(path, options);
    await expect(openAuditLog(path, options)).rejects.toMatchObject({code: 'AuditLogLocked'});
    await log.close();
    await (await openAuditLog(path, options)).close();
  });

  test('does not begin under a name that its lines could not hold', async () => {
    const opening = openAuditLog(path, {newOrigin: 'a"b', hooks: new Heard().hooks});
    await expect(opening).rejects.toMatchObject({code: 'AuditOriginInvalid'});
  });
});
