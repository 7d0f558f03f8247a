import {maskedValues} from '../../core/mask/counts.ts';
import {createMasker} from '../../core/mask/createmasker.ts';
import type {MaskMediaType} from '../../core/mask/masker.ts';
import type {Obligations} from '../../core/policy/decision.ts';
import type {Operation} from '../../core/request/operation.ts';

/** What the agent would be given of an answer, or why it would be given nothing. */
export type Answer =
  | {readonly body: string; readonly counts: Readonly<Record<string, number>>}
  | {readonly refused: string};

/** Masks an answer as the policies that apply ask. */
export function answerTo(operation: Operation, obligations: Obligations, contentType: string, body: string): Answer {
  const {masking: plan, maskingRefusal} = obligations;
  if (maskingRefusal !== undefined) return {refused: maskingRefusal};
  if (plan === undefined) return {body, counts: {}};
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === undefined) return {refused: `an answer of the media type ${contentType} cannot be masked`};
  const isSecret = operation.resource === 'secrets' && operation.apiGroup === '';
  const masker = createMasker({mediaType, plan, base64: isSecret});
  const masked: Buffer[] = [];
  const emit = (bytes: Buffer): void => {
    masked.push(bytes);
  };
  masker.push(Buffer.from(body), emit);
  masker.end(emit);
  return {body: Buffer.concat(masked).toString(), counts: {...maskedValues(masker.counts)}};
}

/** What the proxy reads; it asks the API server for nothing else. */
function mediaTypeOf(contentType: string): MaskMediaType | undefined {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/json' || (type.startsWith('application/') && type.endsWith('+json'))) return 'json';
  return type.startsWith('text/') ? 'text' : undefined;
}
