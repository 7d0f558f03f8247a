import {Base64Masker} from './base64masker.ts';
import {mayHaveDigits} from './characters.ts';
import type {Masker, MaskMediaType} from './masker.ts';
import {PAN_MINIMUM_DIGITS} from './pan.ts';
import {PanMasker} from './panmasker.ts';

export interface MaskerOptions {
  readonly mediaType: MaskMediaType;
  /** Also look into words of base64, as the values of a Secret's `data` are. */
  readonly base64?: boolean;
}

/** A masker for one stream of bytes in UTF-8. */
export function createMasker({mediaType, base64 = false}: MaskerOptions): Masker {
  const masker = new PanMasker(mediaType);
  return base64 ? new Base64Masker(masker, mediaType) : masker;
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
