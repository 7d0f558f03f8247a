import type {Meaning, Separator} from './characters.ts';
import {type DigitPosition, DigitRun, type PanFound} from './digitrun.ts';
import type {PanPlan} from './plan.ts';
import type {Decoded} from './unit.ts';

/**
 * The digits of the stream, read in both ways that there are where something may be decoded: as it stands and decoded.
 * In `%34111...` the percent sign and two digits are one digit; in `LIKE '%371...` they are a percent sign and the
 * first digits of a number; in `%224111...` and in `%B4111...` only one of the ways shows the number. Where nothing is
 * decoded both are the same, and only the first is followed.
 */
export class Readings {
  readonly #literal: DigitRun;
  readonly #decoded: DigitRun;
  /** Whether the readings may differ. */
  #differ = false;
  /** Up to this index the stream is read decoded. */
  #decodedTo = 0;

  /**
   * @param onPan as of a DigitRun; the same PAN may be reported once for each reading
   * @param onExposed as of a DigitRun
   */
  constructor(plan: PanPlan, onPan: (pan: PanFound) => void, onExposed: (digit: DigitPosition) => void) {
    this.#literal = new DigitRun(plan, onPan, onExposed);
    this.#decoded = new DigitRun(plan, onPan, onExposed);
  }

  /** Whether no card has begun before this index, nor something of which a part is behind it. */
  isIdleAt(at: number): boolean {
    return this.#literal.idle && this.#decoded.idle && at >= this.#decodedTo;
  }

  get hidesNext(): boolean {
    return this.#literal.hidesNext || this.#decoded.hidesNext;
  }

  addDigit(value: number, start: number, end: number): void {
    this.#literal.addDigit(value, start, end);
    if (this.#isDecodedAt(start)) this.#decoded.addDigit(value, start, end);
  }

  addSeparator(separator: Separator, at: number): void {
    this.#literal.addSeparator(separator, at);
    if (this.#isDecodedAt(at)) this.#decoded.addSeparator(separator, at);
  }

  add(meaning: Meaning, at: number, length: number): void {
    switch (meaning.kind) {
      case 'digit':
        this.addDigit(meaning.value, at, at + length);
        return;
      case 'separator':
        this.addSeparator(meaning.separator, at);
        return;
      case 'invisible':
        this.#literal.addInvisible(at);
        if (this.#isDecodedAt(at)) this.#decoded.addInvisible(at);
        return;
      case 'other':
        this.end(at);
    }
  }

  /** What stands at this index when it is decoded; is told before it is told as it stands. */
  addDecoded({meaning, length}: Decoded, at: number): void {
    if (at < this.#decodedTo) return;
    const run = this.#decoded;
    if (!this.#differ) run.copy(this.#literal);
    this.#differ = true;
    this.#decodedTo = at + length;
    switch (meaning.kind) {
      case 'digit':
        run.addDigit(meaning.value, at, at + length);
        return;
      case 'separator':
        run.addSeparator(meaning.separator, at);
        return;
      case 'invisible':
        run.addInvisible(at);
        return;
      case 'other':
        run.end();
    }
  }

  addBoundary(at: number): void {
    this.#literal.addBoundary();
    if (this.#isDecodedAt(at)) this.#decoded.addBoundary();
  }

  /** What is at this index is part of no card. */
  end(at: number): void {
    this.#literal.end();
    if (!this.#isDecodedAt(at)) return;
    this.#decoded.end();
    this.#differ = false;
  }

  /** The stream has ended. */
  endAll(): void {
    this.#literal.end();
    this.#decoded.end();
    this.#differ = false;
    this.#decodedTo = 0;
  }

  /** The first byte of a PAN that ends before this index, if nothing stands between. */
  panStart(at: number): number | undefined {
    return this.#literal.panStart ?? (this.#isDecodedAt(at) ? this.#decoded.panStart : undefined);
  }

  /** What has come in is part of no card, but of something else. */
  discard(): void {
    this.#literal.discard();
    this.#decoded.discard();
    this.#differ = false;
  }

  /** @param to as of a DigitRun */
  release(to: number): void {
    this.#literal.release(to);
    this.#decoded.release(to);
  }

  openFrom(): number | undefined {
    const literal = this.#literal.openFrom();
    const decoded = this.#decoded.openFrom();
    if (literal === undefined || decoded === undefined) return literal ?? decoded;
    return Math.min(literal, decoded);
  }

  rebase(bytes: number): void {
    this.#literal.rebase(bytes);
    this.#decoded.rebase(bytes);
    this.#decodedTo -= bytes;
  }

  #isDecodedAt(at: number): boolean {
    return this.#differ && at >= this.#decodedTo;
  }
}
