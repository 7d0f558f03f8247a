import {CodeMasker} from './codemasker.ts';
import {foundIn, UnitedCounts} from './counts.ts';
import type {FindingLog} from './findinglog.ts';
import type {MaskCounts, Masker, MaskMediaType} from './masker.ts';
import {PanMasker, type PanMaskerOptions} from './panmasker.ts';
import type {ChunkScan} from './scan/chunkscan.ts';

export interface CardMaskerOptions extends PanMaskerOptions {
  /** Card verification codes and PIN blocks. */
  readonly codes: boolean;
}

/** All that cards have: codes first, so that none is taken for a group of a card number. */
export class CardMasker implements Masker {
  readonly counts: Readonly<MaskCounts>;
  readonly #codes: CodeMasker | undefined;
  readonly #pans: PanMasker;
  #emit: (bytes: Buffer) => void = () => {};
  readonly #onward = (bytes: Buffer): void => this.#pans.push(bytes, this.#emit, this.#codes?.scanOf(bytes));

  constructor(mediaType: MaskMediaType, options: CardMaskerOptions, log?: FindingLog) {
    this.#pans = new PanMasker(mediaType, options, log);
    this.#codes = options.codes ? new CodeMasker(mediaType, log) : undefined;
    this.counts =
      this.#codes === undefined ? this.#pans.counts : new UnitedCounts([this.#pans.counts, this.#codes.counts]);
  }

  get heldBytes(): number {
    return this.#pans.heldBytes + (this.#codes?.heldBytes ?? 0);
  }

  /** Whether what comes next is hidden though nothing is known to be found, after a flush. */
  get hidesNext(): boolean {
    return this.#pans.hidesNext || (this.#codes?.hidesNext ?? false);
  }

  /** Grows before bytes come out that are changed, but for what follows a flush. */
  get changes(): number {
    return foundIn(this.counts);
  }

  /** @param scanned what is known of the chunk */
  push(chunk: Buffer, emit: (bytes: Buffer) => void, scanned?: ChunkScan): void {
    this.#emit = emit;
    if (this.#codes === undefined) this.#pans.push(chunk, emit, scanned);
    else this.#codes.push(chunk, this.#onward, scanned);
  }

  flush(emit: (bytes: Buffer) => void): void {
    this.#emit = emit;
    this.#codes?.flush(this.#onward);
    this.#pans.flush(emit);
  }

  end(emit: (bytes: Buffer) => void): void {
    this.#emit = emit;
    this.#codes?.end(this.#onward);
    this.#pans.end(emit);
  }
}
