import {annotation} from '../../core/audit/annotations.ts';
import {isChainOrigin, maximumRecordBytes} from '../../core/audit/chain.ts';
import type {Checkpoint} from '../../core/control/messages.ts';
import {ChainFile} from './chainfile.ts';
import {AuditLogError, AuditUnavailable} from './errors.ts';
import {type OpenedAuditFile, openAuditFile} from './file.ts';
import {lockFile} from './lock.ts';

/** What metrics and the proxy's own log hear of the audit log. */
export interface AuditLogHooks {
  /** One durable write. */
  written(lines: number, bytes: number): void;
  /** A write failed; calls are refused until `recovered`. */
  failed(error: AuditUnavailable): void;
  /** The file is back to its last whole line: the next call is tried. */
  recovered(): void;
  /** An outcome line could not be kept while the log could not be written; the log says so in its next line. */
  dropped(): void;
  /** An unfinished line was cut off the end of a file that is continued. */
  torn(bytes: number): void;
}

export interface AuditLogOptions {
  /** Name of a chain that begins here, see `isChainOrigin`; a continued file keeps its own. */
  readonly newOrigin: string;
  readonly hooks: AuditLogHooks;
  /** Records waiting to be written; past that calls are refused. Default 16 MiB. */
  readonly maximumQueuedBytes?: number;
  /** How long an outcome may wait for another line to share its write. Default 10. */
  readonly lingerMilliseconds?: number;
  /** Between a failed write and the next try. Default 1,000. */
  readonly retryPauseMilliseconds?: number;
}

interface Entry {
  readonly record: string;
  readonly bytes: number;
  /** undefined for a line that nobody waits for. */
  readonly waiter: {resolve(): void; reject(error: AuditUnavailable): void} | undefined;
}

/** Outcomes may take this many times the bound of the queue: their calls were forwarded, so losing them loses evidence. */
const outcomeAllowance = 4;

const maximumBatchBytes = 1024 * 1024;

/** Turns of the event loop that a write waits while each of them brings more lines. */
const maximumGatherTurns = 16;

/**
 * Opens the log at `path`, or begins it, and keeps other processes away from it by `path`.lock.
 *
 * @throws {AuditLogError}
 */
export async function openAuditLog(path: string, options: AuditLogOptions): Promise<AuditLog> {
  if (!isChainOrigin(options.newOrigin)) {
    throw new AuditLogError(
      'AuditOriginInvalid',
      `audit log: origin ${JSON.stringify(options.newOrigin)} must be 1 to 128 letters, digits, ".", "_" or "-", ` +
        'with a letter or digit first and last',
    );
  }
  const lock = lockFile(`${path}.lock`);
  try {
    const opened = await openAuditFile(path);
    if (opened.tornBytes > 0) options.hooks.torn(opened.tornBytes);
    return new AuditLog(opened, lock, options);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * The append-only log with group commit. Lines take their place in the chain in the order of the calls to `append` and
 * `record`, at the moment they are written, so a failed write leaves no hole.
 *
 * A line waits until a turn of the event loop brings no other, then all that wait share one durable write: alone it
 * goes at once, under load many calls pay for one.
 */
export class AuditLog {
  readonly #chain: ChainFile;
  readonly #lock: {release(): void};
  readonly #hooks: AuditLogHooks;
  readonly #maximumQueuedBytes: number;
  readonly #lingerMilliseconds: number;
  readonly #retryPauseMilliseconds: number;
  #state: 'Open' | 'Broken' | 'Closed' = 'Open';
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #waiters = 0;
  /** Lines ever queued: tells whether a turn brought any. */
  #arrived = 0;
  #gathering = false;
  #writing: Promise<void> | undefined;
  #lingerTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #failure: AuditUnavailable | undefined;
  #tornBytes: number;
  #droppedLines = 0;

  /** Use `openAuditLog`; this takes a file that is open and a lock that is held. */
  constructor(opened: OpenedAuditFile, lock: {release(): void}, options: AuditLogOptions) {
    this.#chain = new ChainFile(opened, options.newOrigin);
    this.#lock = lock;
    this.#tornBytes = opened.tornBytes;
    this.#hooks = options.hooks;
    this.#maximumQueuedBytes = options.maximumQueuedBytes ?? 16 * 1024 * 1024;
    this.#lingerMilliseconds = options.lingerMilliseconds ?? 10;
    this.#retryPauseMilliseconds = options.retryPauseMilliseconds ?? 1000;
  }

  /** Whether the last write went well; while it did not, every `append` is refused. */
  get available(): boolean {
    return this.#state === 'Open';
  }

  /** The last durable line, for a checkpoint; undefined before the first. */
  head(): Checkpoint | undefined {
    return this.#chain.head();
  }

  /**
   * Puts a record on the log.
   *
   * @param record An event as `EventEncoder.encode` makes it.
   * @returns resolved once the line is durable; rejected with AuditUnavailable, and then its call must not go on.
   */
  append(record: string): Promise<void> {
    const bytes = Buffer.byteLength(record);
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.#waiters += 1;
      this.#enqueue({record, bytes, waiter: {resolve, reject}});
      this.#gather();
    });
  }

  /** Puts a record on the log without waiting for it: it shares the next line's write, or has its own soon after. */
  record(record: string): void {
    const bytes = Buffer.byteLength(record);
    const full = this.#queuedBytes + bytes > this.#maximumQueuedBytes * outcomeAllowance;
    if (this.#state === 'Closed' || full || bytes > maximumRecordBytes) {
      this.#droppedLines += 1;
      this.#hooks.dropped();
      return;
    }
    this.#enqueue({record, bytes, waiter: undefined});
    this.#linger();
  }

  /**
   * Writes what waits and lets go of the file.
   *
   * @throws {AuditUnavailable} where not all of it could be written.
   */
  async close(): Promise<void> {
    if (this.#state === 'Closed') return;
    this.#state = 'Closed';
    clearTimeout(this.#lingerTimer);
    clearTimeout(this.#retryTimer);
    await this.#writing;
    this.#failure = undefined;
    while (this.#queue.length > 0 && this.#failure === undefined) await this.#writeBatch();
    try {
      await this.#chain.restore();
    } finally {
      await this.#chain.close();
      this.#lock.release();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #refusal(bytes: number): AuditUnavailable | undefined {
    if (this.#state === 'Closed') return new AuditUnavailable('the audit log is closed');
    if (this.#state === 'Broken') {
      return new AuditUnavailable('the audit log cannot be written', {cause: this.#failure?.cause});
    }
    if (bytes > maximumRecordBytes) {
      return new AuditUnavailable(`the audit record has ${bytes} bytes and may have ${maximumRecordBytes}`);
    }
    if (this.#queuedBytes + bytes > this.#maximumQueuedBytes) {
      return new AuditUnavailable(`the audit log cannot keep up: ${this.#queuedBytes} bytes wait to be written`);
    }
    return undefined;
  }

  #enqueue(entry: Entry): void {
    this.#queue.push(entry);
    this.#queuedBytes += entry.bytes;
    this.#arrived += 1;
  }

  /** Writes once a turn of the event loop brought no more lines. */
  #gather(): void {
    if (this.#gathering || this.#writing !== undefined || this.#state !== 'Open') return;
    this.#gathering = true;
    let arrived = this.#arrived;
    let turns = 0;
    const turn = () => {
      turns += 1;
      if (this.#arrived !== arrived && turns < maximumGatherTurns) {
        arrived = this.#arrived;
        setImmediate(turn);
        return;
      }
      this.#gathering = false;
      this.#start();
    };
    setImmediate(turn);
  }

  #linger(): void {
    if (this.#lingerTimer !== undefined || this.#state !== 'Open') return;
    this.#lingerTimer = setTimeout(() => {
      this.#lingerTimer = undefined;
      this.#start();
    }, this.#lingerMilliseconds);
  }

  #start(): void {
    if (this.#writing !== undefined || this.#state !== 'Open' || this.#queue.length === 0) return;
    this.#writing = this.#writeBatch().then(() => {
      this.#writing = undefined;
      if (this.#waiters > 0) this.#gather();
      else if (this.#queue.length > 0) this.#linger();
    });
  }

  /** Writes the oldest lines of the queue. Never rejects: to fail is a state of the log. */
  async #writeBatch(): Promise<void> {
    const batch = this.#takeBatch();
    const [first = '', ...rest] = batch.map(({record}) => record);
    const tornBytes = this.#tornBytes;
    const droppedLines = this.#droppedLines;
    let bytes: number;
    try {
      bytes = await this.#chain.write([first + notes(tornBytes, droppedLines), ...rest]);
    } catch (cause) {
      this.#fail(batch, cause);
      return;
    }
    this.#tornBytes -= tornBytes;
    this.#droppedLines -= droppedLines;
    this.#hooks.written(batch.length, bytes);
    for (const {waiter} of batch) waiter?.resolve();
  }

  #takeBatch(): Entry[] {
    let bytes = 0;
    let lines = 0;
    for (const entry of this.#queue) {
      if (lines > 0 && bytes + entry.bytes > maximumBatchBytes) break;
      bytes += entry.bytes;
      lines += 1;
      if (entry.waiter !== undefined) this.#waiters -= 1;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, lines);
  }

  /** Refuses every call that waits; outcomes are kept for the next try, for their calls did happen. */
  #fail(batch: readonly Entry[], cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const failure = new AuditUnavailable(`the audit log cannot be written: ${reason}`, {cause});
    this.#failure = failure;
    const entries = [...batch, ...this.#queue];
    this.#queue = entries.filter(({waiter}) => waiter === undefined);
    this.#queuedBytes = this.#queue.reduce((sum, {bytes}) => sum + bytes, 0);
    this.#waiters = 0;
    for (const {waiter} of entries) waiter?.reject(failure);
    this.#hooks.failed(failure);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#state === 'Closed') return;
    this.#state = 'Broken';
    this.#retryTimer = setTimeout(() => {
      this.#writing = this.#recover().then(() => {
        this.#writing = undefined;
        this.#start();
      });
    }, this.#retryPauseMilliseconds);
  }

  async #recover(): Promise<void> {
    try {
      await this.#chain.restore();
    } catch (cause) {
      this.#hooks.failed(new AuditUnavailable('the audit log cannot be cut back to its last whole line', {cause}));
      this.#retryLater();
      return;
    }
    if (this.#state !== 'Broken') return;
    this.#state = 'Open';
    this.#hooks.recovered();
  }
}

/** Annotations of the log itself, for the next line: what it had to cut off or leave out before it. */
function notes(tornBytes: number, droppedLines: number): string {
  return (
    (tornBytes > 0 ? `,"${annotation.tornBytes}":"${tornBytes}"` : '') +
    (droppedLines > 0 ? `,"${annotation.droppedLines}":"${droppedLines}"` : '')
  );
}
