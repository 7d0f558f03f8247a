import {createHash} from 'node:crypto';
import type {SealedRecording} from '../../core/audit/event.ts';
import type {AppendedFile} from './append.ts';
import {RecordingFailed} from './errors.ts';

/** Past this what waits for the disk is too much: whoever feeds the recording must pause. */
const congestedBytes = 1024 * 1024;

/**
 * From the start of one write to that of the next at least. A write costs the same for one piece as for many, so where
 * output flows it is gathered for so long; what comes after a pause, as an echo does, is written at once.
 */
const gatherMilliseconds = 1;

/** What waits is written without delay once it is so much. */
const gatherBytes = 128 * 1024;

/** What is to be in the file. A function is asked when the write begins: until then more may join what it gives. */
export type RecordedText = string | (() => string);

interface Entry {
  readonly text: RecordedText;
  readonly bytes: number;
  readonly written: (() => void) | undefined;
}

/**
 * Writes a recording as it happens. One write is under way at a time; what comes meanwhile, and for a moment after it,
 * shares the next one. A write that has returned survives the end of this process, however it ends; only `finish` makes
 * it survive the machine's.
 */
export class RecordingWriter {
  readonly #file: AppendedFile;
  readonly #onFailure: (error: RecordingFailed) => void;
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #queue: Entry[] = [];
  /** Of the queue and of the write under way. */
  #queuedBytes = 0;
  #paused = false;
  /** Whether something in the queue must be in the file before it is told. */
  #textWaits = false;
  #immediate: NodeJS.Immediate | undefined;
  /** Runs from the start of a write on. */
  #gathering: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #finished: Promise<SealedRecording> | undefined;
  #failure: RecordingFailed | undefined;
  onDrain: () => void = () => {};

  /**
   * Writes the header of a new recording.
   *
   * @param onFailure Told once, when something cannot be recorded: what waited is dropped, and nothing more is taken.
   * @throws {RecordingFailed} where that fails; the file is removed.
   */
  static async begin(
    file: AppendedFile,
    header: string,
    onFailure: (error: RecordingFailed) => void,
  ): Promise<RecordingWriter> {
    const writer = new RecordingWriter(file, onFailure);
    try {
      await writer.#write(header);
    } catch (cause) {
      await writer.discard();
      throw RecordingFailed.of('the recording cannot begin', cause);
    }
    return writer;
  }

  private constructor(file: AppendedFile, onFailure: (error: RecordingFailed) => void) {
    this.#file = file;
    this.#onFailure = onFailure;
  }

  get congested(): boolean {
    return this.#paused || this.#failure !== undefined;
  }

  /** @throws {RecordingFailed} where nothing more is taken. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#finished !== undefined) throw new RecordingFailed('the recording is finished');
  }

  /**
   * Queues a text, which may be empty.
   *
   * @param written Called once the text, and all that was queued before, is in the file: never, where that fails.
   * @param heldBytes What `written`, and a text that is not there yet, hold on to.
   * @throws {RecordingFailed} where nothing more is taken.
   */
  append(text: RecordedText, written?: () => void, heldBytes = 0): void {
    this.check();
    const bytes = (typeof text === 'string' ? text.length : 0) + heldBytes;
    this.#queue.push({text, bytes, written});
    this.#queuedBytes += bytes;
    this.#textWaits ||= text !== '';
    this.#paused ||= this.#queuedBytes > congestedBytes;
    this.#schedule();
  }

  /** Has the queue written as soon as it may be. */
  #schedule(): void {
    if (this.#writing !== undefined || this.#immediate !== undefined || this.#queue.length === 0) return;
    if (this.#gathering !== undefined && this.#textWaits && this.#queuedBytes < gatherBytes) return;
    // Behind all that the event loop has read by now, so that what came together shares a write.
    this.#immediate = setImmediate(this.#start);
  }

  readonly #start = (): void => {
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#writing ??= this.#drain();
  };

  readonly #gathered = (): void => {
    this.#gathering = undefined;
    this.#schedule();
  };

  /** Ends the recording for a reason of the caller's; too late once it is being finished. */
  fail(cause: unknown): void {
    if (this.#finished === undefined) this.#fail(cause);
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = RecordingFailed.of('the stream cannot be recorded any more', cause);
    this.#queue = [];
    this.#onFailure(this.#failure);
  }

  /**
   * Writes what waits, makes the file durable and closes it.
   *
   * @returns what is in the file, also where the recording failed: up to there it is true.
   * @throws {RecordingFailed} where not even that is sure.
   */
  finish(): Promise<SealedRecording> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  /** Removes the file, for what it was for does not happen. Never rejects: a header that stays is no evidence of anything. */
  async discard(): Promise<void> {
    this.#finished ??= Promise.reject(new RecordingFailed('the recording was discarded'));
    this.#finished.catch(() => {});
    await this.#settle();
    await Promise.allSettled([this.#file.close(), this.#file.remove()]);
  }

  async #finish(): Promise<SealedRecording> {
    await this.#settle();
    try {
      await this.#file.sync().finally(() => this.#file.close());
    } catch (cause) {
      throw RecordingFailed.of('the recording cannot be made durable', cause);
    }
    return {sha256: this.#hash.digest('hex'), bytes: this.#bytes};
  }

  /** What waits is written without delay. */
  async #settle(): Promise<void> {
    do {
      this.#start();
      await this.#writing;
    } while (this.#queue.length > 0);
    clearTimeout(this.#gathering);
  }

  /** Writes what waits at this moment. Never rejects: to fail is a state of the recording. */
  async #drain(): Promise<void> {
    const batch = this.#queue;
    this.#queue = [];
    this.#textWaits = false;
    try {
      await this.#write(batch.map(({text}) => (typeof text === 'string' ? text : text())).join(''));
      if (this.#failure === undefined) for (const {written} of batch) written?.();
    } catch (cause) {
      this.#fail(cause);
    }
    this.#queuedBytes -= batch.reduce((sum, {bytes}) => sum + bytes, 0);
    this.#resume();
    this.#writing = undefined;
    this.#schedule();
  }

  #resume(): void {
    if (!this.#paused || this.#queuedBytes > congestedBytes / 2 || this.#failure !== undefined) return;
    this.#paused = false;
    this.onDrain();
  }

  async #write(text: string): Promise<void> {
    if (text === '') return;
    this.#gathering = this.#gathering?.refresh() ?? setTimeout(this.#gathered, gatherMilliseconds);
    for (let rest = Buffer.from(text); rest.length > 0; ) {
      const written = await this.#file.append(rest);
      if (written === 0) throw new Error('the disk takes no more');
      // Only what is in the file counts, so that the hash of a recording that failed is true as well.
      this.#hash.update(rest.subarray(0, written));
      this.#bytes += written;
      rest = rest.subarray(written);
    }
  }
}
