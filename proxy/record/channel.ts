import {sumOf} from '../../core/mask/counts.ts';
import {createMasker} from '../../core/mask/createmasker.ts';
import type {MaskCounts, Masker} from '../../core/mask/masker.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';

/** What may belong to a card number waits this long for the rest: a person who types waits for the echo. */
const flushMilliseconds = 50;

export interface MaskedChannelOptions {
  /** What is hidden from the agent; undefined where it is shown everything. */
  readonly shown: MaskPlan | undefined;
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
  /** For the record; for both, where they hide the same. */
  readonly #forRecord: Masker;
  /** Sees what came and not what is left for the record: of a track whose number is hidden the rest is not found. */
  readonly #forAgent: Masker | undefined;
  readonly #hideAlike: boolean;
  /** Where they do not: what one has let go and the other still holds. */
  readonly #recorded = new Pieces();
  readonly #shown = new Pieces();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

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
    if (this.#hideAlike) {
      this.#forRecord.push(chunk, this.#put);
    } else {
      this.#forRecord.push(Buffer.from(chunk), this.#record);
      if (this.#forAgent === undefined) this.#show(chunk);
      else this.#forAgent.push(chunk, this.#show);
    }
    // Counted from the last byte: while a stream runs on, what is held is decided upon by what follows.
    if (this.#heldBytes > 0 && !this.#closed)
      this.#timer = this.#timer?.refresh() ?? setTimeout(this.#flush, flushMilliseconds);
  }

  /** There is more, which will be pushed: what is held back stays so until then. */
  wait(): void {
    clearTimeout(this.#timer);
    // One that was cleared cannot be refreshed.
    this.#timer = undefined;
  }

  /** The rest is put. */
  end(): void {
    this.close();
    this.#forRecord.end(this.#hideAlike ? this.#put : this.#record);
    this.#forAgent?.end(this.#show);
  }

  /** What is held back stays so. */
  close(): void {
    this.wait();
    this.#closed = true;
  }

  get #heldBytes(): number {
    return this.#forRecord.heldBytes + (this.#forAgent?.heldBytes ?? 0);
  }

  readonly #flush = (): void => {
    try {
      if (this.#forRecord.heldBytes > 0) this.#forRecord.flush(this.#hideAlike ? this.#put : this.#record);
      if (this.#forAgent !== undefined && this.#forAgent.heldBytes > 0) this.#forAgent.flush(this.#show);
    } catch (error) {
      this.#options.failed(error);
    }
  };

  readonly #put = (bytes: Buffer): void => this.#options.put(bytes, bytes);

  readonly #record = (bytes: Buffer): void => {
    this.#recorded.add(bytes);
    this.#putBoth();
  };

  readonly #show = (bytes: Buffer): void => {
    this.#shown.add(bytes);
    this.#putBoth();
  };

  #putBoth(): void {
    const length = Math.min(this.#recorded.length, this.#shown.length);
    if (length > 0) this.#options.put(this.#recorded.take(length), this.#shown.take(length));
  }
}

/** Bytes in the pieces in which they came. */
class Pieces {
  length = 0;
  readonly #pieces: Buffer[] = [];

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.length += piece.length;
  }

  /** @param length no more than there are */
  take(length: number): Buffer {
    const taken: Buffer[] = [];
    this.length -= length;
    for (let missing = length; missing > 0; ) {
      const first = this.#pieces[0];
      if (first === undefined) throw new RangeError('more is taken than there is');
      if (first.length <= missing) this.#pieces.shift();
      else this.#pieces[0] = first.subarray(missing);
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
