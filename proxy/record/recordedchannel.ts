import {StringDecoder} from 'node:string_decoder';
import type {MaskPlan} from '../../core/mask/plan.ts';
import type {OutputSink} from '../stream/session.ts';
import type {EventCode} from './asciicast.ts';
import {MaskedChannel} from './channel.ts';
import {concatenated, type EventLog} from './eventlog.ts';

/** Bounds the lines of a recording whatever the size of a frame: who reads it holds one line. */
const eventMaximumBytes = 64 * 1024;

export interface RecordedChannelOptions {
  readonly log: EventLog;
  readonly code: EventCode;
  /** What is hidden from the agent; undefined where it is shown everything. */
  readonly shown: MaskPlan | undefined;
  readonly recorded: MaskPlan;
  readonly sink: OutputSink;
}

/** What the maskers have let go. */
interface Released {
  readonly recorded: Buffer[];
  readonly shown: Buffer[];
}

/**
 * One direction of a command, recorded as one kind of event. What waits for a write is masked, encoded and emitted as
 * one, when its turn has come: each of these costs as much for a piece of a few bytes as for some kilobytes.
 */
export class RecordedChannel {
  readonly masked: MaskedChannel;
  readonly #options: RecordedChannelOptions;
  /** Characters are cut anywhere between pieces. */
  readonly #decoder = new StringDecoder('utf8');
  /** Takes what the maskers let go, while they are given what has waited. */
  #released: Released | undefined;
  /** Is to be emitted once it is on record; of one write at most. */
  readonly #shown: Buffer[][] = [];

  constructor(options: RecordedChannelOptions) {
    const {log, shown, recorded} = options;
    this.#options = options;
    const failed = (error: unknown) => log.writer.fail(error);
    this.masked = new MaskedChannel({shown, recorded, put: this.#put, failed});
  }

  /**
   * The chunk is the channel's from here on.
   *
   * @throws {RecordingFailed} where nothing more is taken. What cannot be masked fails the recording.
   */
  push(chunk: Buffer): void {
    const {log, code} = this.#options;
    log.join(this, code, chunk, this.#maskAll, this.#emit);
    // It may be what the maskers wait for, and nothing may pass it.
    this.masked.wait();
  }

  /** @throws {RecordingFailed} as `push` */
  end(): void {
    const {log, code, sink} = this.#options;
    const texts = () => [...this.#release(() => this.masked.end()), this.#decoder.end()];
    log.append(code, texts, () => {
      this.#emit();
      sink.ended();
    });
    this.masked.wait();
  }

  /** What the maskers hold stays so. */
  close(): void {
    this.masked.close();
  }

  readonly #maskAll = (all: Buffer): Iterable<string> => this.#release(() => this.masked.push(all));

  /** Gives the record of what the maskers let go, and queues the same for the agent. */
  #release(act: () => void): string[] {
    const released: Released = {recorded: [], shown: []};
    this.#released = released;
    act();
    this.#released = undefined;
    this.#shown.push(released.shown);
    return this.#decode(concatenated(released.recorded));
  }

  readonly #emit = (): void => {
    const shown = this.#shown.shift() ?? [];
    if (shown.length > 0) this.#options.sink.emit(concatenated(shown));
  };

  readonly #put = (recorded: Buffer, shown: Buffer): void => {
    if (this.#released !== undefined) {
      this.#released.recorded.push(recorded);
      this.#released.shown.push(shown);
      return;
    }
    // What was held for too long.
    const {log, code, sink} = this.#options;
    log.append(
      code,
      () => this.#decode(recorded),
      () => sink.emit(shown),
      shown.length,
    );
  };

  #decode(bytes: Buffer): string[] {
    const texts: string[] = [];
    for (let start = 0; start < bytes.length; start += eventMaximumBytes) {
      texts.push(this.#decoder.write(bytes.subarray(start, start + eventMaximumBytes)));
    }
    return texts;
  }
}
