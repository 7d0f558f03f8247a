import {createMasker} from '../../core/mask/createmasker.ts';
import type {MaskCounts, Masker, MaskMediaType} from '../../core/mask/masker.ts';
import type {BodyReader} from '../forward/relay.ts';

const idleAtMost = 64;

/**
 * Gives out maskers and takes back those whose stream ended well. A masker owns buffers outside of the heap, which cost
 * more to make and collect than masking a small response does.
 */
export class Maskers {
  readonly #idle = new Map<string, Masker[]>();

  /** @param base64 also look into words of base64, as the values of Secrets are */
  take(mediaType: MaskMediaType, base64: boolean): ResponseMasker {
    const kind = base64 ? `${mediaType}+base64` : mediaType;
    let idle = this.#idle.get(kind);
    if (idle === undefined) {
      idle = [];
      this.#idle.set(kind, idle);
    }
    return new ResponseMasker(idle.pop() ?? createMasker({mediaType, base64}), idle);
  }
}

/** A masker for one response. */
export class ResponseMasker implements BodyReader, Readonly<MaskCounts> {
  readonly #idle: Masker[];
  #masker: Masker | undefined;
  readonly #before: number;
  #pan = 0;

  constructor(masker: Masker, idle: Masker[]) {
    this.#masker = masker;
    this.#idle = idle;
    this.#before = masker.counts.PAN;
  }

  /** How many card numbers were masked in this response so far. */
  get PAN(): number {
    return this.#masker === undefined ? this.#pan : this.#masker.counts.PAN - this.#before;
  }

  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#masker?.push(chunk, emit);
  }

  end(emit: (bytes: Buffer) => void): void {
    const masker = this.#masker;
    if (masker === undefined) return;
    masker.end(emit);
    this.#pan = masker.counts.PAN - this.#before;
    this.#masker = undefined;
    if (this.#idle.length < idleAtMost) this.#idle.push(masker);
  }
}
