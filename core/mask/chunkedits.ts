import {ASTERISK} from './bytes.ts';

/** What becomes of a chunk: pieces of it, overwritten in place, and others between them or in their place. */
export class ChunkEdits {
  bytes: Buffer = Buffer.alloc(0);
  #pieces: Buffer[] = [];
  /** Where the piece begins that goes on. */
  #from = 0;
  #isCut = false;

  /** Bytes from here on are left out. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** The next bytes come where the last were all taken. */
  open(bytes: Buffer): void {
    this.bytes = bytes;
    this.#from = 0;
  }

  cut(at: number): void {
    if (at > this.#from) this.#pieces.push(this.bytes.subarray(this.#from, at));
    this.#isCut = true;
  }

  /** What stands in the place of bytes that are left out. */
  insert(piece: Buffer): void {
    if (piece.length > 0) this.#pieces.push(piece);
  }

  resume(at: number): void {
    this.#from = at;
    this.#isCut = false;
  }

  hide(from: number, to: number): void {
    this.bytes.fill(ASTERISK, from, to);
  }

  /** The bytes before `end` are done with; gives what became of them. */
  close(end: number): readonly Buffer[] {
    if (!this.#isCut && end > this.#from) this.#pieces.push(this.bytes.subarray(this.#from, end));
    const pieces = this.#pieces;
    this.#pieces = [];
    this.bytes = Buffer.alloc(0);
    return pieces;
  }
}
