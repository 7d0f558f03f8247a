import {BACKSLASH, byteSet, COLON, OPEN_BRACE, QUOTE} from './bytes.ts';
import type {ChunkScan} from './scan/chunkscan.ts';
import type {StreamWindow} from './window.ts';

const NAME = Buffer.from('"binaryData');
/** What the scanner lists, its first letters: in most JSON they stand nowhere. */
const NAME_TAIL_BYTES = 'yData'.length;

const OPEN = byteSet('{[');
const CLOSE = byteSet('}]');

/** White space, also as JSON in strings of JSON escapes it. */
const SPACE = byteSet(' \t\n\r\\tnr');

const OUTSIDE = 0;
const IN_NAME = 1;
const AFTER_NAME = 2;
const AFTER_COLON = 3;
const INSIDE = 4;

/**
 * Where the values of members called `binaryData` stand in JSON, and in JSON within its strings: ConfigMaps have base64
 * there. They are told by their braces alone. The names in them, those of files, have none.
 */
export class BinaryData {
  readonly #window: StreamWindow;
  #state = OUTSIDE;
  /** Braces that are open inside. */
  #depth = 0;

  constructor(window: StreamWindow) {
    this.#window = window;
  }

  /** Where they begin or go on from `from` on in the chunk, which is the window's; its length if there are none. */
  enter(scanned: ChunkScan, from: number): number {
    const {chunk} = scanned;
    let at = from;
    for (;;) {
      if (this.#state === OUTSIDE) at = this.#nameEnd(scanned, at);
      while (at < chunk.length && this.#state !== OUTSIDE && this.#state !== INSIDE) {
        this.#readAssignment(chunk[at] as number);
        at++;
      }
      if (at === chunk.length || this.#state === INSIDE) return at;
    }
  }

  /** Where they end, `chunk.length` if they go on. */
  leave(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (OPEN[byte] === 1) this.#depth++;
      else if (CLOSE[byte] === 1 && --this.#depth === 0) {
        this.#state = OUTSIDE;
        return at;
      }
    }
    return chunk.length;
  }

  reset(): void {
    this.#state = OUTSIDE;
  }

  /** Where the next name ends, which may have begun before the chunk. */
  #nameEnd({chunk, blocks}: ChunkScan, from: number): number {
    for (const {start, data} of blocks) {
      for (const place of data) {
        const end = start + place + NAME_TAIL_BYTES;
        if (end <= from || end > chunk.length || !this.#isName(end)) continue;
        this.#state = IN_NAME;
        return end;
      }
    }
    return chunk.length;
  }

  #isName(end: number): boolean {
    const start = end - NAME.length;
    for (let index = 0; index < NAME.length; index++) {
      if (this.#window.byteAt(start + index) !== NAME[index]) return false;
    }
    return true;
  }

  #readAssignment(byte: number): void {
    switch (this.#state) {
      case IN_NAME:
        if (byte !== BACKSLASH) this.#state = byte === QUOTE ? AFTER_NAME : OUTSIDE;
        break;
      case AFTER_NAME:
        if (SPACE[byte] === 0) this.#state = byte === COLON ? AFTER_COLON : OUTSIDE;
        break;
      case AFTER_COLON:
        if (SPACE[byte] === 1) break;
        this.#state = byte === OPEN_BRACE ? INSIDE : OUTSIDE;
        this.#depth = 1;
        break;
    }
  }
}
