import {sumOf} from '../../core/mask/counts.ts';
import {createMasker} from '../../core/mask/createmasker.ts';
import type {MaskCounts} from '../../core/mask/masker.ts';

/** What may belong to a card number waits this long for the rest: a person who types waits for the echo. */
const flushMilliseconds = 50;

export interface MaskedChannelOptions {
  /** What the agent sees is masked too, not the record alone. */
  readonly masksShown: boolean;
  /**
   * The next bytes in order.
   *
   * @param masked for the record
   * @param shown for the agent: as many bytes
   */
  put(masked: Buffer, shown: Buffer): void;
  /** The channel cannot go on: an error that no caller of `push` sees. */
  failed(error: unknown): void;
}

/** One direction of a stream, on its way through a masker to the record, and in step with that to whoever it is for. */
export class MaskedChannel {
  readonly #masker = createMasker({mediaType: 'text'});
  readonly #options: MaskedChannelOptions;
  /** Where the agent sees everything: its bytes, as long as the record's are held back. */
  #unmasked: Buffer[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MaskedChannelOptions) {
    this.#options = options;
  }

  /** What the agent was not shown so far. */
  get maskedForAgent(): Readonly<MaskCounts> {
    return this.#options.masksShown ? this.#masker.counts : {PAN: 0};
  }

  /** The chunk is the channel's from here on. */
  push(chunk: Buffer): void {
    if (this.#options.masksShown) this.#masker.push(chunk, this.#put);
    else {
      this.#unmasked.push(chunk);
      this.#masker.push(Buffer.from(chunk), this.#put);
    }
    // Counted from the last byte: while a stream runs on, what is held is decided upon by what follows.
    if (this.#masker.heldBytes > 0) this.#timer = this.#timer?.refresh() ?? setTimeout(this.#flush, flushMilliseconds);
  }

  /** The rest is put. */
  end(): void {
    this.close();
    this.#masker.end(this.#put);
  }

  /** What is held back stays so. */
  close(): void {
    clearTimeout(this.#timer);
  }

  readonly #flush = (): void => {
    try {
      if (this.#masker.heldBytes > 0) this.#masker.flush(this.#put);
    } catch (error) {
      this.#options.failed(error);
    }
  };

  readonly #put = (masked: Buffer): void => {
    this.#options.put(masked, this.#options.masksShown ? masked : this.#takeUnmasked(masked.length));
  };

  #takeUnmasked(length: number): Buffer {
    const taken: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const first = this.#unmasked[0];
      if (first === undefined) throw new Error('masking changed a byte count');
      if (first.length <= missing) this.#unmasked.shift();
      else this.#unmasked[0] = first.subarray(missing);
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
