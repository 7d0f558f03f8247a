import {Base64Masker} from './base64masker.ts';
import {CardMasker, type CardMaskerOptions} from './cardmasker.ts';
import {mayHaveDigits} from './characters.ts';
import {CODE_MINIMUM_DIGITS} from './codemasker.ts';
import {foundIn} from './counts.ts';
import {MaskError} from './error.ts';
import {FieldMasker} from './fieldmasker.ts';
import type {Masker, MaskMediaType} from './masker.ts';
import type {MaskPlan} from './plan.ts';
import {RegexMasker} from './regexmasker.ts';
import {type Stage, StagedMasker} from './stagedmasker.ts';
import {unsupported} from './supported.ts';

export interface MaskerOptions {
  readonly mediaType: MaskMediaType;
  /** What is hidden; without one card numbers are, but for the last four digits, tracks and verification codes. */
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
  if (plan === undefined) return cardMasker(mediaType, base64, {pan: true, tracks: true, codes: true});
  const {pan, trackData, cardVerificationCode, regexes, fields, decodeBase64, exemptFields} = plan;
  const stages: Stage[] = [];
  // What is hidden whatever it holds comes first. Text has no members.
  if (fields.length > 0 && mediaType === 'json') stages.push(new FieldMasker(fields, {isSecret: base64}));
  // Cards before patterns: of a card whose first digits a pattern has hidden, too many others would be shown.
  const hasCards = pan !== undefined || trackData || cardVerificationCode;
  const options = {pan: pan !== undefined, tracks: trackData, codes: cardVerificationCode};
  const cards = hasCards ? cardMasker(mediaType, base64 || decodeBase64, options) : undefined;
  if (cards !== undefined) stages.push(cards);
  if (regexes.length > 0) {
    const exempt = exemptFields.filter(({detectors}) => detectors.includes('Regex')).map(({path}) => path);
    stages.push(new RegexMasker(mediaType, regexes, exempt));
  }
  return cards !== undefined && stages.length === 1 ? cards : new StagedMasker(stages);
}

function cardMasker(mediaType: MaskMediaType, base64: boolean, options: CardMaskerOptions): Masker {
  const masker = new CardMasker(mediaType, options);
  return base64 ? new Base64Masker(masker, mediaType, options) : masker;
}

/** Masks a string at hand, for example a field of an audit event or a preview. It is read as text, not as JSON. */
export function maskText(text: string): string {
  if (!mayHaveDigits(text, CODE_MINIMUM_DIGITS)) return text;
  const masker = createMasker({mediaType: 'text'});
  const masked: Buffer[] = [];
  const emit = (bytes: Buffer): void => {
    masked.push(bytes);
  };
  masker.push(Buffer.from(text), emit);
  masker.end(emit);
  return foundIn(masker.counts) === 0 ? text : Buffer.concat(masked).toString();
}
