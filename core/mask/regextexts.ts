import type {ChunkEdits} from './chunkedits.ts';
import type {RegexSearch} from './regexsearch.ts';

/** Texts in chunks, searched where they are if they are complete, and held back as long as they are not. */
export class RegexTexts {
  readonly #edits: ChunkEdits;
  readonly #search: RegexSearch;
  #held = Buffer.alloc(1024);
  #bytesHeld = 0;

  constructor(edits: ChunkEdits, search: RegexSearch) {
    this.#edits = edits;
    this.#search = search;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** The next bytes of a text. @param isLast it ends with them */
  read(from: number, to: number, isLast: boolean): void {
    const edits = this.#edits;
    if (isLast && !edits.isCut) {
      this.#search.read(edits.bytes, from, to, true);
      return;
    }
    if (!edits.isCut) edits.cut(from);
    this.#hold(edits.bytes, from, to);
    this.#release(this.#search.read(this.#held, 0, this.#bytesHeld, isLast));
    if (isLast) edits.resume(to);
  }

  flush(): void {
    if (this.#edits.isCut) this.#release(this.#search.readOpen(this.#held, 0, this.#bytesHeld));
  }

  #hold(bytes: Buffer, from: number, to: number): void {
    const length = this.#bytesHeld + to - from;
    if (length > this.#held.length) {
      const larger = Buffer.alloc(2 * length);
      this.#held.copy(larger, 0, 0, this.#bytesHeld);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#bytesHeld, from, to);
    this.#bytesHeld = length;
  }

  #release(bytes: number): void {
    if (bytes === 0) return;
    this.#edits.insert(Buffer.from(this.#held.subarray(0, bytes)));
    this.#held.copyWithin(0, bytes, this.#bytesHeld);
    this.#bytesHeld -= bytes;
  }
}
