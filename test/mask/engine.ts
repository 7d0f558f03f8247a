import {createMasker} from '../../core/mask/createmasker.ts';
import {MaskError} from '../../core/mask/error.ts';
import type {DocumentKind} from './places.ts';

export interface Masked {
  readonly bytes: Buffer;
  /** How many values were masked, whatever they were. */
  readonly count: number;
}

/** The same, or the code of the error by which the engine refuses the document. */
export function maskOrRefuse(kind: DocumentKind, document: Buffer, cuts: readonly number[] = []): Masked | string {
  try {
    return mask(kind, document, cuts);
  } catch (error) {
    if (error instanceof MaskError && error.code === 'NotMaskable') return error.message;
    throw error;
  }
}

/**
 * What the engine makes of a document when policy asks for every detector.
 *
 * @param cuts where the bytes are cut into chunks, in ascending order
 */
export function mask(kind: DocumentKind, document: Buffer, cuts: readonly number[] = []): Masked {
  const masker = createMasker({mediaType: kind.mediaType, base64: kind.secret === true || kind.decodeBase64 === true});
  const out: Buffer[] = [];
  const emit = (bytes: Buffer): void => {
    out.push(Buffer.from(bytes));
  };
  let from = 0;
  for (const to of [...cuts, document.length]) {
    // A copy: the chunk is the masker's from here on.
    masker.push(Buffer.from(document.subarray(from, to)), emit);
    from = to;
  }
  masker.end(emit);
  const counts = Object.values(masker.counts).filter((count) => typeof count === 'number');
  return {bytes: Buffer.concat(out), count: counts.reduce((sum, count) => sum + count, 0)};
}
