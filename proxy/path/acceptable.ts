import type {MaskPlan} from '../../core/mask/plan.ts';
import type {Obligations} from '../../core/policy/decision.ts';
import type {Operation} from '../../core/request/operation.ts';
import {withoutTables} from '../forward/negotiate.ts';
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
  operation: Operation,
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
  const asked = cellsMayShow(masking, operation) ? withoutTables(readable) : readable;
  if (asked === undefined) {
    const message =
      'members of the object are hidden, and a table could show them in its cells; accept application/json';
    throw new Refusal('NotAcceptable', 406, message);
  }
  return asked;
}

/** The API server itself makes the tables of these, and shows no member of these names in them. */
const builtInGroups: ReadonlySet<string> = new Set(['', 'apps', 'batch']);
const neverInCells: ReadonlySet<string> = new Set(['data', 'stringData', 'binaryData', 'env']);

/** Whether a Table may hold a copy of a hidden member, where nobody can tell it from what else is in its cells. */
function cellsMayShow({fields}: MaskPlan, {apiGroup}: Operation): boolean {
  if (fields.length === 0) return false;
  return !builtInGroups.has(apiGroup) || !fields.every(({path}) => path.some((segment) => neverInCells.has(segment)));
}
