import {BACKSLASH, byteSet, COLON, OPEN_BRACE, QUOTE} from './bytes.ts';
import type {StreamWindow} from './window.ts';

/** The end of the name is looked for: in most JSON it stands nowhere. */
const NAME = Buffer.from('"binaryData');
const NAME_TAIL = Buffer.from('Data');

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

  /** Where they begin or go on from `from` on in the chunk; its length if there are none. */
  enter(chunk: Buffer, from: number): number {
    let at = from;
    for (;;) {
      if (this.#state === OUTSIDE) at = this.#nameEnd(chunk, at);
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

  #nameEnd(chunk: Buffer, from: number): number {
    const end = (from === 0 && this.#straddlingEnd(chunk)) || this.#endIn(chunk, from);
    if (end > 0) this.#state = IN_NAME;
    return end > 0 ? end : chunk.length;
  }

  #endIn(chunk: Buffer, from: number): number {
    for (let tail = chunk.indexOf(NAME_TAIL, from); tail >= 0; tail = chunk.indexOf(NAME_TAIL, tail + 1)) {
      if (this.#isName(tail + NAME_TAIL.length)) return tail + NAME_TAIL.length;
    }
    return 0;
  }

  /** Where the name ends that began before the chunk, so that its tail may stand on both sides; 0 if there is none. */
  #straddlingEnd(chunk: Buffer): number {
    const most = Math.min(NAME_TAIL.length - 1, chunk.length);
    for (let end = 1; end <= most; end++) if (this.#isName(end)) return end;
    return 0;
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
