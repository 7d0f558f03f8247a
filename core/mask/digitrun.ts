import type {Separator} from './characters.ts';
import {isCardGrouping, isTight, longestNextGroup, mayBeSeparatedBy} from './grouping.ts';
import {LongRun} from './longrun.ts';
import {isPan, mayBecomePan, PAN_MAXIMUM_DIGITS, PAN_MINIMUM_DIGITS} from './pan.ts';
import type {PanPlan, PanShow} from './plan.ts';
import {hiddenDigits, leadingDigitsShown} from './show.ts';

/** Bytes from the first digit on beyond which it belongs to no card: 19 digits apart, escaped three deep, have 494. */
const RUN_MAXIMUM_BYTES = 512;

/** A PAN that stands in the stream; all positions are indices of the stream window. */
export interface PanFound {
  /** The first byte of its first digit. */
  readonly start: number;
  /** After the last byte of its last digit. */
  readonly end: number;
  /** The digits to hide; none where that is done already. */
  readonly hidden: readonly DigitPosition[];
  /** Whether it is part of a group of digits that is longer than any card. */
  readonly inLongRun: boolean;
}

/** The bytes in which one digit is written. */
export interface DigitPosition {
  readonly start: number;
  readonly end: number;
}

/**
 * Groups of digits with one separator between each two, as they come in: at the end of each group every row of groups
 * that ends there is looked at. Only the last 19 digits are kept, so a run can go on for ever; a single group longer
 * than that is no card, and is searched inside by a LongRun alone.
 */
export class DigitRun {
  #state: 'idle' | 'digit' | 'separator' | 'overlong' = 'idle';
  #count = 0;
  readonly #digits = new Uint8Array(PAN_MAXIMUM_DIGITS);
  readonly #starts = new Int32Array(PAN_MAXIMUM_DIGITS);
  readonly #ends = new Int32Array(PAN_MAXIMUM_DIGITS);
  /** For each group the number of its first digit. */
  #groups: number[] = [];
  /** For each group what stands before it; of the first it means nothing. */
  #separators: Separator[] = [];
  /** What stands before the next group. */
  #separator: Separator = 'gap';
  /** Whether the run had digits that are no longer kept. */
  #truncated = false;
  /** Whether the run is emitted as it comes in, see `release`. */
  #released = false;
  /** Before this index everything is emitted; only what `release` was told. */
  #releasedTo = 0;
  /** Only where policy asks for it. */
  readonly #long: LongRun | undefined;
  readonly #show: PanShow;
  readonly #leadingShown: number;
  readonly #onPan: (pan: PanFound) => void;
  readonly #onExposed: (digit: DigitPosition) => void;

  /**
   * @param onPan called for each PAN, in the order in which they end
   * @param onExposed called for each digit that must not be seen when the run is released before it has ended
   */
  constructor(
    {show, longDigitRuns}: PanPlan,
    onPan: (pan: PanFound) => void,
    onExposed: (digit: DigitPosition) => void,
  ) {
    this.#long = longDigitRuns ? new LongRun(show, onPan, onExposed) : undefined;
    this.#show = show;
    this.#leadingShown = leadingDigitsShown(show);
    this.#onPan = onPan;
    this.#onExposed = onExposed;
  }

  get idle(): boolean {
    return this.#state === 'idle';
  }

  /**
   * @param value 0 to 9
   * @param start the first byte of the digit
   * @param end after its last byte
   */
  addDigit(value: number, start: number, end: number): void {
    this.#bound(start);
    if (start < this.#releasedTo) this.#released = true;
    this.#long?.addDigit(value, start, end, this.#released);
    if (this.#state === 'overlong') return;
    if (this.#state !== 'digit') {
      this.#groups.push(this.#count);
      this.#separators.push(this.#separator);
    }
    this.#state = 'digit';
    if (this.#count === PAN_MAXIMUM_DIGITS && !this.#dropFirstGroup()) return;
    this.#digits[this.#count] = value;
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#count++;
    if (this.#released) this.#expose(this.#count - 1);
  }

  /** A separator at this index; `end` is what two of them in a row mean, but for a line that wraps after one. */
  addSeparator(separator: Separator, at: number): void {
    const wraps = separator === 'wrap' && this.#separator === 'gap';
    if (this.#state === 'separator' && !wraps) this.end();
    if (this.#state === 'idle') return;
    this.#long?.end();
    if (this.#state === 'digit') {
      this.#findPans();
      const isFirst = this.#groups.length === 1 && !this.#truncated;
      if (!isFirst && (separator === 'dot') !== (this.#separators.at(-1) === 'dot')) this.#restart();
    }
    this.#state = 'separator';
    this.#separator = separator;
    this.#bound(at);
  }

  /** Something at this index that is not seen. */
  addInvisible(at: number): void {
    this.#bound(at);
  }

  /** A place where a card may end and another may begin, without a byte of its own. */
  addBoundary(): void {
    this.#long?.end();
    if (this.#state === 'digit') this.#findPans();
    if (this.#state !== 'idle') this.#state = 'separator';
    this.#separator = 'gap';
  }

  /** What comes next belongs to no card that started here. */
  end(): void {
    if (this.#state === 'idle') return;
    if (this.#state === 'digit') this.#findPans();
    this.#findTightPan();
    this.discard();
  }

  /** The first byte of a PAN that ends with the last digit, if nothing stands behind that: of the longest. */
  get panStart(): number | undefined {
    if (this.#state !== 'digit' || this.#count < PAN_MINIMUM_DIGITS) return undefined;
    const first = this.#groups.find((_, group) => this.#isPanFrom(group));
    return first === undefined ? undefined : this.#starts[first];
  }

  /** The same as `end`, but what stands here is part of something else: nothing of it is reported. */
  discard(): void {
    this.#long?.end();
    this.#state = 'idle';
    this.#count = 0;
    this.#groups = [];
    this.#separators = [];
    this.#truncated = false;
    this.#released = false;
  }

  /** Takes over what the other run has come to. */
  copy(other: DigitRun): void {
    this.#state = other.#state;
    this.#count = other.#count;
    this.#digits.set(other.#digits);
    this.#starts.set(other.#starts);
    this.#ends.set(other.#ends);
    this.#groups = [...other.#groups];
    this.#separators = [...other.#separators];
    this.#separator = other.#separator;
    this.#truncated = other.#truncated;
    this.#released = other.#released;
    this.#releasedTo = other.#releasedTo;
    if (other.#long !== undefined) this.#long?.copy(other.#long);
  }

  /**
   * All that has come in is about to be emitted, up to the index `to`. From here on the run is not open: its digits are
   * emitted as they come in, hidden as long as they may be part of a PAN and are not among its first.
   */
  release(to: number): void {
    this.#releasedTo = to;
    if (this.#state === 'idle' || this.#released) return;
    this.#released = true;
    this.#expose(0);
    this.#long?.release();
  }

  /** Whether a digit that comes next is hidden though nothing is known to be a PAN. */
  get hidesNext(): boolean {
    return this.#released && (this.#count >= this.#firstExposed || this.#long?.hidesNext === true);
  }

  /** The first byte that can still be part of a PAN that is not complete yet, if there is one. */
  openFrom(): number | undefined {
    if (this.#released) return undefined;
    const first = this.#firstOpen;
    const open = first === undefined ? undefined : this.#starts[first];
    const inside = this.#long?.openFrom();
    return open === undefined || inside === undefined ? (open ?? inside) : Math.min(open, inside);
  }

  /** All positions move: the window's index 0 is now `bytes` further on. */
  rebase(bytes: number): void {
    for (let digit = 0; digit < this.#count; digit++) {
      this.#starts[digit] = (this.#starts[digit] as number) - bytes;
      this.#ends[digit] = (this.#ends[digit] as number) - bytes;
    }
    this.#releasedTo -= bytes;
    this.#long?.rebase(bytes);
  }

  /** Ends the run before what is at `at`, if it is too long. */
  #bound(at: number): void {
    if (this.#count > 0 && at - (this.#starts[0] as number) > RUN_MAXIMUM_BYTES) this.end();
    this.#long?.bound(at);
  }

  /** The number of the first digit of a PAN that is not complete yet. */
  get #firstOpen(): number | undefined {
    if (this.#state === 'overlong') return undefined;
    return this.#groups.find((_, group) => this.#isOpen(group));
  }

  get #firstExposed(): number {
    return (this.#firstOpen ?? Number.POSITIVE_INFINITY) + this.#leadingShown;
  }

  /** Has the digits from number `from` on hidden that show too much. */
  #expose(from: number): void {
    for (let digit = Math.max(from, this.#firstExposed); digit < this.#count; digit++) {
      this.#onExposed(this.#positionOf(digit));
    }
  }

  #positionOf(digit: number): DigitPosition {
    return {start: this.#starts[digit] as number, end: this.#ends[digit] as number};
  }

  #isOpen(group: number): boolean {
    const first = this.#groups[group] as number;
    const digits = this.#count - first;
    const sizes = this.#sizesFrom(group);
    const separated = this.#state === 'separator';
    const separators = this.#separators.slice(group + 1);
    if (sizes.length > 1 && isTight(sizes[0] as number)) {
      if (group > 0 || this.#truncated) return false;
      // All that stands there is a card, if nothing follows.
      if (separated && isCardGrouping(sizes, separators) && isPan(this.#digits, 0, digits)) return true;
    }
    if (separated) separators.push(this.#separator);
    if (!mayBeSeparatedBy(sizes, separators)) return false;
    const complete = separated ? sizes : sizes.slice(0, -1);
    const next = separated ? 1 : (sizes.at(-1) as number);
    if (next > longestNextGroup(complete)) return false;
    // A row that ends with a separator is decided upon: only a longer one is open.
    return mayBecomePan(this.#digits, first, digits, separated ? digits + 1 : digits);
  }

  /** Forgets the oldest group. Where that is the only one, the group is overlong and false is given. */
  #dropFirstGroup(): boolean {
    this.#truncated = true;
    if (this.#groups.length > 1) {
      this.#keepFrom(1);
      return true;
    }
    this.#state = 'overlong';
    this.#count = 0;
    this.#groups = [];
    this.#separators = [];
    return false;
  }

  /** Dots and other separators make no row together: what is before the last group has ended. */
  #restart(): void {
    this.#findTightPan();
    this.#keepFrom(this.#groups.length - 1);
    this.#truncated = false;
  }

  #keepFrom(group: number): void {
    const dropped = this.#groups[group] as number;
    for (const kept of [this.#digits, this.#starts, this.#ends]) kept.copyWithin(0, dropped);
    this.#groups = this.#groups.slice(group).map((first) => first - dropped);
    this.#separators = this.#separators.slice(group);
    this.#count -= dropped;
  }

  #findPans(): void {
    if (this.#count < PAN_MINIMUM_DIGITS) return;
    for (const [group, first] of this.#groups.entries()) {
      if (this.#count - first < PAN_MINIMUM_DIGITS) return;
      if (this.#isPanFrom(group)) this.#report(first);
    }
  }

  /** Whether the groups from this one on are a PAN. */
  #isPanFrom(group: number): boolean {
    const first = this.#groups[group] as number;
    if (!isPan(this.#digits, first, this.#count - first)) return false;
    const sizes = this.#sizesFrom(group);
    if (sizes.length > 1 && isTight(sizes[0] as number)) return false;
    return isCardGrouping(sizes, this.#separators.slice(group + 1));
  }

  #findTightPan(): void {
    if (this.#truncated || this.#groups.length < 2 || !isPan(this.#digits, 0, this.#count)) return;
    const sizes = this.#sizesFrom(0);
    if (isTight(sizes[0] as number) && isCardGrouping(sizes, this.#separators.slice(1))) this.#report(0);
  }

  #sizesFrom(group: number): number[] {
    const starts = this.#groups.slice(group);
    return starts.map((first, index) => (starts[index + 1] ?? this.#count) - first);
  }

  #report(first: number): void {
    const hidden: DigitPosition[] = [];
    const {from, to} = hiddenDigits(this.#show, this.#count - first);
    // Of a released run all is hidden that can be.
    const last = this.#released ? first : first + to;
    for (let digit = first + from; digit < last; digit++) hidden.push(this.#positionOf(digit));
    const [start, end] = [this.#starts[first] as number, this.#ends[this.#count - 1] as number];
    this.#onPan({start, end, hidden, inLongRun: false});
  }
}
