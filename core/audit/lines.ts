/** One line of a log, without its newline. */
export type Line =
  | {readonly kind: 'Whole'; readonly bytes: Buffer}
  /** The end of the input came before a newline. */
  | {readonly kind: 'Torn'; readonly byteLength: number}
  /** Longer than the bound; its bytes are not kept. */
  | {readonly kind: 'TooLong'};

/** Cuts bytes into lines at LF, holding no more than one line of the given size whatever comes. */
export class LineSplitter {
  readonly #maximumBytes: number;
  #parts: Buffer[] = [];
  #heldBytes = 0;
  #tooLong = false;

  constructor(maximumBytes: number) {
    this.#maximumBytes = maximumBytes;
  }

  /** @param bytes Not to be changed afterwards: unfinished lines are kept without a copy. */
  *push(bytes: Uint8Array): Generator<Line> {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield this.#finish(chunk.subarray(start, end));
      start = end + 1;
    }
    this.#hold(chunk.subarray(start));
  }

  /** What is left after the last newline, if anything. */
  *end(): Generator<Line> {
    if (this.#tooLong) yield {kind: 'TooLong'};
    else if (this.#heldBytes > 0) yield {kind: 'Torn', byteLength: this.#heldBytes};
  }

  #hold(part: Buffer): void {
    if (part.length === 0) return;
    if (this.#tooLong || this.#heldBytes + part.length > this.#maximumBytes) {
      this.#tooLong = true;
      this.#parts = [];
      this.#heldBytes = 0;
      return;
    }
    this.#parts.push(part);
    this.#heldBytes += part.length;
  }

  #finish(last: Buffer): Line {
    if (this.#heldBytes === 0 && !this.#tooLong && last.length <= this.#maximumBytes) {
      return {kind: 'Whole', bytes: last};
    }
    this.#hold(last);
    const line: Line = this.#tooLong ? {kind: 'TooLong'} : {kind: 'Whole', bytes: Buffer.concat(this.#parts)};
    this.#parts = [];
    this.#heldBytes = 0;
    this.#tooLong = false;
    return line;
  }
}
