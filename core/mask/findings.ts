import {ASTERISK, byteSet, isDigit} from './bytes.ts';
import {isCounter, isServerField} from './context.ts';
import type {DigitPosition, PanFound} from './digitrun.ts';
import type {FindingLog} from './findinglog.ts';
import {hideDigit} from './hide.ts';
import {isIdentifier} from './identifier.ts';
import {
  flattenedNumber,
  isInteger,
  LONG_NUMBER_MAXIMUM_BYTES,
  maskedLongNumber,
  maskedNumber,
  type NumberReading,
  readNumber,
} from './jsonnumber.ts';
import type {JsonPosition} from './jsonposition.ts';
import type {MaskCounts} from './masker.ts';
import {networkAt, networkOf} from './network.ts';
import type {PanShow} from './plan.ts';
import type {StreamWindow} from './window.ts';

/** What the words consist of that digits can be part of without being a card: UUIDs, digests, numbers. */
const WORD = byteSet('0123456789abcdefABCDEF-+.');

/** Bytes after the digits beyond which a word is none of these: the longest digest has 128. */
export const WORD_MAXIMUM_BYTES = 128;

const NO_NUMBER: NumberReading = {kind: 'noNumber'};

/** Digits of a number that its exponent may make a PAN. */
interface Mantissa {
  readonly start: number;
  readonly end: number;
  readonly hidden: undefined;
}

/** What was found in a word that has not ended; it is decided upon, and hidden, when the word ends. */
export class Findings {
  readonly #window: StreamWindow;
  /** Only where the bytes are JSON. */
  readonly #json: JsonPosition | undefined;
  readonly #counts: MaskCounts;
  readonly #show: PanShow | undefined;
  readonly #log: FindingLog | undefined;
  #pending: (PanFound | Mantissa)[] = [];
  /** After the last PAN that was hidden: what is before is not as it came. */
  #hiddenTo = Number.NEGATIVE_INFINITY;

  /** @param show undefined where card numbers are not hidden for themselves */
  constructor(
    window: StreamWindow,
    json: JsonPosition | undefined,
    counts: MaskCounts,
    show: PanShow | undefined,
    log?: FindingLog,
  ) {
    this.#window = window;
    this.#json = json;
    this.#counts = counts;
    this.#show = show;
    this.#log = log;
  }

  get none(): boolean {
    return this.#pending.length === 0;
  }

  /** In the order in which they end. */
  add(found: PanFound): void {
    if (this.#show === undefined) return;
    const isKnown = ({start, end}: PanFound | Mantissa): boolean => start === found.start && end === found.end;
    // In a long run there may be many, and each is reported once for each reading.
    if (found.inLongRun || !this.#pending.some(isKnown)) this.#pending.push(found);
  }

  addMantissa(start: number, end: number): void {
    if (this.#show !== undefined) this.#pending.push({start, end, hidden: undefined});
  }

  /** The first byte that may yet be hidden. */
  openFrom(end: number): number {
    if (this.none) return end;
    const open = this.#pending.filter(({hidden}) => hidden?.length !== 0);
    return Math.min(end, ...open.map(({start}) => start));
  }

  /** Decides, if the byte at `at` ends the word or the word is too long. */
  settleAt(at: number, byte: number): void {
    const [first] = this.#pending;
    if (first === undefined) return;
    if (WORD[byte] === 0) this.settle(at);
    else if (at - first.end > WORD_MAXIMUM_BYTES) this.settleOpen(at);
  }

  /** The words have ended in which everything pending ends, `limit` at the latest. */
  settle(limit: number): void {
    let pending: readonly (PanFound | Mantissa)[] = this.#take();
    // Mostly it is one word; in a long run that is partly encoded it may be several.
    for (;;) {
      const [first] = pending;
      if (first === undefined) return;
      if (first.end > limit) break;
      let {end} = first;
      while (end < limit && WORD[this.#window.byteAt(end)] === 1) end++;
      const next = pending.findIndex((found) => found.end > end);
      this.#settleWord(
        wordStart(this.#window, first.end, WORD),
        end,
        next < 0 ? pending : pending.slice(0, next),
        limit,
      );
      pending = next < 0 ? [] : pending.slice(next);
    }
    // What ends in the middle of what is encoded at the limit waits until that is read as it stands too.
    this.#pending = [...pending];
  }

  #settleWord(start: number, end: number, pending: readonly (PanFound | Mantissa)[], limit: number): void {
    const text = this.#window.text(start, end);
    const word = {text, before: this.#window.text(start - 1, start), after: this.#window.text(end, end + 1)};
    // In a long run another may be found when a part of its word is hidden already, and is no word any more.
    const isChanged =
      this.#hiddenTo > start || (this.#hiddenTo === start && this.#window.byteAt(start - 1) === ASTERISK);
    const isOutside = this.#json?.inString(start) === false;
    const number = isOutside ? readNumber(text) : NO_NUMBER;
    const isReplaced =
      (isOutside && this.#maskLongNumber(start, end, pending)) ||
      (number.kind === 'pan' && this.#maskNumber(start, end, number.pan));
    for (const found of pending) {
      if (found.hidden === undefined) continue;
      const isPartOfWord = found.start >= start;
      if (isPartOfWord && (isReplaced || number.kind !== 'noNumber')) continue;
      const digits = found.inLongRun ? this.#digitsAround(found, limit) : found;
      const isWhole = isPartOfWord && !(found.inLongRun && isChanged);
      if (isWhole && isIdentifier(word, digits.start - start, digits.end - start)) continue;
      if (isServerField(this.#window, digits.start, digits.end, limit, this.#json !== undefined)) continue;
      if (!this.#leaves(found.start)) this.#mask(found);
    }
  }

  #maskNumber(start: number, end: number, pan: string): boolean {
    if (this.#show === undefined || isCounter(this.#window, start) || this.#leaves(start)) return false;
    const network = this.#log?.wantsNetwork ? networkOf(pan) : undefined;
    this.#replaceNumber(start, maskedNumber(end - start, pan, this.#show), network);
    return true;
  }

  /** Hides a number token where a PAN is part of its integer digits: all, as digits are missing in the string. */
  #maskLongNumber(start: number, end: number, pending: readonly (PanFound | Mantissa)[]): boolean {
    const first = pending.find((found) => found.hidden !== undefined && found.inLongRun && found.start >= start);
    if (first === undefined || !isInteger(this.#window.text(start, first.start)) || this.#leaves(start)) return false;
    const isLong = end - start > LONG_NUMBER_MAXIMUM_BYTES;
    if (!isLong && (readNumber(this.#window.text(start, end)).kind === 'noNumber' || isCounter(this.#window, start))) {
      return false;
    }
    const from = isLong ? first.start : start;
    const replacement = isLong ? flattenedNumber(this.#window.text(from, end)) : maskedLongNumber(end - start);
    if (replacement === undefined) return false;
    this.#replaceNumber(from, replacement);
    return true;
  }

  /** The whole run of digits that these are part of. */
  #digitsAround({start, end}: PanFound, limit: number): DigitPosition {
    const window = this.#window;
    let from = start;
    while (start - from < 2 * WORD_MAXIMUM_BYTES && isDigit(window.byteAt(from - 1))) from--;
    let to = end;
    while (to < limit && isDigit(window.byteAt(to))) to++;
    return {start: from, end: to};
  }

  /** The word goes on after `end`, but is not waited for. */
  settleOpen(end: number): void {
    const pending = this.#take();
    const [first] = pending;
    if (first === undefined || this.#leaves(first.start)) return;
    const flattened = flattenedNumber(this.#window.text(first.start, end));
    if (flattened !== undefined && this.#json?.inString(first.start) === false) {
      this.#replaceNumber(first.start, flattened);
      return;
    }
    for (const found of pending) {
      if (found.end > end) this.#pending.push(found);
      else if (found.hidden !== undefined) this.#mask(found);
    }
  }

  /** The stream has ended, and all is decided. */
  reset(): void {
    this.#hiddenTo = Number.NEGATIVE_INFINITY;
  }

  /** All positions move: the window's index 0 is now `bytes` further on. */
  rebase(bytes: number): void {
    this.#hiddenTo -= bytes;
    if (this.none) return;
    this.#pending = this.#pending.map((found) => {
      const moved = {start: found.start - bytes, end: found.end - bytes};
      if (found.hidden === undefined) return {...moved, hidden: undefined};
      return {...found, ...moved, hidden: found.hidden.map((digit) => rebased(digit, bytes))};
    });
  }

  #take(): (PanFound | Mantissa)[] {
    const pending = this.#pending;
    this.#pending = [];
    return pending;
  }

  /** Whether it is in a member that is left alone; then all that is pending is, as it is in one word. */
  #leaves(start: number): boolean {
    return this.#log?.leaves('PAN', this.#window.offset + start) ?? false;
  }

  /** Counted are those of which something was still to be seen, as one may be found both shorter and longer. */
  #mask({start, end, hidden}: PanFound): void {
    this.#hiddenTo = Math.max(this.#hiddenTo, end);
    const network = this.#log?.wantsNetwork ? networkAt(this.#window, start, end, this.#json !== undefined) : undefined;
    this.#log?.beforeChange();
    const changed = hidden.filter((digit) => hideDigit(this.#window, digit));
    if (hidden.length === 0 || changed.length > 0) this.#count(start, end, network);
  }

  #count(from: number, to: number, network: string | undefined): void {
    this.#counts.PAN++;
    if (this.#log === undefined) return;
    const [start, end] = [this.#window.offset + from, this.#window.offset + to];
    const name = this.#log.nameAt(start, this.#json?.inString(from) === true);
    this.#log.add({detector: 'PAN', start, end, name, network});
  }

  /** @param network as of a finding */
  #replaceNumber(start: number, replacement: string, network?: string): void {
    this.#log?.beforeChange();
    for (let index = 0; index < replacement.length; index++) {
      this.#window.overwrite(start + index, replacement.charCodeAt(index));
    }
    this.#count(start, start + replacement.length, network);
  }
}

/** Where the word starts that goes up to `end`; of a word longer than any of interest, not quite there. */
export function wordStart(window: StreamWindow, end: number, bytes: Uint8Array): number {
  let start = end;
  while (end - start < 2 * WORD_MAXIMUM_BYTES && bytes[window.byteAt(start - 1)] === 1) start--;
  return start;
}

function rebased({start, end}: DigitPosition, bytes: number): DigitPosition {
  return {start: start - bytes, end: end - bytes};
}
