import {LINE_FEED} from './bytes.ts';
import {ChunkEdits} from './chunkedits.ts';
import {MaskError} from './error.ts';
import type {FindingLog} from './findinglog.ts';
import {type Place, placeOfDocuments} from './jsonplace.ts';
import {type JsonSink, JsonStream} from './jsonstream.ts';
import type {Masker, MaskMediaType} from './masker.ts';
import type {FieldPath, RegexPlan} from './plan.ts';
import {RegexProgram} from './regexprogram.ts';
import {RegexTexts} from './regextexts.ts';

const EXEMPT = 1;

const CARRIAGE_RETURN = 0x0d;

const NO_BYTES = Buffer.alloc(0);

/**
 * Hides what matches patterns (RE2) with as many asterisks as it has bytes: in JSON within each string, names of members
 * included, read without its escapes; in text within each line, where line feeds and carriage returns end lines. Numbers
 * of JSON are no strings: where one must be hidden a path says so.
 *
 * Strings and lines up to 64 KiB are searched whole; of longer ones at least 1 KiB before is in sight at each place, and
 * a match that is longer may be missed, or its first bytes. What is in sight is held back.
 */
export class RegexMasker implements Masker {
  /** Matches, as far as they do not overlap. */
  readonly counts = {PAN: 0, Regex: 0};
  readonly #edits = new ChunkEdits();
  readonly #texts: RegexTexts;
  /** Only where the bytes are JSON. */
  readonly #stream: JsonStream | undefined;
  #carried: Buffer = NO_BYTES;
  #isBusy = false;
  /** The place in the stream of what comes next. */
  #offset = 0;

  /**
   * @param exempt members of JSON that are left alone, with all that is in them
   * @throws {RegexError} for a pattern that cannot be searched for
   */
  constructor(
    mediaType: MaskMediaType,
    regexes: readonly RegexPlan[],
    exempt: readonly FieldPath[] = [],
    log?: FindingLog,
  ) {
    const isJSON = mediaType === 'json';
    this.#texts = new RegexTexts(this.#edits, new RegexProgram(regexes.map(({pattern}) => pattern)), isJSON, log);
    if (isJSON) {
      const root = placeOfDocuments(exempt.map((path) => ({path, marks: EXEMPT})));
      this.#stream = new JsonStream(root, new Strings(this.#texts));
    }
  }

  get heldBytes(): number {
    return this.#carried.length + this.#texts.bytesHeld;
  }

  /** As `Masker` says. @throws {MaskError} for what should be JSON and is not */
  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#advance(this.#carried.length === 0 ? chunk : Buffer.concat([this.#carried, chunk]), false, emit);
  }

  /**
   * Releases what is held of a line, though it has not ended: what matches already is hidden, what only begins to match
   * is shown up to here. JSON stays held.
   */
  flush(emit: (bytes: Buffer) => void): void {
    if (this.#stream !== undefined) return;
    this.#emit(
      () => {
        this.#texts.flush();
        return 0;
      },
      NO_BYTES,
      emit,
    );
  }

  end(emit: (bytes: Buffer) => void): void {
    this.#advance(this.#carried, true, emit);
    this.#offset = 0;
  }

  #advance(bytes: Buffer, final: boolean, emit: (bytes: Buffer) => void): void {
    this.#emit(() => this.#stream?.push(bytes, final) ?? this.#readLines(bytes, final), bytes, emit);
  }

  /** @param read says how many of the bytes it has read; the others come again */
  #emit(read: () => number, bytes: Buffer, emit: (bytes: Buffer) => void): void {
    if (this.#isBusy) throw new MaskError('UsedAfterFailure', 'masking failed on this stream before');
    this.#isBusy = true;
    this.#edits.open(bytes);
    this.#texts.open(this.#offset);
    const taken = read();
    const pieces = this.#edits.close(taken);
    this.#carried = taken === bytes.length ? NO_BYTES : Buffer.from(bytes.subarray(taken));
    this.#offset += taken;
    this.counts.Regex = this.#texts.found;
    for (const piece of pieces) emit(piece);
    this.#isBusy = false;
  }

  #readLines(bytes: Buffer, final: boolean): number {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) continue;
      this.#texts.read(from, at, true);
      from = at + 1;
    }
    if (from < bytes.length || final) this.#texts.read(from, bytes.length, final);
    return bytes.length;
  }
}

/** The strings of JSON that are searched. */
class Strings implements JsonSink {
  readonly #texts: RegexTexts;
  #depth = 0;
  /** Of the value that is left alone; -1 if there is none. */
  #exemptDepth = -1;

  constructor(texts: RegexTexts) {
    this.#texts = texts;
  }

  member(): void {}

  beginValue(_at: number, {marks}: Place): void {
    if (marks === EXEMPT && this.#exemptDepth < 0) this.#exemptDepth = this.#depth;
  }

  endValue(): void {
    if (this.#depth === this.#exemptDepth) this.#exemptDepth = -1;
  }

  open(): void {
    this.#depth++;
  }

  close(): void {
    this.#depth--;
  }

  comma(): void {}

  string(from: number, to: number, isLast: boolean): number {
    if (this.#exemptDepth < 0) this.#texts.read(from, to, isLast);
    return to;
  }

  name(from: number, to: number, isLast: boolean): void {
    this.string(from, to, isLast);
  }

  scalar(): void {}
}
