import {BEFORE_BYTES, BLOCK_BYTES, type Scanned, scan} from './scanner.ts';

/** A part of a chunk, and what the scanner lists in it, counted from its start. */
export interface ScannedBlock extends Scanned {
  /** Its indices in the chunk. */
  readonly start: number;
  readonly end: number;
}

/**
 * What the scanner lists in a chunk. Detectors that stand one behind the other share it, as long as the chunk reaches them
 * as it was.
 */
export class ChunkScan {
  readonly chunk: Buffer;
  readonly blocks: readonly ScannedBlock[];

  /**
   * @param before the BEFORE_BYTES bytes that came before the chunk
   * @param isText as `scan` has it
   */
  constructor(chunk: Buffer, before: Buffer, isText: boolean) {
    this.chunk = chunk;
    const {length} = chunk;
    const blocks: ScannedBlock[] = [];
    for (let start = 0; start < length; start += BLOCK_BYTES) {
      const end = Math.min(start + BLOCK_BYTES, length);
      const bytes = end - start === length ? chunk : chunk.subarray(start, end);
      const past = start === 0 ? before : chunk.subarray(start - BEFORE_BYTES, start);
      const {stretches, markers, names, data} = scan(bytes, past, isText);
      blocks.push({start, end, stretches, markers, names, data});
    }
    this.blocks = blocks;
  }

  /** Itself, where these bytes are the chunk. */
  of(bytes: Buffer): ChunkScan | undefined {
    return bytes === this.chunk ? this : undefined;
  }

  /** The block that the byte of this index is in. */
  blockAt(index: number): ScannedBlock {
    const block = this.blocks[Math.floor(index / BLOCK_BYTES)];
    if (block === undefined) throw new RangeError(`byte ${index} is not in the chunk`);
    return block;
  }
}
