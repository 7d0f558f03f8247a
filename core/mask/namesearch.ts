import {REACH_BYTES} from './codename.ts';
import {BEFORE_BYTES, BLOCK_BYTES, findNames} from './scan/scanner.ts';
import type {StreamWindow} from './window.ts';

/** A value is found by one of its bytes, of which the one that is looked at stands so far behind its first at most. */
const VALUE_BYTES = 16;

const NO_PARTS: readonly number[] = [];

/** Finds the parts of a stream in which values of verification codes and PIN blocks may begin: what follows their names. */
export class NameSearch {
  readonly #window: StreamWindow;
  /** Where the last part ends, as an index of the window. */
  #reach = 0;

  /** @param window its chunk is what is searched */
  constructor(window: StreamWindow) {
    this.#window = window;
  }

  /** Start and end of each part of the chunk in turn. */
  parts(): readonly number[] {
    const {chunk} = this.#window;
    const {length} = chunk;
    let parts: number[] | undefined;
    if (this.#reach > 0 && length > 0) parts = [0, this.#reach];
    for (let block = 0; block < length; block += BLOCK_BYTES) {
      const end = Math.min(block + BLOCK_BYTES, length);
      const before = block === 0 ? this.#window.past(BEFORE_BYTES) : chunk.subarray(block - BEFORE_BYTES, block);
      const places = findNames(end - block === length ? chunk : chunk.subarray(block, end), before);
      for (const place of places) {
        const start = Math.max(block + place, 0);
        const reach = block + place + REACH_BYTES + VALUE_BYTES;
        if (parts === undefined || start > this.#reach) parts = [...(parts ?? []), start, reach];
        else parts[parts.length - 1] = Math.max(reach, this.#reach);
        this.#reach = Math.max(reach, this.#reach);
      }
    }
    if (parts === undefined) return NO_PARTS;
    parts[parts.length - 1] = Math.min(parts.at(-1) ?? 0, length);
    return parts;
  }

  /** All positions move: the window's index 0 is now `bytes` further on. */
  rebase(bytes: number): void {
    this.#reach = Math.max(this.#reach - bytes, 0);
  }

  /** Another stream starts. */
  reset(): void {
    this.#reach = 0;
  }
}
