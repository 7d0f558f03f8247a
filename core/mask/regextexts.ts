import type {ChunkEdits} from './chunkedits.ts';
import type {FindingLog} from './findinglog.ts';
import type {RegexProgram} from './regexprogram.ts';
import {RegexSearch} from './regexsearch.ts';

/** Texts in chunks, searched where they are if they are complete, and held back as long as they are not. */
export class RegexTexts {
  readonly #edits: ChunkEdits;
  readonly #search: RegexSearch;
  readonly #isJSON: boolean;
  readonly #log: FindingLog | undefined;
  /** The place in the stream of the bytes that are edited, and of those that are searched. */
  #offset = 0;
  #searchedOffset = 0;
  /** Where the text begins, and the name for what is found in it where that was asked for. */
  #textStart: number | undefined;
  #name: {readonly name: string | undefined} | undefined;
  #held = Buffer.alloc(1024);
  #bytesHeld = 0;

  constructor(edits: ChunkEdits, program: RegexProgram, isJSON: boolean, log?: FindingLog) {
    this.#edits = edits;
    this.#isJSON = isJSON;
    this.#log = log;
    this.#search = new RegexSearch(
      program,
      isJSON,
      log && {
        begin: () => log.beforeChange(),
        end: (from, to) => this.#add(from, to),
      },
    );
  }

  /** Matches, as far as they do not overlap. */
  get found(): number {
    return this.#search.found;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** The bytes that come next have this place in the stream. */
  open(offset: number): void {
    this.#offset = offset;
  }

  /** The next bytes of a text. @param isLast it ends with them */
  read(from: number, to: number, isLast: boolean): void {
    const edits = this.#edits;
    this.#textStart ??= this.#offset + from;
    if (isLast && !edits.isCut) {
      this.#searchedOffset = this.#offset;
      this.#search.read(edits.bytes, from, to, true);
      this.#endText();
      return;
    }
    if (!edits.isCut) this.#cut(from);
    this.#hold(edits.bytes, from, to);
    this.#release(this.#search.read(this.#held, 0, this.#bytesHeld, isLast));
    if (!isLast) return;
    edits.resume(to);
    this.#endText();
  }

  flush(): void {
    if (this.#edits.isCut) this.#release(this.#search.readOpen(this.#held, 0, this.#bytesHeld));
  }

  #cut(from: number): void {
    this.#edits.cut(from);
    this.#searchedOffset = this.#offset + from;
    // Later what is before the text is out of sight.
    if (this.#isJSON) this.#nameOfText();
  }

  #endText(): void {
    this.#textStart = undefined;
    this.#name = undefined;
  }

  #nameOfText(): string | undefined {
    // The opening quote is before the text.
    this.#name ??= {name: this.#log?.nameAt((this.#textStart ?? 0) - 1, false)};
    return this.#name.name;
  }

  #add(from: number, to: number): void {
    const [start, end] = [this.#searchedOffset + from, this.#searchedOffset + to];
    this.#log?.add({detector: 'Regex', start, end, name: this.#nameOfText()});
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
    this.#searchedOffset += bytes;
  }
}
