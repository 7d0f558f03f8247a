import {sumOf} from '../../core/mask/counts.ts';
import {createMasker} from '../../core/mask/createmasker.ts';
import type {MaskCounts, Masker} from '../../core/mask/masker.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';

/** What may belong to a card number waits this long for the rest: a person who types waits for the echo. */
const flushMilliseconds = 50;

export interface MaskedChannelOptions {
  /** What is hidden from the agent; undefined where it is shown everything. */
  readonly shown: MaskPlan | undefined;
  /** What is hidden from the record, of what the agent is shown. */
  readonly recorded: MaskPlan;
  /**
   * The next bytes in order.
   *
   * @param recorded for the record
   * @param shown for the agent: as many bytes
   */
  put(recorded: Buffer, shown: Buffer): void;
  /** The channel cannot go on: an error that no caller of `push` sees. */
  failed(error: unknown): void;
}

/** One direction of a stream, on its way through maskers to the record, and in step with that to whoever it is for. */
export class MaskedChannel {
  readonly #options: MaskedChannelOptions;
  /** Of what the agent is shown, where the record hides another part of it. */
  readonly #forAgent: Masker | undefined;
  /** Of the record; of both, where they hide the same. */
  readonly #forRecord: Masker;
  readonly #hideAlike: boolean;
  /** Where they do not: what the agent may see, as long as the record's bytes are held back. */
  #shown: Buffer[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MaskedChannelOptions) {
    const {shown, recorded} = options;
    this.#options = options;
    this.#hideAlike = shown?.key === recorded.key;
    this.#forRecord = createMasker({mediaType: 'text', plan: recorded});
    this.#forAgent =
      shown === undefined || this.#hideAlike ? undefined : createMasker({mediaType: 'text', plan: shown});
  }

  /** What the agent was not shown so far. */
  get maskedForAgent(): Readonly<MaskCounts> {
    return this.#hideAlike ? this.#forRecord.counts : (this.#forAgent?.counts ?? {PAN: 0});
  }

  /** The chunk is the channel's from here on. */
  push(chunk: Buffer): void {
    if (this.#hideAlike) this.#forRecord.push(chunk, this.#put);
    else if (this.#forAgent !== undefined) this.#forAgent.push(chunk, this.#record);
    else this.#record(chunk);
    // Counted from the last byte: while a stream runs on, what is held is decided upon by what follows.
    if (this.#heldBytes > 0) this.#timer = this.#timer?.refresh() ?? setTimeout(this.#flush, flushMilliseconds);
  }

  /** The rest is put. */
  end(): void {
    this.close();
    this.#forAgent?.end(this.#record);
    this.#forRecord.end(this.#put);
  }

  /** What is held back stays so. */
  close(): void {
    clearTimeout(this.#timer);
  }

  get #heldBytes(): number {
    return (this.#forAgent?.heldBytes ?? 0) + this.#forRecord.heldBytes;
  }

  readonly #flush = (): void => {
    try {
      if ((this.#forAgent?.heldBytes ?? 0) > 0) this.#forAgent?.flush(this.#record);
      if (this.#forRecord.heldBytes > 0) this.#forRecord.flush(this.#put);
    } catch (error) {
      this.#options.failed(error);
    }
  };

  /** What the agent may see goes on to the record. */
  readonly #record = (shown: Buffer): void => {
    this.#shown.push(shown);
    this.#forRecord.push(Buffer.from(shown), this.#put);
  };

  readonly #put = (recorded: Buffer): void => {
    this.#options.put(recorded, this.#hideAlike ? recorded : this.#takeShown(recorded.length));
  };

  #takeShown(length: number): Buffer {
    const taken: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const first = this.#shown[0];
      if (first === undefined) throw new Error('masking changed a byte count');
      if (first.length <= missing) this.#shown.shift();
      else this.#shown[0] = first.subarray(missing);
      const part = first.subarray(0, missing);
      taken.push(part);
      missing -= part.length;
    }
    return taken.length === 1 && taken[0] !== undefined ? taken[0] : Buffer.concat(taken);
  }
}

/** What was masked in all that the agent is shown of one call. */
export class ShownCounts {
  readonly #open = new Set<MaskedChannel>();
  #closed: Readonly<MaskCounts> = {PAN: 0};

  get counts(): Readonly<MaskCounts> {
    return sumOf([this.#closed, ...[...this.#open].map(({maskedForAgent}) => maskedForAgent)]);
  }

  opened(channel: MaskedChannel): void {
    this.#open.add(channel);
  }

  closed(channel: MaskedChannel): void {
    if (this.#open.delete(channel)) this.#closed = sumOf([this.#closed, channel.maskedForAgent]);
  }
}
