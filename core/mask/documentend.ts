import {BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, LINE_FEED, OPEN_BRACE, OPEN_BRACKET, QUOTE} from './bytes.ts';

/** Knows of a stream of JSON documents on lines, such as the events of a watch, whether it stands between two of them. */
export class DocumentEnd {
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #endsLine = true;

  /** Whether no document is open, and the last has ended with its line. */
  get isBetween(): boolean {
    return this.#depth === 0 && !this.#inString && this.#endsLine;
  }

  /** Reads the next bytes, as they came in. */
  push(bytes: Buffer): void {
    const {length} = bytes;
    if (length === 0) return;
    this.#endsLine = bytes[length - 1] === LINE_FEED;
    let at = 0;
    if (this.#inString) at = this.#stringEnd(bytes, 0);
    for (; at < length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) at = this.#stringEnd(bytes, at + 1) - 1;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#depth--;
    }
  }

  /** Behind the closing quote of the string that goes on at `from`, or the end of the bytes. */
  #stringEnd(bytes: Buffer, from: number): number {
    this.#inString = true;
    let at = from;
    if (this.#isEscaped && at < bytes.length) {
      this.#isEscaped = false;
      at++;
    }
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.#inString = false;
        return at + 1;
      }
      if (byte !== BACKSLASH) continue;
      at++;
      this.#isEscaped = at === bytes.length;
    }
    return bytes.length;
  }
}
