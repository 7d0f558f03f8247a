import {REACH_BYTES} from './codename.ts';
import type {ChunkScan} from './scan/chunkscan.ts';

/** A value is found by one of its bytes, of which the one that is looked at stands so far behind its first at most. */
const VALUE_BYTES = 16;

const NO_PARTS: readonly number[] = [];

/** Finds the parts of a stream in which values of verification codes and PIN blocks may begin: what follows their names. */
export class NameSearch {
  /** Where the last part ends, as an index of the chunk. */
  #reach = 0;

  /** Start and end of each part of the next chunk in turn. */
  parts({chunk, blocks}: ChunkScan): readonly number[] {
    const {length} = chunk;
    let parts: number[] | undefined;
    if (this.#reach > 0 && length > 0) parts = [0, this.#reach];
    for (const {start: block, names} of blocks) {
      for (const place of names) {
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

  /** The chunk had so many bytes. */
  rebase(bytes: number): void {
    this.#reach = Math.max(this.#reach - bytes, 0);
  }

  /** Another stream starts. */
  reset(): void {
    this.#reach = 0;
  }
}
