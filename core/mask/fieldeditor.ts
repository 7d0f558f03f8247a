import {BACKSLASH} from './bytes.ts';
import type {ChunkEdits} from './chunkedits.ts';
import {MaskError} from './error.ts';
import type {FindingLog} from './findinglog.ts';
import {HiddenMembers} from './hiddenmembers.ts';
import type {Place} from './jsonplace.ts';
import type {JsonSink} from './jsonstream.ts';

/** What paths say of the values that they lead to. */
export const MASK = 1;
export const REMOVE = 2;
/** It is base64, and stays that when it is masked. */
export const BASE64 = 4;
/** It is an object as JSON in a string, to which the same paths apply. */
export const EMBEDDED = 8;

/** White space and the name of a member that may have to be left out. */
const UNDECIDED_MAXIMUM_BYTES = 64 * 1024;

const COMMA = Buffer.from(',');
const EQUALS = 0x3d;

/** Asterisks in base64; where the last group has but one, its second character is another. */
const MASKED_BASE64 = Buffer.from('Kioq');
const LAST_OF_TWO = 0x67;

/** Takes care of a string that holds an object as JSON; indices as in `JsonSink`. */
export interface EmbeddedText {
  readonly bytesHeld: number;
  edit(from: number, to: number, isLast: boolean): number;
  suspend(end: number): void;
}

/** Takes note of what is hidden. */
export interface FieldTally {
  /** Called for each member. */
  count(): void;
  /** The place in the stream of a raw index. */
  offsetOf(rawIndex: number): number;
  readonly log?: FindingLog | undefined;
}

/**
 * Hides members of JSON as their places ask for: writes over their values, or cuts them out.
 *
 * The JSON may stand in a string of the JSON at hand. Then its bytes are written there in one or several bytes each, and
 * `rawIndex` says where.
 */
export class FieldEditor implements JsonSink {
  rawIndex: (index: number) => number = (index) => index;
  readonly #output: ChunkEdits;
  /** undefined: this is the JSON in the string. */
  readonly #embedded: EmbeddedText | undefined;
  readonly #tally: FieldTally;
  /** Only where somebody wants to know where they stand. */
  readonly #hidden: HiddenMembers | undefined;
  /** Containers that are open around what comes next. */
  #depth = 0;
  #marks = 0;
  /** The depth of the value that is masked with all that is in it; -1 if there is none. */
  #maskedDepth = -1;
  #removedDepth = -1;
  /** For each open container, whether a member was kept that a comma has to follow. */
  readonly #hasKept: boolean[] = [];
  /** The raw index from which on it is undecided whether the next member is left out; -1 if it is not. */
  #undecidedFrom = -1;
  #undecided: Buffer[] = [];
  #undecidedBytes = 0;
  #owesComma = false;

  constructor(output: ChunkEdits, tally: FieldTally, embedded?: EmbeddedText) {
    this.#output = output;
    this.#tally = tally;
    this.#hidden = tally.log && new HiddenMembers(tally.log, embedded === undefined);
    this.#embedded = embedded;
  }

  get bytesHeld(): number {
    return this.#undecidedBytes + (this.#embedded?.bytesHeld ?? 0);
  }

  member(at: number, {marks}: Place): void {
    if (this.#removedDepth >= 0) return;
    if ((marks & REMOVE) !== 0) {
      this.#removedDepth = this.#depth;
      this.#tally.count();
      this.#forget();
    } else if (this.#undecidedFrom >= 0) this.#keep(at);
  }

  beginValue(at: number, {marks}: Place): void {
    this.#marks = marks;
    if (this.#depth === this.#removedDepth) this.#begin(at);
    if (this.#removedDepth >= 0 || (marks & MASK) === 0) return;
    this.#tally.count();
    this.#begin(at);
    if (this.#maskedDepth < 0) this.#maskedDepth = this.#depth;
  }

  endValue(at: number): void {
    if (this.#hidden !== undefined) this.#hidden.end(this.#depth, this.#tally.offsetOf(this.rawIndex(at)));
    if (this.#depth === this.#maskedDepth) this.#maskedDepth = -1;
    if (this.#depth !== this.#removedDepth) return;
    this.#removedDepth = -1;
    this.#output.resume(this.rawIndex(at));
  }

  open(at: number, place: Place): void {
    this.#depth++;
    this.#hasKept[this.#depth] = false;
    this.#undecide(at + 1, at + 1, place);
    this.#owesComma = false;
  }

  close(at: number): void {
    if (this.#removedDepth < 0 && this.#undecidedFrom >= 0) this.#keep(at);
    this.#depth--;
  }

  comma(at: number, place: Place): void {
    this.#undecide(at, at + 1, place);
    this.#owesComma = true;
  }

  string(from: number, to: number, isLast: boolean): number {
    if (this.#removedDepth >= 0) return to;
    if (this.#maskedDepth >= 0) {
      if ((this.#marks & BASE64) !== 0) return this.#hideBase64(from, to, isLast);
      this.#output.hide(this.rawIndex(from), this.rawIndex(to));
    } else if (this.#embedded !== undefined && (this.#marks & EMBEDDED) !== 0) {
      return this.#embedded.edit(from, to, isLast);
    }
    return to;
  }

  name(): void {}

  scalar(from: number, to: number): void {
    if (this.#removedDepth >= 0 || this.#maskedDepth < 0) return;
    const start = this.rawIndex(from);
    const {bytes} = this.#output;
    const masked = maskedScalar(String.fromCharCode(bytes[start] as number), this.rawIndex(to) - start, this.#quote);
    bytes.write(masked, start, 'latin1');
  }

  /** All bytes at hand are done with up to `end`, a raw index; more may follow. */
  suspend(end: number): void {
    this.#embedded?.suspend(end);
    if (this.#undecidedFrom < 0) return;
    this.#collect(end);
    this.#undecidedFrom = 0;
  }

  /** The text is no JSON from here on. @param rawIndex where what is open ends */
  endAll(rawIndex: number): void {
    this.#hidden?.endAll(this.#tally.offsetOf(rawIndex));
  }

  #begin(at: number): void {
    this.#hidden?.begin(this.#depth, this.#tally.offsetOf(this.rawIndex(at)));
  }

  get #quote(): string {
    return this.#embedded === undefined ? '\\"' : '"';
  }

  /** What comes from `cutAt` on is left out for now, and what comes from `from` on may follow later. */
  #undecide(cutAt: number, from: number, {memberMarks}: Place): void {
    if (this.#removedDepth >= 0 || (memberMarks & REMOVE) === 0) return;
    this.#output.cut(this.rawIndex(cutAt));
    this.#undecidedFrom = this.rawIndex(from);
  }

  #keep(at: number): void {
    const rawAt = this.rawIndex(at);
    this.#collect(rawAt);
    if (this.#owesComma && this.#hasKept[this.#depth] === true) this.#output.insert(COMMA);
    this.#hasKept[this.#depth] = true;
    for (const piece of this.#undecided) this.#output.insert(piece);
    this.#output.resume(rawAt);
    this.#forget();
  }

  #forget(): void {
    this.#undecided = [];
    this.#undecidedBytes = 0;
    this.#undecidedFrom = -1;
  }

  #collect(to: number): void {
    const piece = Buffer.from(this.#output.bytes.subarray(this.#undecidedFrom, to));
    this.#undecided.push(piece);
    this.#undecidedBytes += piece.length;
    if (this.#undecidedBytes > UNDECIDED_MAXIMUM_BYTES) {
      throw new MaskError('HoldTooLarge', 'a name is too long among members of which one may be left out');
    }
  }

  /**
   * Groups of four at a time, as what the last one is depends on its end. Base64 needs no escapes: from the first one on
   * it is none.
   */
  #hideBase64(from: number, to: number, isLast: boolean): number {
    const {bytes} = this.#output;
    const start = this.rawIndex(from);
    const escapeAt = bytes.subarray(start, this.rawIndex(to)).indexOf(BACKSLASH);
    const end = isLast || escapeAt >= 0 ? to : to - ((to - from) % 4);
    let rawEnd = this.rawIndex(end);
    if (escapeAt >= 0) {
      this.#marks &= ~BASE64;
      this.#output.hide(start + escapeAt, rawEnd);
      rawEnd = start + escapeAt;
    }
    let at = start;
    for (; at < rawEnd && bytes[at] !== EQUALS; at++) bytes[at] = MASKED_BASE64[(at - start) % 4] as number;
    if (at < rawEnd) {
      if ((at - start) % 4 === 2) bytes[at - 1] = LAST_OF_TWO;
      const groupEnd = Math.min(at + 4 - ((at - start) % 4), rawEnd);
      bytes.fill(EQUALS, at, groupEnd);
      // Behind the padding base64 ends.
      this.#marks &= ~BASE64;
      this.#output.hide(groupEnd, rawEnd);
    }
    return end;
  }
}

/**
 * What stands in the place of a number, true, false or null, in as many bytes. Of a number as many asterisks in quotes as
 * fit, so that a write of it can be told and refused; where no quotes fit, zero. Truth becomes null, which clients of
 * every kind take for no value.
 *
 * @param first the first character of what is hidden
 */
function maskedScalar(first: string, bytes: number, quote: string): string {
  if (first === 't' || first === 'f' || first === 'n') return 'null'.padEnd(bytes);
  if (bytes < 2 * quote.length) return '0'.padEnd(bytes);
  return quote + '*'.repeat(bytes - 2 * quote.length) + quote;
}
