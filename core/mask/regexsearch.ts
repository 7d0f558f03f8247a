import {ASTERISK, BACKSLASH, hexValue} from './bytes.ts';
import {NO_CHARACTER, type RegexProgram} from './regexprogram.ts';
import {MATCHED, RegexStates, TABLE_WIDTH, UNKNOWN} from './regexstates.ts';
import {RegexThreads} from './regexthreads.ts';

/** Matches that are not longer are found whole, and in longer texts those that are not longer than the overlap. */
export const WINDOW_BYTES = 64 * 1024;
export const OVERLAP_BYTES = 1024;

/** Of the longest character, a pair of escapes. */
const CHARACTER_MAXIMUM_BYTES = 12;

const LOWER_U = 0x75;
const REPLACEMENT = 0xfffd;

const SHORT_ESCAPES = new Uint8Array(128);
for (const [letter, character] of Object.entries({b: '\b', f: '\f', n: '\n', r: '\r', t: '\t'})) {
  SHORT_ESCAPES[letter.charCodeAt(0)] = character.charCodeAt(0);
}
for (const character of '"\\/') SHORT_ESCAPES[character.charCodeAt(0)] = character.charCodeAt(0);

/** Told of matches; indices are of the bytes at hand. */
export interface MatchListener {
  /** Before the first byte of it is hidden. */
  begin(): void;
  /** Nothing can overlap it any more. */
  end(from: number, to: number): void;
}

/**
 * Searches texts for patterns and overwrites what matches with asterisks, byte for byte. A text is read once for whether
 * anything matches, and only where it does once more for what.
 *
 * Texts come in UTF-8, with escapes where they stand in JSON; a byte that is no UTF-8 is a character of its own. Of a
 * long text a window is in sight at a time. Where one ends depends on the text alone, never on how it comes.
 */
export class RegexSearch {
  /** Matches; those that overlap are one. */
  found = 0;
  readonly #isJSON: boolean;
  readonly #listener: MatchListener | undefined;
  readonly #states: RegexStates;
  readonly #threads: RegexThreads;
  /** Whether something matches, or did not long ago, so that threads find out what. */
  #isThreaded = false;
  #state = 0;
  #bytes: Buffer = Buffer.alloc(0);
  /** The index from which on bytes have to stay at hand, as they may be read again, and how many of them were read. */
  #from = 0;
  #bytesRead = 0;
  /** The character before. */
  #before = NO_CHARACTER;
  #hiddenFrom = 0;
  #hiddenTo = 0;
  /** Whether something matched there that was not told of. */
  #hasMatch = false;
  /** In bytes, of the character read last. */
  #width = 0;

  constructor(program: RegexProgram, isJSON: boolean, listener?: MatchListener) {
    this.#isJSON = isJSON;
    this.#listener = listener;
    this.#states = new RegexStates(program);
    this.#threads = new RegexThreads(program, (from, to) => this.#hide(from, to));
    this.#begin();
  }

  /**
   * Takes what is at hand of a text and hides what matches.
   *
   * @param from the first byte that was not done with before
   * @param isLast the text ends at `to`
   * @returns the first byte that is not done with now, and has to come again
   */
  read(bytes: Buffer, from: number, to: number, isLast: boolean): number {
    this.#open(bytes, from);
    while (to - this.#from >= WINDOW_BYTES + CHARACTER_MAXIMUM_BYTES) this.#readWindow(to);
    if (!isLast) return this.#close();
    this.#scan(to, to);
    if (!this.#isThreaded && this.#states.matchesAtEnd(this.#state)) this.#thread(to, to);
    if (this.#isThreaded) this.#threads.end(to);
    this.#endMatch();
    this.#begin();
    return to;
  }

  /**
   * The same for a text of which more may come, but not soon: hides what matches already. What only begins to match is
   * done with, and only what comes of it later will be hidden.
   */
  readOpen(bytes: Buffer, from: number, to: number): number {
    this.#open(bytes, from);
    const end = charactersEnd(bytes, from, to);
    this.#scan(end, to);
    if (!this.#isThreaded) this.#thread(end, to);
    this.#threads.pause(end);
    this.#from = end;
    this.#bytesRead = 0;
    return this.#close();
  }

  #begin(): void {
    this.#isThreaded = false;
    this.#state = this.#states.fresh(NO_CHARACTER);
    this.#bytesRead = 0;
    this.#before = NO_CHARACTER;
    this.#hiddenFrom = -1;
    this.#hiddenTo = -1;
  }

  #open(bytes: Buffer, from: number): void {
    this.#bytes = bytes;
    this.#rebase(from);
  }

  #close(): number {
    const from = this.#from;
    this.#rebase(0);
    return from;
  }

  /** What was at `#from` is at `to`. */
  #rebase(to: number): void {
    const shift = to - this.#from;
    if (shift === 0) return;
    this.#from = to;
    this.#hiddenFrom += shift;
    this.#hiddenTo += shift;
    if (this.#isThreaded) this.#threads.rebase(-shift);
  }

  #readWindow(to: number): void {
    const end = this.#from + WINDOW_BYTES;
    const overlap = this.#scan(end - OVERLAP_BYTES, to);
    const before = this.#isThreaded ? NO_CHARACTER : this.#states.before(this.#state);
    const next = this.#scan(end, to);
    // That a match ends behind the last character is known when the next is read.
    if (this.#isThreaded) this.#from = next - this.#width;
    else if (this.#from < overlap) {
      this.#from = overlap;
      this.#before = before;
    }
    this.#bytesRead = next - this.#from;
  }

  /** Reads the characters that begin before `limit`, and are complete before `to`. Gives the index of the next. */
  #scan(limit: number, to: number): number {
    let at = this.#from + this.#bytesRead;
    while (at < limit) {
      at = this.#isThreaded ? this.#scanWithThreads(at, limit, to) : this.#scanWithStates(at, limit, to);
    }
    this.#bytesRead = at - this.#from;
    return at;
  }

  /** Reads on until something matches. */
  #scanWithStates(from: number, limit: number, to: number): number {
    const bytes = this.#bytes;
    const states = this.#states;
    const backslash = this.#isJSON ? BACKSLASH : -1;
    let {table} = states;
    let state = this.#state;
    let at = from;
    while (at < limit) {
      const byte = bytes[at] as number;
      let width = 1;
      let next = UNKNOWN;
      if (byte < 0x80 && byte !== backslash) {
        next = table[state * TABLE_WIDTH + byte] as number;
        if (next === UNKNOWN) next = states.next(state, byte);
      } else {
        next = states.next(state, this.#character(at, to));
        width = this.#width;
      }
      if (next === MATCHED) {
        this.#thread(at, to);
        return at;
      }
      ({table} = states);
      state = next;
      at += width;
    }
    this.#state = state;
    return at;
  }

  /** Reads on until nothing is left that may become a match. */
  #scanWithThreads(from: number, limit: number, to: number): number {
    let at = from;
    while (at < limit) {
      this.#threads.read(this.#character(at, to), at);
      at += this.#width;
      if (this.#threads.hasBegun) continue;
      this.#isThreaded = false;
      this.#from = at;
      this.#before = this.#threads.before;
      this.#state = this.#states.fresh(this.#before);
      break;
    }
    return at;
  }

  /** Reads again what was read, up to `at`, now for what matches. */
  #thread(at: number, to: number): void {
    this.#isThreaded = true;
    const threads = this.#threads;
    threads.restart(this.#before);
    for (let index = this.#from; index < at; index += this.#width) {
      const codePoint = this.#character(index, to);
      if (threads.hasBegun || this.#states.mayBegin(threads.before, codePoint)) threads.read(codePoint, index);
      else threads.skip(codePoint);
    }
  }

  #hide(from: number, to: number): void {
    if (from >= this.#hiddenTo) {
      this.#endMatch();
      this.found++;
      this.#hasMatch = true;
      this.#listener?.begin();
    }
    const isInside = from >= this.#hiddenFrom && from < this.#hiddenTo;
    // What is done with cannot be hidden any more.
    const start = Math.max(isInside ? this.#hiddenTo : from, this.#from);
    if (!isInside) this.#hiddenFrom = from;
    this.#bytes.fill(ASTERISK, start, Math.max(start, to));
    this.#hiddenTo = Math.max(this.#hiddenTo, to);
  }

  #endMatch(): void {
    if (this.#hasMatch) this.#listener?.end(this.#hiddenFrom, this.#hiddenTo);
    this.#hasMatch = false;
  }

  /** Reads the character at `at`, and sets its width. */
  #character(at: number, to: number): number {
    const byte = this.#bytes[at] as number;
    this.#width = 1;
    if (byte === BACKSLASH && this.#isJSON) return this.#escape(at, to);
    return byte < 0x80 ? byte : this.#beyondASCII(byte, at, to);
  }

  #escape(at: number, to: number): number {
    const letter = this.#bytes[at + 1] as number;
    this.#width = 2;
    if (letter !== LOWER_U) return SHORT_ESCAPES[letter] as number;
    this.#width = 6;
    const unit = hexOf(this.#bytes, at + 2);
    const isPair =
      unit >> 10 === 0x36 && at + 12 <= to && this.#bytes[at + 6] === BACKSLASH && this.#bytes[at + 7] === LOWER_U;
    const second = isPair ? hexOf(this.#bytes, at + 8) : 0;
    if (second >> 10 !== 0x37) return unit;
    this.#width = 12;
    return 0x10000 + ((unit & 0x3ff) << 10) + (second & 0x3ff);
  }

  #beyondASCII(lead: number, at: number, to: number): number {
    const length = sequenceLength(lead);
    if (length === 1 || at + length > to) return REPLACEMENT;
    let codePoint = lead & (0xff >> (length + 1));
    for (let index = at + 1; index < at + length; index++) {
      const byte = this.#bytes[index] as number;
      if (byte >> 6 !== 2) return REPLACEMENT;
      codePoint = (codePoint << 6) | (byte & 0x3f);
    }
    this.#width = length;
    return Math.min(codePoint, 0x10ffff);
  }
}

/** Of a character of UTF-8, in bytes; 1 for what begins none. */
function sequenceLength(lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 1;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** Where the last complete character ends. */
function charactersEnd(bytes: Buffer, from: number, to: number): number {
  for (let at = to - 1; at >= Math.max(from, to - 3); at--) {
    const byte = bytes[at] as number;
    if (byte >> 6 !== 2) return at + sequenceLength(byte) > to ? at : to;
  }
  return to;
}

function hexOf(bytes: Buffer, at: number): number {
  let value = 0;
  for (let index = at; index < at + 4; index++) value = value * 16 + hexValue(bytes[index] as number);
  return value;
}
