import {MaskError} from './error.ts';
import {type Place, placeOfDocuments} from './jsonplace.ts';
import {type JsonSink, JsonStream} from './jsonstream.ts';
import type {Detector, FieldExemption} from './plan.ts';
import type {Stage} from './stagedmasker.ts';

const BITS: Readonly<Record<Detector, number>> = {PAN: 1, TrackData: 2, CardVerificationCode: 4, Regex: 8};

/** Bytes before those that are held back with which what is found in them may begin: of a card the first digits. */
const BEFORE_HELD_BYTES = 4096;

const NO_BYTES = Buffer.alloc(0);

/**
 * Knows where in a stream of JSON the members stand that detectors leave alone, for detectors behind it, which keep the
 * number of bytes. It passes on what it has read, and reads each byte before any of them does; so they can ask about
 * whatever they hold. No candidate stands in two members, as none goes on behind a quote, a comma or a brace of JSON.
 *
 * Held back is but a number or an escape that is incomplete, up to 1 KiB.
 */
export class ExemptPlaces implements Stage {
  readonly counts = {};
  readonly #exempt: Exempt;
  readonly #stream: JsonStream;
  /** Bytes that the detectors hold back, about which they may still ask. */
  readonly #bytesHeldBehind: () => number;
  #carried: Buffer = NO_BYTES;
  #isBusy = false;
  #hasEnded = false;

  constructor(exemptions: readonly FieldExemption[], bytesHeldBehind: () => number) {
    const paths = exemptions.map(({path, detectors}) => ({
      path,
      marks: detectors.reduce((marks, detector) => marks | BITS[detector], 0),
    }));
    this.#exempt = new Exempt();
    this.#stream = new JsonStream(placeOfDocuments(paths), this.#exempt);
    this.#bytesHeldBehind = bytesHeldBehind;
  }

  get heldBytes(): number {
    return this.#carried.length;
  }

  /** Whether the byte at this offset of the stream is in a member that the detector leaves alone. */
  leaves(detector: Detector, offset: number): boolean {
    return (this.#exempt.marksAt(offset) & BITS[detector]) !== 0;
  }

  /** @throws {MaskError} for what is no JSON */
  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#advance(this.#carried.length === 0 ? chunk : Buffer.concat([this.#carried, chunk]), false, emit);
  }

  /** JSON stays held. */
  flush(): void {}

  /** What is behind ends later, and may ask until then. */
  end(emit: (bytes: Buffer) => void): void {
    this.#advance(this.#carried, true, emit);
    this.#hasEnded = true;
  }

  #advance(bytes: Buffer, final: boolean, emit: (bytes: Buffer) => void): void {
    if (this.#isBusy) throw new MaskError('UsedAfterFailure', 'masking failed on this stream before');
    this.#isBusy = true;
    if (this.#hasEnded) this.#exempt.reset();
    this.#hasEnded = false;
    this.#exempt.forgetBefore(this.#exempt.offset - this.#bytesHeldBehind() - BEFORE_HELD_BYTES);
    const taken = this.#stream.push(bytes, final);
    this.#exempt.offset += taken;
    this.#carried = taken === bytes.length ? NO_BYTES : Buffer.from(bytes.subarray(taken));
    if (taken > 0) emit(taken === bytes.length ? bytes : bytes.subarray(0, taken));
    this.#isBusy = false;
  }
}

/** What is exempt from which offset on. */
class Exempt implements JsonSink {
  /** Of the bytes at hand in the stream. */
  offset = 0;
  /** Where it changes, in order, and to what. */
  #changes: {readonly from: number; readonly marks: number}[] = [];
  #depth = 0;
  #marks = 0;
  /** The values that are exempt around what comes next, and what was so outside of them. */
  readonly #around: {readonly depth: number; readonly outside: number}[] = [];

  marksAt(offset: number): number {
    return this.#changes[this.#lastChange(offset)]?.marks ?? 0;
  }

  forgetBefore(offset: number): void {
    const last = this.#lastChange(offset);
    if (last > 0) this.#changes.splice(0, last);
  }

  reset(): void {
    this.offset = 0;
    this.#changes = [];
  }

  beginValue(at: number, {marks}: Place): void {
    if ((marks & ~this.#marks) === 0) return;
    this.#around.push({depth: this.#depth, outside: this.#marks});
    this.#change(at, this.#marks | marks);
  }

  endValue(at: number): void {
    const innermost = this.#around.at(-1);
    if (innermost?.depth !== this.#depth) return;
    this.#around.pop();
    this.#change(at, innermost.outside);
  }

  open(): void {
    this.#depth++;
  }

  close(): void {
    this.#depth--;
  }

  member(): void {}

  comma(): void {}

  string(_from: number, to: number): number {
    return to;
  }

  name(): void {}

  scalar(): void {}

  #change(at: number, marks: number): void {
    this.#marks = marks;
    this.#changes.push({from: this.offset + at, marks});
  }

  /** The index of the last change at this offset or before it, -1 if there is none. */
  #lastChange(offset: number): number {
    let low = 0;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#changes[middle]?.from as number) <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
