import {holdsMaskedWord, type WriteKind, type WrittenBack, writtenBack} from '../../core/mask/maskedbody.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import {mediaTypeOf} from '../../core/request/body.ts';
import type {Operation} from '../../core/request/operation.ts';
import {type ReceivedBody, receiveBody} from './body.ts';
import type {Call, Next} from './call.ts';
import type {Decided, DecisionDependencies} from './decision.ts';
import {isSecret} from './preview.ts';
import {Refusal} from './refusal.ts';

/**
 * What must not be stored: writes that hold what masking made of the data that the agent read, or 422. Where masking
 * applies, the bodies of writes are read whole before anything else happens.
 */
export function withWriteBack(
  deps: Pick<DecisionDependencies, 'maximumBodyBytes'>,
  next: Next<Decided>,
): Next<Decided> {
  return (call, decided) => {
    const {operation, decision} = decided;
    const plan = decision.masking;
    return plan === undefined || !storesObject(operation) ? next(call, decided) : checked(call, decided, plan);
  };

  async function checked(call: Call, decided: Decided, plan: MaskPlan): Promise<void> {
    const {operation} = decided;
    // What was only observed need not have been readable.
    const isRead = decided.body !== undefined && decided.body.content.kind !== 'Opaque';
    const body = isRead ? decided.body : await receiveBody(call, deps.maximumBodyBytes, decided.body);
    const found = foundIn(body, operation, plan);
    if (found.length > 0) throw refusalOf(found, operation);
    return next(call, {...decided, body});
  }
}

/** Subresources whose bodies go to somebody else than the API server's store. */
const connects: ReadonlySet<string> = new Set(['attach', 'exec', 'portforward', 'proxy']);

function storesObject({isResourceRequest, verb, subresource}: Operation): boolean {
  const writes = verb === 'create' || verb === 'update' || verb === 'patch';
  return isResourceRequest && writes && !connects.has(subresource);
}

function foundIn(
  {bytes, contentType, content}: ReceivedBody,
  operation: Operation,
  plan: MaskPlan,
): readonly WrittenBack[] {
  const of = {plan, isSecret: isSecret(operation)};
  switch (content.kind) {
    case 'Empty':
      return [];
    case 'JSON':
      return writtenBack({...of, kind: writeKind(operation, contentType), value: content.value});
    case 'Opaque':
      return holdsMaskedWord(bytes.toString(), of) ? [{field: '', holds: 'Mask'}] : [];
  }
}

function writeKind({verb}: Operation, contentType: string): WriteKind {
  if (verb === 'create' || verb === 'update') return verb;
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === 'application/json-patch+json') return 'jsonPatch';
  return mediaType.startsWith('application/apply-patch+') ? 'apply' : 'patch';
}

/** kubectl shows the causes alone, so that each says all. */
function refusalOf(found: readonly WrittenBack[], {name, apiGroup, resource, verb}: Operation): Refusal {
  const advice = verb === 'create' ? 'give the real value' : 'leave it out of a patch, or give the real value';
  const causes = found.map(({field, holds}) => ({
    reason: 'FieldValueInvalid',
    message:
      holds === 'Mask'
        ? `a masked value would take the place of the real one; ${advice}`
        : `is left out of what you read, and an update without it would delete it; ${advice}`,
    field: field === '' ? 'body' : field,
  }));
  const message = `masked data would be written back: ${causes.map((cause) => `${cause.field}: ${cause.message}`).join(', ')}`;
  const details = {...(name !== '' && {name}), ...(apiGroup !== '' && {group: apiGroup}), kind: resource, causes};
  return new Refusal('MaskedWriteBack', 422, message, {details});
}
