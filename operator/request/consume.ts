import {isDeepStrictEqual} from 'node:util';
import type {AccessRequest} from '../../core/api/accessrequest.ts';
import type {AccessRequestState, ConsumeRequest} from '../../core/control/messages.ts';
import type {AdmissionStanding} from '../admission/standing.ts';
import {Refusal, type RefusalCode} from '../control/refusal.ts';
import type {KubeClient} from '../kube/client.ts';
import {KubeError} from '../kube/error.ts';
import type {Announce} from './announce.ts';
import {advance, type Phase, spend} from './lifecycle.ts';
import {parseAccessRequest} from './parse.ts';
import {accessRequestPath, stateOf} from './state.ts';

/** Every lost race means that somebody else wrote; nobody has reason to write more often than this meanwhile. */
const maximumAttempts = 10;

export interface ConsumeDependencies {
  readonly client: Pick<KubeClient, 'update'>;
  readonly admission: Pick<AdmissionStanding, 'standing'>;
  readonly announce: Announce;
  /** The operator's clock, milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Spends the grant of an approved AccessRequest on one call; a `Window` grant is checked and stays.
 *
 * A `Once` grant is spent by a write preconditioned on the resourceVersion that was read: of any number of callers, on
 * any number of replicas, one write goes through. The same call asking again is refused too: an audit ID may come from
 * the agent, so it proves nothing. An answer lost on the way costs the grant, never a second use of it.
 * @param read a fresh read from the API server, never from a cache; rejects where the caller has no business with it
 */
export async function consumeAccessRequest(
  read: () => Promise<AccessRequest>,
  consume: ConsumeRequest,
  {client, admission, announce, now}: ConsumeDependencies,
): Promise<AccessRequestState> {
  for (let attempt = 0; attempt < maximumAttempts; attempt++) {
    const request = await read();
    const {spec, metadata = {}} = request;
    if (spec.digest !== consume.digest) {
      const message = `AccessRequest ${metadata.namespace}/${metadata.name} was approved for another call: its digest is ${spec.digest}, this call's ${consume.digest}.`;
      throw new Refusal('DigestMismatch', 409, message, {field: 'digest'});
    }
    const standing = admission.standing();
    if (!standing.ok) {
      throw new Refusal('AdmissionPolicyMissing', 409, `Approvals are not honoured now: ${standing.reason}`);
    }
    const generation = metadata.generation ?? 0;
    const nowMilliseconds = now();
    const input = {spec, status: request.status, generation, nowMilliseconds, standing};
    const {phase, status, slot} = advance(input);
    if (phase !== 'Approved' || metadata.deletionTimestamp) {
      throw notSpendable(request, phase);
    }
    const next = spec.grant === 'Once' ? spend({...input, status}, consume) : status;
    if (isDeepStrictEqual(next, request.status)) {
      return stateOf(request, nowMilliseconds);
    }
    try {
      const path = `${accessRequestPath(metadata.namespace ?? '', metadata.name ?? '')}/status`;
      const written = parseAccessRequest(await client.update(path, {...request, status: next}));
      announce(request, next, slot);
      return stateOf(written, nowMilliseconds);
    } catch (error) {
      if (!KubeError.hasCode(error, 409)) {
        throw error;
      }
    }
  }
  throw new Refusal('Conflict', 409, 'The AccessRequest kept changing; nothing was spent. Try again.');
}

function notSpendable({spec, metadata, status}: AccessRequest, phase: Phase): Refusal {
  const which = `AccessRequest ${metadata?.namespace}/${metadata?.name}`;
  const refused = (code: RefusalCode, why: string) => new Refusal(code, 409, `${which} ${why}`);
  switch (phase) {
    case 'Pending':
      return refused('Pending', 'is not approved yet.');
    case 'Denied':
      return refused('Denied', 'was denied.');
    case 'Expired':
      return refused('Expired', `expired at ${spec.expiresAt}.`);
    case 'Consumed':
      return refused(
        'Consumed',
        `was spent${status?.consumedBy ? ` at ${status.consumedBy.time} on call ${status.consumedBy.auditID}` : ''}.`,
      );
    case 'Revoked':
      return refused('Revoked', `was revoked${status?.revokedBy ? ` by ${status.revokedBy.username}` : ''}.`);
    case 'Approved':
      return refused('Expired', 'is being deleted.');
  }
}
