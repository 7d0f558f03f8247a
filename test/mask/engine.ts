import {compileMasking, type MaskingSource, unitePlan} from '../../core/mask/compileplan.ts';
import {maskedValues} from '../../core/mask/counts.ts';
import {createMasker} from '../../core/mask/createmasker.ts';
import {MaskError} from '../../core/mask/error.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import type {DocumentKind} from './places.ts';

export interface Masked {
  readonly bytes: Buffer;
  /** How many values were masked, whatever they were. */
  readonly count: number;
}

/** What policy says of card numbers. */
export type CardOptions = Pick<MaskingSource, 'show' | 'longDigitRuns'>;

/** All that finds something wherever it stands. */
function planOf(decodeBase64: boolean, cards: CardOptions = {}): MaskPlan {
  const decode = decodeBase64 ? {decode: ['Base64']} : {};
  const parts = [
    compileMasking({detector: 'PAN', ...cards, ...decode}),
    ...['TrackData', 'CardVerificationCode'].map((detector) => compileMasking({detector, ...decode})),
  ];
  return unitePlan(parts.map((part) => ({part, exempt: []}))) as MaskPlan;
}

const plan = planOf(false);
const planWithBase64 = planOf(true);

/** The same, or the code of the error by which the engine refuses the document. */
export function maskOrRefuse(
  kind: DocumentKind,
  document: Buffer,
  cuts: readonly number[] = [],
  cards?: CardOptions,
): Masked | string {
  try {
    return mask(kind, document, cuts, cards);
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
export function mask(kind: DocumentKind, document: Buffer, cuts: readonly number[] = [], cards?: CardOptions): Masked {
  const usual = kind.decodeBase64 ? planWithBase64 : plan;
  const masker = createMasker({
    mediaType: kind.mediaType,
    plan: cards === undefined ? usual : planOf(kind.decodeBase64 === true, cards),
    base64: kind.secret === true,
  });
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
  const counts = Object.values(maskedValues(masker.counts));
  return {bytes: Buffer.concat(out), count: counts.reduce((sum, count) => sum + count, 0)};
}
