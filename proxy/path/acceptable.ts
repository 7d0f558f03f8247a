import type {Obligations} from '../../core/policy/decision.ts';
import type {Call} from './call.ts';
import {Refusal} from './refusal.ts';

/**
 * The `Accept` to send upstream so that the answer can be masked as policy asks.
 *
 * @param negotiate from `acceptNegotiator`
 * @throws {Refusal} where no answer that the agent takes can be masked
 */
export function acceptableAnswer(
  {masking, maskingRefusal}: Obligations,
  {request, stream}: Call,
  negotiate: (accept: string | undefined) => string | undefined,
): string | undefined {
  if (maskingRefusal !== undefined) {
    throw new Refusal('MaskingImpossible', 403, `the response could not be masked: ${maskingRefusal}`);
  }
  const {accept} = request.headers;
  // A stream is no answer in a media type; what it carries is masked as text.
  if (masking === undefined || stream !== undefined) return accept;
  const readable = negotiate(accept);
  if (readable === undefined) {
    const message = `only JSON and text can be masked, and the request accepts only ${accept}`;
    throw new Refusal('NotAcceptable', 406, message);
  }
  return readable;
}
