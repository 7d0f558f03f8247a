import {since, sumOf} from '../../core/mask/counts.ts';
import {createMasker} from '../../core/mask/createmasker.ts';
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
  readonly #idle = new Map<string, Masker[]>();

  /** @param base64 also look into words of base64, as the values of Secrets are */
  take(mediaType: MaskMediaType, plan: MaskPlan, base64: boolean): ResponseMasker {
    const kind = `${mediaType}${base64 ? '+base64' : ''} ${plan.key}`;
    let idle = this.#idle.get(kind);
    if (idle === undefined) {
      if (this.#idle.size >= kindsAtMost) this.#idle.clear();
      idle = [];
      this.#idle.set(kind, idle);
    }
    return new ResponseMasker(idle.pop() ?? createMasker({mediaType, plan, base64}), idle);
  }
}

/** A masker for one response. */
export class ResponseMasker implements BodyReader, MaskedSoFar {
  readonly #idle: Masker[];
  #masker: Masker | undefined;
  readonly #before: Readonly<MaskCounts>;
  #total: Readonly<MaskCounts> = {PAN: 0};
  /** Until then the names are those of the stream before. */
  #hasBegun = false;

  constructor(masker: Masker, idle: Masker[]) {
    this.#masker = masker;
    this.#idle = idle;
    this.#before = sumOf([masker.counts]);
  }

  get counts(): Readonly<MaskCounts> {
    if (this.#masker === undefined || !this.#hasBegun) return this.#total;
    return since(this.#before, this.#masker.counts);
  }

  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#hasBegun = true;
    this.#masker?.push(chunk, emit);
  }

  end(emit: (bytes: Buffer) => void): void {
    const masker = this.#masker;
    if (masker === undefined) return;
    masker.end(emit);
    this.#total = since(this.#before, masker.counts);
    this.#masker = undefined;
    if (this.#idle.length < idleAtMost) this.#idle.push(masker);
  }
}
