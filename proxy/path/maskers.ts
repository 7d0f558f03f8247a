import {foundIn, nothingMasked, since, sumOf} from '../../core/mask/counts.ts';
import {createMasker} from '../../core/mask/createmasker.ts';
import {DocumentEnd} from '../../core/mask/documentend.ts';
import type {MaskCounts, Masker, MaskMediaType} from '../../core/mask/masker.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import type {BodyReader} from '../forward/relay.ts';
import type {MaskedSoFar} from './call.ts';

const idleAtMost = 64;

/** Past this the plans of policies that are no longer in force are among them. */
const kindsAtMost = 256;

/**
 * Gives out maskers and takes back those whose stream ended well. A masker owns buffers outside of the heap, which cost
 * more to make and collect than masking a small response does.
 */
export class Maskers {
  readonly #idle = new Map<string, Kept[]>();

  /** @param base64 also look into words of base64, as the values of Secrets are */
  take(mediaType: MaskMediaType, plan: MaskPlan, base64: boolean): ResponseMasker {
    const kind = `${mediaType}${base64 ? '+base64' : ''} ${plan.key}`;
    let idle = this.#idle.get(kind);
    if (idle === undefined) {
      if (this.#idle.size >= kindsAtMost) this.#idle.clear();
      idle = [];
      this.#idle.set(kind, idle);
    }
    return new ResponseMasker(idle.pop() ?? keep(createMasker({mediaType, plan, base64})), idle);
  }
}

/** A masker, whose counts go on from stream to stream, and what they were when the last one had ended. */
interface Kept {
  readonly masker: Masker;
  readonly before: Readonly<MaskCounts>;
  readonly foundBefore: number;
}

function keep(masker: Masker): Kept {
  return {masker, before: sumOf([masker.counts]), foundBefore: foundIn(masker.counts)};
}

/** A masker for one response. */
export class ResponseMasker implements BodyReader, MaskedSoFar {
  readonly #idle: Kept[];
  #kept: Kept | undefined;
  #total = nothingMasked;
  /** Until then the names are those of the stream before. */
  #hasBegun = false;

  constructor(kept: Kept, idle: Kept[]) {
    this.#kept = kept;
    this.#idle = idle;
  }

  get counts(): Readonly<MaskCounts> {
    return this.#kept === undefined || !this.#hasBegun ? this.#total : found(this.#kept);
  }

  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#hasBegun = true;
    this.#kept?.masker.push(chunk, emit);
  }

  end(emit: (bytes: Buffer) => void): void {
    const kept = this.#kept;
    if (kept === undefined) return;
    kept.masker.end(emit);
    this.#total = found(kept);
    this.#kept = undefined;
    if (this.#idle.length < idleAtMost) this.#idle.push(this.#total === nothingMasked ? kept : keep(kept.masker));
  }
}

/** What was masked in this stream, which mostly is nothing and then costs nothing. */
function found({masker, before, foundBefore}: Kept): Readonly<MaskCounts> {
  return foundIn(masker.counts) === foundBefore ? nothingMasked : since(before, masker.counts);
}

/**
 * Masks the events of a watch, with a masker only while one is under way: thousands of watches are open on which nothing
 * passes, and a masker for each would take more memory than the rest of them.
 */
export class WatchMasker implements BodyReader, MaskedSoFar {
  readonly #take: () => ResponseMasker;
  readonly #events = new DocumentEnd();
  #masker: ResponseMasker | undefined;
  #before = nothingMasked;

  /** @param take gives a masker for JSON */
  constructor(take: () => ResponseMasker) {
    this.#take = take;
  }

  get counts(): Readonly<MaskCounts> {
    return this.#masker === undefined ? this.#before : sumOf([this.#before, this.#masker.counts]);
  }

  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#masker ??= this.#take();
    // Before it is changed.
    this.#events.push(chunk);
    this.#masker.push(chunk, emit);
    if (this.#events.isBetween) this.end(emit);
  }

  end(emit: (bytes: Buffer) => void): void {
    this.#masker?.end(emit);
    this.#before = this.counts;
    this.#masker = undefined;
  }
}
