import {AMPERSAND, ASTERISK, BACKSLASH, byteSet, CARRIAGE_RETURN, isDigit, LINE_FEED, PERCENT} from './bytes.ts';
import {type Meaning, meaningOf, type Separator} from './characters.ts';
import {isCardGrouping} from './grouping.ts';
import {PAN_MAXIMUM_DIGITS, PAN_MINIMUM_DIGITS} from './pan.ts';
import {readUnit, type Unit} from './unit.ts';
import {StreamWindow} from './window.ts';

/** Digits of a card number that may stay. */
const FIRST_DIGITS = 6;
const LAST_DIGITS = 4;

/** Asterisks in a row before the last digits: the shortest card as a JSON number has so many. */
const HIDDEN_MINIMUM = 6;

/** The same between the first six and the last four, and where they are digits of no number. */
const HIDDEN_BETWEEN_MINIMUM = 3;
const HIDDEN_INSIDE_MINIMUM = 5;

/** Bytes of a digit in UTF-8, each of which becomes an asterisk; in an escape two do. */
const ASTERISKS_PER_DIGIT = [1, 2, 3, 4];

/** Between two groups, an escape and a line wrap among them. */
const SEPARATORS_MAXIMUM = 3;

/** Before the first asterisk of a card number six digits may stand, each as an escape. */
const REACH_BYTES = 256;

const PLUS = 0x2b;
const OTHER: Meaning = {kind: 'other'};
const GAP: Meaning = {kind: 'separator', separator: 'gap'};
const WRAP: Meaning = {kind: 'separator', separator: 'wrap'};

/** Asterisks, and what `hideDigit` makes of digits that are escapes, percent encodings and character references. */
const ASTERISKS = /\*|\\u002a|%2a|&#0*42;|&#x0*2a;/i;
const asteriskCode = /\\+u002a|%2a|&#0*42;|&#x0*2a;/iy;

export function holdsAsterisk(text: string): boolean {
  return ASTERISKS.test(text);
}

/**
 * Whether a text holds a card number as maskers leave it behind, in any of the ways to write one that they read.
 *
 * @param withoutDigits whether it may be one of which no digit is shown
 * @param inLongRuns whether it may be one inside of a digit run longer than any card
 */
export function holdsMaskedPan(text: string, withoutDigits: boolean, inLongRuns: boolean): boolean {
  const bytes = Buffer.from(text);
  const raw = bytes.toString('latin1');
  const window = new StreamWindow();
  window.open(bytes);
  const row = new Row(withoutDigits, inLongRuns);
  const next = new RegExp(ASTERISKS, 'gi');
  for (let at = 0; ; ) {
    next.lastIndex = at;
    const hit = next.exec(raw)?.index;
    if (hit === undefined) return false;
    at = Math.max(at, hit - REACH_BYTES);
    while (at < bytes.length && (at <= hit || !row.isEmpty)) {
      const byte = bytes[at] as number;
      asteriskCode.lastIndex = at;
      const code =
        byte === BACKSLASH || byte === PERCENT || byte === AMPERSAND ? asteriskCode.exec(raw)?.[0] : undefined;
      let length = code?.length ?? 1;
      if (byte === ASTERISK || code !== undefined) row.asterisk();
      else if (byte === LINE_FEED || byte === CARRIAGE_RETURN) row.add(WRAP, 1);
      else if (byte === PLUS) row.add(GAP, 1);
      else if (isDigit(byte)) row.add(meaningOf(byte), 1);
      else if (byte < 0x80 && ENCODERS[byte] === 0) row.add(meaningOf(byte), 1);
      else {
        const unit = readUnit(window, at, bytes.length, true, false);
        if (unit.kind !== 'incomplete') length = unit.decoded?.length ?? unit.length;
        row.add(meaningIn(unit), asterisksFor(byte, length));
      }
      at += length;
    }
    row.end();
    if (row.found) return true;
  }
}

/** Bytes of ASCII at which more may stand than themselves. */
const ENCODERS = byteSet('\\%&\u001b');

function meaningIn(unit: Unit): Meaning {
  if (unit.kind === 'incomplete') return OTHER;
  return unit.decoded?.meaning ?? (unit.kind === 'known' ? unit.meaning : OTHER);
}

/** How many asterisks `hideDigit` makes of a digit that begins with this byte and has this length. */
function asterisksFor(first: number, length: number): number {
  if (first >= 0x80) return length;
  if (first === PERCENT) return length / 3;
  // Two escapes of at least six bytes.
  return first === BACKSLASH && length >= 12 && length % 2 === 0 ? 2 : 1;
}

/** Digits that are shown, asterisks, digits that are shown, and nothing between them. Digits alone come `before`. */
interface Group {
  before: number;
  hidden: number;
  after: number;
  /** What a digit becomes that is written as the last one is. */
  asterisksPerDigit: number;
}

/** Groups that stand in a row. */
class Row {
  found = false;
  readonly #withoutDigits: boolean;
  readonly #long: LongGroup | undefined;
  readonly #groups: Group[] = [];
  readonly #separators: Separator[] = [];
  #group: Group | undefined;
  /** Since the last group. */
  #pending: Separator[] = [];

  constructor(withoutDigits: boolean, inLongRuns: boolean) {
    this.#withoutDigits = withoutDigits;
    this.#long = inLongRuns ? new LongGroup() : undefined;
  }

  get isEmpty(): boolean {
    return this.#group === undefined && this.#groups.length === 0;
  }

  add(meaning: Meaning, asterisks: number): void {
    switch (meaning.kind) {
      case 'digit': {
        this.#long?.digit();
        const group = this.#open();
        if (group.hidden === 0) group.before++;
        else group.after++;
        group.asterisksPerDigit = asterisks;
        break;
      }
      case 'separator':
        this.found ||= this.#long?.end() ?? false;
        this.#close();
        this.#pending.push(meaning.separator);
        if (this.#pending.length > SEPARATORS_MAXIMUM) this.end();
        break;
      case 'other':
        this.end();
        break;
      case 'invisible':
    }
  }

  asterisk(): void {
    this.#long?.asterisk();
    if (this.#group !== undefined && this.#group.after > 0) this.#reset();
    this.#open().hidden++;
  }

  end(): void {
    this.found ||= this.#long?.end() ?? false;
    this.#reset();
  }

  #reset(): void {
    this.#close();
    this.#groups.length = 0;
    this.#separators.length = 0;
    this.#pending = [];
  }

  #open(): Group {
    if (this.#group === undefined) {
      const [separator] = this.#pending;
      if (separator !== undefined && this.#groups.length > 0) {
        this.#separators.push(this.#pending.includes('wrap') ? 'wrap' : separator);
      }
      this.#pending = [];
      this.#group = {before: 0, hidden: 0, after: 0, asterisksPerDigit: 1};
    }
    return this.#group;
  }

  #close(): void {
    if (this.#group === undefined) return;
    this.#groups.push(this.#group);
    this.#group = undefined;
    this.found ||= this.#endsMasked();
    if (this.#groups.length <= PAN_MAXIMUM_DIGITS) return;
    this.#groups.shift();
    this.#separators.shift();
  }

  /** Whether a card number ends with the last group. */
  #endsMasked(): boolean {
    let before = 0;
    let hidden = 0;
    let after = 0;
    for (let first = this.#groups.length - 1; first >= 0; first--) {
      const group = this.#groups[first] as Group;
      // Digits between asterisks, or asterisks before digits that come before asterisks.
      if (group.hidden > 0 && (before > 0 || (hidden > 0 && group.after > 0))) return false;
      if (group.hidden === 0 && hidden === 0) after += group.before;
      else before += group.before;
      after += group.after;
      hidden += group.hidden;
      if (before > FIRST_DIGITS || after > LAST_DIGITS) return false;
      if (hidden > 0 && this.#isMasked(first, before, hidden, after)) return true;
    }
    return false;
  }

  #isMasked(first: number, before: number, hidden: number, after: number): boolean {
    const isShown = after === LAST_DIGITS && (before === 0 || before === FIRST_DIGITS);
    const isHidden = this.#withoutDigits && before + after === 0;
    if (!isShown && !isHidden) return false;
    const isOneGroup = first === this.#groups.length - 1;
    // Nobody writes asterisks against four digits otherwise, however many they are.
    const hiddenMinimum = before === 0 ? HIDDEN_MINIMUM : HIDDEN_BETWEEN_MINIMUM;
    if (isOneGroup && isShown && hidden >= hiddenMinimum) return true;
    // Where no digit is left it is not known how they were written, and rules are drawn with many asterisks.
    if (isHidden && !isOneGroup) return ASTERISKS_PER_DIGIT.some((each) => this.#isCard(first, 0, hidden, 0, each));
    return this.#isCard(first, before, hidden, after, this.#groups.at(-1)?.asterisksPerDigit ?? 1);
  }

  #isCard(first: number, before: number, hidden: number, after: number, asterisksPerDigit: number): boolean {
    const digits = before + hidden / asterisksPerDigit + after;
    if (!Number.isInteger(digits) || digits < PAN_MINIMUM_DIGITS || digits > PAN_MAXIMUM_DIGITS) return false;
    const sizes = this.#groups
      .slice(first)
      .map((group) => group.before + group.hidden / asterisksPerDigit + group.after);
    return first === this.#groups.length - 1 || isCardGrouping(sizes, this.#separators.slice(first));
  }
}

/** Digits and asterisks without anything between. */
class LongGroup {
  #count = 0;
  #digits = 0;
  /** The asterisks it ends with, and the most in a row. */
  #hidden = 0;
  #mostHidden = 0;

  digit(): void {
    this.#count++;
    this.#digits++;
    this.#hidden = 0;
  }

  asterisk(): void {
    this.#count++;
    this.#hidden++;
    this.#mostHidden = Math.max(this.#mostHidden, this.#hidden);
  }

  /** Whether it was a run of digits longer than any card, of which some are hidden. */
  end(): boolean {
    const isLong = this.#count > PAN_MAXIMUM_DIGITS && this.#digits > 0;
    const isMasked = isLong && this.#mostHidden >= HIDDEN_INSIDE_MINIMUM;
    this.#count = 0;
    this.#digits = 0;
    this.#hidden = 0;
    this.#mostHidden = 0;
    return isMasked;
  }
}
