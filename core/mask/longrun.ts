import type {DigitPosition, PanFound} from './digitrun.ts';
import {mayBecomePan, PAN_MAXIMUM_DIGITS, PAN_MINIMUM_DIGITS, PAN_PREFIX_DIGITS, panLengths} from './pan.ts';
import type {PanShow} from './plan.ts';
import {hiddenDigits, leadingDigitsShown} from './show.ts';

/** Digits that can be part of a PAN that ends with the next one; an even number, for the sums. */
const KEPT_DIGITS = 20;
const CAPACITY_DIGITS = 64;

/** Bytes beyond which digits are too far apart to be of one card, as of a DigitRun. */
const REACH_BYTES = 512;

/** A PAN that is found before it is known that its group is longer than any card. */
interface Undecided {
  readonly first: number;
  readonly length: number;
}

/**
 * The PANs inside one group of digits, at whatever digit they begin, where the group is longer than any card. They
 * overlap, and by chance there are many: a digit stays only where each PAN that it is part of lets it stay, so that of
 * none more is to be seen than of one that stands alone. All that is asked at each digit is what eight lengths ask, so
 * the time is linear.
 */
export class LongRun {
  /** Digits kept, of which the last is the last that came. */
  #count = 0;
  #isLong = false;
  readonly #digits = new Uint8Array(CAPACITY_DIGITS);
  readonly #starts = new Int32Array(CAPACITY_DIGITS);
  readonly #ends = new Int32Array(CAPACITY_DIGITS);
  /** The lengths of PANs that begin with this digit, as bits; known seven digits later. */
  readonly #lengths = new Int32Array(CAPACITY_DIGITS);
  /** Luhn's sums, modulo ten, of all before this digit: those of odd or of even number doubled. */
  readonly #evenDoubled = new Uint8Array(CAPACITY_DIGITS + 1);
  readonly #oddDoubled = new Uint8Array(CAPACITY_DIGITS + 1);
  #undecided: Undecided[] = [];
  #isReleased = false;
  /** In a released group: the digit after the last PAN that was counted. */
  #countedTo = 0;
  readonly #show: PanShow;
  readonly #leadingShown: number;
  readonly #onPan: (pan: PanFound) => void;
  readonly #onExposed: (digit: DigitPosition) => void;

  /** @param onPan as of a DigitRun @param onExposed as of a DigitRun */
  constructor(show: PanShow, onPan: (pan: PanFound) => void, onExposed: (digit: DigitPosition) => void) {
    this.#show = show;
    this.#leadingShown = leadingDigitsShown(show);
    this.#onPan = onPan;
    this.#onExposed = onExposed;
  }

  /** As of a DigitRun. @param released whether the digit is emitted as it comes in */
  addDigit(value: number, start: number, end: number, released: boolean): void {
    this.bound(start);
    if (this.#count === CAPACITY_DIGITS) this.#forget();
    const at = this.#count++;
    this.#digits[at] = value;
    this.#starts[at] = start;
    this.#ends[at] = end;
    const doubled = value < 5 ? 2 * value : 2 * value - 9;
    const isEven = at % 2 === 0;
    this.#evenDoubled[at + 1] = ((this.#evenDoubled[at] as number) + (isEven ? doubled : value)) % 10;
    this.#oddDoubled[at + 1] = ((this.#oddDoubled[at] as number) + (isEven ? value : doubled)) % 10;
    const first = this.#count - PAN_PREFIX_DIGITS;
    if (first >= 0) this.#lengths[first] = panLengths(this.#digits, first);
    this.#isReleased ||= released;
    if (this.#isReleased && this.#mayBeginBefore(at, this.#count, this.#count)) this.#onExposed(this.#positionOf(at));
    if (!this.#isLong && this.#count > PAN_MAXIMUM_DIGITS) this.#decide();
    this.#find();
  }

  /** Something at this index is no digit, but does not end the group either. */
  bound(at: number): void {
    if (this.#count === 0) return;
    const oldest = Math.max(0, this.#count - PAN_MAXIMUM_DIGITS);
    if (at - (this.#starts[oldest] as number) > REACH_BYTES) this.#clear();
  }

  /** The group has ended, or is of no interest. */
  end(): void {
    this.#clear();
    this.#isLong = false;
    this.#isReleased = false;
  }

  /** As of a DigitRun: what has come in is about to be emitted. */
  release(): void {
    this.#isReleased = true;
    for (let digit = Math.max(0, this.#count - PAN_MAXIMUM_DIGITS); digit < this.#count; digit++) {
      const isFound = this.#undecided.some(
        ({first, length}) => digit >= first + this.#leadingShown && digit < first + length,
      );
      if (isFound || this.#mayBeginBefore(digit, this.#count, this.#count + 1))
        this.#onExposed(this.#positionOf(digit));
    }
    this.#countedTo = 0;
  }

  /** Whether a digit that comes next is hidden though nothing is known to be a PAN. */
  get hidesNext(): boolean {
    return this.#isReleased && this.#mayBeginBefore(this.#count, this.#count, this.#count + 1);
  }

  /** The first byte that can still be part of a PAN that is not complete, or is not known to be one. */
  openFrom(): number | undefined {
    let open = this.#undecided.reduce((least, {first}) => Math.min(least, first), this.#count);
    for (let first = Math.max(0, this.#count - PAN_MAXIMUM_DIGITS); first < open; first++) {
      if (this.#mayBeFrom(first, this.#count, this.#count - first + 1)) open = first;
    }
    return open === this.#count ? undefined : this.#starts[open];
  }

  rebase(bytes: number): void {
    for (let digit = Math.max(0, this.#count - KEPT_DIGITS); digit < this.#count; digit++) {
      this.#starts[digit] = (this.#starts[digit] as number) - bytes;
      this.#ends[digit] = (this.#ends[digit] as number) - bytes;
    }
  }

  /** Takes over what the other has come to. */
  copy(other: LongRun): void {
    this.#count = other.#count;
    this.#isLong = other.#isLong;
    this.#digits.set(other.#digits);
    this.#starts.set(other.#starts);
    this.#ends.set(other.#ends);
    this.#lengths.set(other.#lengths);
    this.#evenDoubled.set(other.#evenDoubled);
    this.#oddDoubled.set(other.#oddDoubled);
    this.#undecided = [...other.#undecided];
    this.#isReleased = other.#isReleased;
    this.#countedTo = other.#countedTo;
  }

  #clear(): void {
    this.#count = 0;
    this.#countedTo = 0;
    this.#evenDoubled[0] = 0;
    this.#oddDoubled[0] = 0;
    this.#undecided = [];
  }

  #forget(): void {
    const dropped = this.#count - KEPT_DIGITS;
    for (const kept of [this.#digits, this.#starts, this.#ends, this.#lengths]) kept.copyWithin(0, dropped);
    this.#evenDoubled.copyWithin(0, dropped);
    this.#oddDoubled.copyWithin(0, dropped);
    this.#countedTo = Math.max(0, this.#countedTo - dropped);
    this.#count = KEPT_DIGITS;
  }

  /** The group is longer than any card. */
  #decide(): void {
    this.#isLong = true;
    for (const {first, length} of this.#undecided) this.#report(first, length);
    this.#undecided = [];
  }

  /** The PANs that end with the last digit. */
  #find(): void {
    const end = this.#count;
    // The last digit is not doubled, nor is any other whose number is odd or even as its is.
    const sums = end % 2 === 0 ? this.#evenDoubled : this.#oddDoubled;
    const longest = Math.min(PAN_MAXIMUM_DIGITS, end);
    for (let length = longest; length >= PAN_MINIMUM_DIGITS; length--) {
      const first = end - length;
      if ((((this.#lengths[first] as number) >> length) & 1) === 0 || sums[first] !== sums[end]) continue;
      if (this.#isLong) this.#report(first, length);
      else this.#undecided.push({first, length});
    }
  }

  #report(first: number, length: number): void {
    const hidden: DigitPosition[] = [];
    const end = first + length;
    if (this.#isReleased) {
      // What there is to hide was hidden as it came in; of some that overlap one is counted.
      if (first < this.#countedTo) return;
      this.#countedTo = end;
    } else {
      const {from, to} = hiddenDigits(this.#show, length);
      for (let digit = first + from; digit < first + to; digit++) hidden.push(this.#positionOf(digit));
    }
    const start = this.#starts[first] as number;
    this.#onPan({start, end: this.#ends[end - 1] as number, hidden, inLongRun: true});
  }

  /**
   * Whether a PAN may have begun so long before this digit that it is hidden where the group is released.
   *
   * @param end before which it does not end, as far as the first `count` digits say
   */
  #mayBeginBefore(digit: number, count: number, end: number): boolean {
    for (let first = Math.max(0, end - PAN_MAXIMUM_DIGITS); first <= digit - this.#leadingShown; first++) {
      if (this.#mayBeFrom(first, count, end - first)) return true;
    }
    return false;
  }

  /** Whether a PAN of so many digits or more can begin here, as far as the first `count` digits say. */
  #mayBeFrom(first: number, count: number, atLeast: number): boolean {
    if (count - first < PAN_PREFIX_DIGITS) return mayBecomePan(this.#digits, first, count - first, atLeast);
    return (this.#lengths[first] as number) >> atLeast !== 0;
  }

  #positionOf(digit: number): DigitPosition {
    return {start: this.#starts[digit] as number, end: this.#ends[digit] as number};
  }
}
