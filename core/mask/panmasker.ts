import {ASTERISK, BACKSLASH, byteSet, DIGIT_0, DOT, HYPHEN, isDigit, SPACE} from './bytes.ts';
import {type DigitPosition, DigitRun, type PanFound} from './digitrun.ts';
import {type Escape, readEscape} from './escape.ts';
import {isIdentifier} from './identifier.ts';
import {
  FRACTION_MINIMUM_DIGITS,
  flattenedNumber,
  maskedNumber,
  mayBecomePanNumber,
  type NumberReading,
  readNumber,
} from './jsonnumber.ts';
import {JsonPosition} from './jsonposition.ts';
import type {MaskCounts, Masker, MaskMediaType} from './masker.ts';
import {nextCandidate} from './probe.ts';
import {StreamWindow} from './window.ts';

/** What the words consist of that digits can be part of without being a card: UUIDs, digests, numbers. */
const WORD = byteSet('0123456789abcdefABCDEF-+.');
const NUMBER = byteSet('0123456789-+.eE');

/** Bytes after the digits beyond which a word is none of these: the longest digest has 128. */
const WORD_MAXIMUM_BYTES = 128;

const LOWER_E = 0x65;

const NO_NUMBER: NumberReading = {kind: 'noNumber'};

/** A PAN, or a fraction that an exponent may make one, in a word that has not ended. */
type Pending = PanFound | {readonly start: number; readonly end: number; readonly hidden: undefined};

/**
 * Masks PANs in JSON or text. Where no digits cluster about one byte of eleven is read (`nextCandidate`). Where they
 * do all are: digits and separators make a DigitRun, and a PAN in it is decided upon at the end of the word in which
 * it stands. What is carried from byte to byte depends on the bytes alone, never on where the chunks were cut.
 */
export class PanMasker implements Masker {
  readonly counts: MaskCounts = {PAN: 0};
  readonly #window = new StreamWindow();
  readonly #run = new DigitRun(
    (pan) => this.#pending.push(pan),
    (digit) => this.#hide(digit),
  );
  /** Only where the bytes are JSON. */
  readonly #json: JsonPosition | undefined;
  #pending: Pending[] = [];
  /** The next byte to read: after the bytes received, or at an escape that they do not complete. */
  #next = 0;
  /** Where an incomplete escape is that may become part of a candidate. */
  #openEscape: number | undefined;

  constructor(mediaType: MaskMediaType) {
    this.#json = mediaType === 'json' ? new JsonPosition(this.#window) : undefined;
  }

  get heldBytes(): number {
    return this.#window.bytesHeld;
  }

  /** Whether a digit that comes next is hidden though nothing is known to be a PAN, after a flush. */
  get hidesNext(): boolean {
    return this.#run.hidesNext;
  }

  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#advance(chunk, false, emit);
  }

  flush(emit: (bytes: Buffer) => void): void {
    if (this.#json !== undefined || this.heldBytes === 0) return;
    this.#window.open(Buffer.alloc(0));
    this.#settleOpen(0);
    this.#run.release(0);
    this.#window.close(0, emit);
  }

  end(emit: (bytes: Buffer) => void): void {
    this.#advance(Buffer.alloc(0), true, emit);
    this.#window.reset();
    this.#json?.reset();
    this.#next = 0;
  }

  #advance(chunk: Buffer, final: boolean, emit: (bytes: Buffer) => void): void {
    this.#window.open(chunk);
    this.#scan(chunk, final);
    const holdFrom = final ? chunk.length : this.#openFrom(chunk.length);
    this.#json?.inString(holdFrom);
    const bytes = this.#window.close(holdFrom, emit);
    this.#run.rebase(bytes);
    this.#json?.rebase(bytes);
    this.#pending = this.#pending.map((pending) => rebased(pending, bytes));
    this.#next -= bytes;
  }

  #scan(chunk: Buffer, final: boolean): void {
    let next = this.#next;
    this.#openEscape = undefined;
    let stopped = false;
    while (next < chunk.length && !stopped) {
      if (this.#idle && next >= 0) next = nextCandidate(chunk, next);
      const from = next;
      next = this.#read(from, chunk.length, final);
      stopped = next === from;
    }
    this.#next = next;
    if (!final) return;
    this.#run.end();
    this.#settle(chunk.length);
  }

  get #idle(): boolean {
    return this.#run.idle && this.#pending.length === 0;
  }

  /**
   * Reads at least one byte, and on until no candidate is open; gives the index after it. Stops before an escape that
   * is not complete.
   */
  #read(from: number, end: number, final: boolean): number {
    const window = this.#window;
    let at = from;
    while (at < end) {
      const byte = window.byteAt(at);
      let length = 1;
      if (isDigit(byte)) this.#run.addDigit(byte - DIGIT_0, at, at + 1);
      else if (byte === SPACE || byte === HYPHEN) this.#run.addSeparator();
      else if (byte === BACKSLASH) {
        const found = readEscape(window, at, end, final, this.#json !== undefined);
        length = this.#addEscape(found, at);
      } else {
        if ((byte | 0x20) === LOWER_E) this.#endFraction(at);
        this.#run.end();
      }
      if (this.#openEscape === undefined) this.#settleAt(at, byte);
      if (length === 0) return at;
      at += length;
      if (this.#idle) return at;
    }
    return at;
  }

  /** Gives the length of the escape, 0 if it is incomplete. */
  #addEscape(found: Escape, at: number): number {
    const run = this.#run;
    switch (found.kind) {
      case 'digit':
        run.addDigit(found.value, at, at + found.length);
        return found.length;
      case 'separator':
        run.addSeparator();
        return found.length;
      case 'ambiguous':
        run.end();
        for (let index = at + found.length - 4; index < at + found.length; index++) {
          run.addDigit(this.#window.byteAt(index) - DIGIT_0, index, index + 1);
        }
        run.addBoundary();
        return found.length;
      case 'other':
        run.end();
        return found.length;
      case 'incomplete':
        if (found.open) this.#openEscape = at;
        else run.end();
        return 0;
    }
  }

  /** At the `e` of a JSON number: its fraction is pending where the exponent can make a card of it. */
  #endFraction(at: number): void {
    const group = this.#run.onlyGroup;
    if (this.#json === undefined || group === undefined || group.digits < FRACTION_MINIMUM_DIGITS) return;
    if (this.#window.byteAt(group.start - 1) === DOT && this.#openNumber(at) < at) {
      this.#pending.push({start: group.start, end: at, hidden: undefined});
    }
  }

  /** Decides upon what is pending, if the byte at `at` ends the word or the word is too long. */
  #settleAt(at: number, byte: number): void {
    const [first] = this.#pending;
    if (first === undefined) return;
    if (WORD[byte] === 0) this.#settle(at);
    else if (at - first.end > WORD_MAXIMUM_BYTES) this.#settleOpen(at);
  }

  /** The word ends before `end` in which everything pending ends. */
  #settle(end: number): void {
    const pending = this.#takePending();
    const [first] = pending;
    if (first === undefined) return;
    const start = this.#wordStart(first.end, WORD);
    const text = this.#window.text(start, end);
    const word = {text, before: this.#window.text(start - 1, start), after: this.#window.text(end, end + 1)};
    const number = this.#json?.inString(start) === false ? readNumber(text) : NO_NUMBER;
    if (number.kind === 'pan') this.#replaceNumber(start, maskedNumber(text.length, number.lastFour));
    for (const found of pending) {
      if (found.hidden === undefined) continue;
      const isPartOfWord = found.start >= start;
      if (isPartOfWord && number.kind !== 'noNumber') continue;
      if (isPartOfWord && isIdentifier(word, found.start - start, found.end - start)) continue;
      this.#mask(found);
    }
  }

  /** The word goes on, but is too long to be waited for. */
  #settleOpen(end: number): void {
    const pending = this.#takePending();
    const [first] = pending;
    if (first === undefined) return;
    const flattened = flattenedNumber(this.#window.text(first.start, end));
    if (flattened !== undefined && this.#json?.inString(first.start) === false) {
      this.#replaceNumber(first.start, flattened);
      return;
    }
    for (const found of pending) {
      if (found.hidden !== undefined) this.#mask(found);
    }
  }

  #takePending(): Pending[] {
    const pending = this.#pending;
    this.#pending = [];
    return pending;
  }

  /** Where the word starts that goes up to `end`; of a word longer than any of interest, not quite there. */
  #wordStart(end: number, bytes: Uint8Array): number {
    let start = end;
    while (end - start < 2 * WORD_MAXIMUM_BYTES && bytes[this.#window.byteAt(start - 1)] === 1) start--;
    return start;
  }

  #mask({hidden}: PanFound): void {
    for (const digit of hidden) this.#hide(digit);
    this.counts.PAN++;
  }

  #hide({index, form}: DigitPosition): void {
    switch (form) {
      case 'plain':
        this.#window.overwrite(index, ASTERISK);
        return;
      case 'escaped':
        this.#window.overwrite(index - 1, ASTERISK_HIGH_NIBBLE);
        this.#window.overwrite(index, ASTERISK_LOW_NIBBLE);
        return;
      case 'partial':
        this.#window.overwrite(index, QUESTION_MARK_LOW_NIBBLE);
    }
  }

  #replaceNumber(start: number, replacement: string): void {
    for (let index = 0; index < replacement.length; index++) {
      this.#window.overwrite(start + index, replacement.charCodeAt(index));
    }
    this.counts.PAN++;
  }

  /** The first byte that may yet be masked. */
  #openFrom(end: number): number {
    const run = this.#run.openFrom() ?? end;
    const pending = this.#pending.filter(({hidden}) => hidden?.length !== 0).map(({start}) => start);
    return Math.min(run, ...pending, this.#openEscapeFrom(end), this.#openNumber(end));
  }

  /** Where an incomplete escape starts, unless its beginning was released: then its rest is not held either. */
  #openEscapeFrom(end: number): number {
    const at = this.#openEscape;
    return at === undefined || at < -this.#window.bytesHeld ? end : at;
  }

  /** Where the number token starts that the received bytes end with and that may be a card, `end` if there is none. */
  #openNumber(end: number): number {
    if (this.#json === undefined) return end;
    let start = this.#wordStart(end, NUMBER);
    while (start < end && !isNumberStart(this.#window.byteAt(start))) start++;
    // Where its start is emitted already it was ruled out then.
    if (start === end || start < -this.#window.bytesHeld) return end;
    const open = this.#pending.length > 0 || mayBecomePanNumber(this.#window.text(start, end));
    return open && !this.#json.inString(start) ? start : end;
  }
}

/** The escape of an asterisk is \u002a. */
const ASTERISK_HIGH_NIBBLE = '2'.charCodeAt(0);
const ASTERISK_LOW_NIBBLE = 'a'.charCodeAt(0);
/** Of an escaped digit, \u003x, whose 3 is released: \u003f. */
const QUESTION_MARK_LOW_NIBBLE = 'f'.charCodeAt(0);

function isNumberStart(byte: number): boolean {
  return byte === HYPHEN || isDigit(byte);
}

function rebased(pending: Pending, bytes: number): Pending {
  const [start, end] = [pending.start - bytes, pending.end - bytes];
  if (pending.hidden === undefined) return {start, end, hidden: undefined};
  return {start, end, hidden: pending.hidden.map(({index, form}) => ({index: index - bytes, form}))};
}
