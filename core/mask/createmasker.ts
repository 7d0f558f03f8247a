import {Base64Masker} from './base64masker.ts';
import {mayHaveDigits} from './characters.ts';
import {MaskError} from './error.ts';
import type {Masker, MaskMediaType} from './masker.ts';
import {PAN_MINIMUM_DIGITS} from './pan.ts';
import {PanMasker} from './panmasker.ts';
import type {MaskPlan} from './plan.ts';
import {unsupported} from './supported.ts';

export interface MaskerOptions {
  readonly mediaType: MaskMediaType;
  /** What is hidden; without one card numbers are, but for the last four digits. */
  readonly plan?: MaskPlan;
  /** Also look into words of base64, as the values of a Secret's `data` are. */
  readonly base64?: boolean;
}

/**
 * A masker for one stream of bytes in UTF-8.
 *
 * @throws {MaskError} where the plan asks for what no masker can do
 */
export function createMasker({mediaType, plan, base64 = false}: MaskerOptions): Masker {
  const lacking = plan && unsupported(plan);
  if (lacking !== undefined) throw new MaskError('NotMaskable', lacking);
  const masker = new PanMasker(mediaType);
  return base64 || plan?.decodeBase64 ? new Base64Masker(masker, mediaType) : masker;
}

/** Masks a string at hand, for example a field of an audit event or a preview. It is read as text, not as JSON. */
export function maskText(text: string): string {
  if (!mayHaveDigits(text, PAN_MINIMUM_DIGITS)) return text;
  const masker = createMasker({mediaType: 'text'});
  const masked: Buffer[] = [];
  const emit = (bytes: Buffer): void => {
    masked.push(bytes);
  };
  masker.push(Buffer.from(text), emit);
  masker.end(emit);
  return masker.counts.PAN === 0 ? text : Buffer.concat(masked).toString();
}
