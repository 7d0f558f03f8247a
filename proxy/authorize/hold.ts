import type {AccessRequestState, OpenRequest} from '../../core/control/messages.ts';
import type {ApprovalRequirement} from '../../core/policy/decision.ts';
import type {Grant} from '../../core/policy/permitted.ts';
import {type ControlClient, ControlRefused} from '../control/client.ts';
import {ClientGone} from '../forward/relay.ts';
import {Refusal} from '../path/refusal.ts';

/** What approvals need of the control API. */
export type ApprovalControl = Pick<ControlClient, 'open' | 'follow' | 'consume'>;

/** One RequireApproval rule that matched, and the request that would satisfy it. */
export interface HeldRequirement {
  readonly requirement: ApprovalRequirement;
  readonly open: OpenRequest;
}

/** A requirement with the AccessRequest that was opened or joined for it. */
export interface RequestedApproval extends HeldRequirement {
  readonly state: AccessRequestState;
}

/** Asks for every approval that a call needs, and waits as long as the policy holds calls. */
export function requestApprovals(
  control: ApprovalControl,
  held: readonly HeldRequirement[],
  signal: AbortSignal,
): Promise<readonly RequestedApproval[]> {
  return Promise.all(
    held.map(async ({requirement, open}) => {
      const opened = await asking(() => control.open(open), signal);
      const {waitSeconds} = requirement.approval;
      const state =
        opened.phase !== 'Pending' || waitSeconds === 0
          ? opened
          : await asking(() => control.follow(opened.namespace, opened.name, waitSeconds, signal), signal);
      return {requirement, open, state};
    }),
  );
}

/**
 * Spends the grants on this very call.
 *
 * @throws {Refusal} where one is spent, expired or was taken back meanwhile
 */
export async function spendGrants(
  control: ApprovalControl,
  approved: readonly RequestedApproval[],
  call: {
    readonly auditID: string;
    readonly proxy: string;
    readonly signal: AbortSignal;
    readonly now: () => Date;
  },
): Promise<readonly Grant[]> {
  const grants: Grant[] = [];
  for (const {requirement, open, state} of approved) {
    const {digest} = open.spec;
    const {namespace, name} = state;
    // Not when the answer is here: the time that it took must not make the grant last longer.
    const askedAtMilliseconds = call.now().getTime();
    const spent = await asking(
      () => control.consume(namespace, name, {digest, proxy: call.proxy, auditID: call.auditID}),
      call.signal,
      (reason) => {
        const message = `AccessRequest ${namespace}/${name}: ${reason}; repeat the call to ask again`;
        return new Refusal('ApprovalSpent', 403, message, {
          details: detailsOf(state.name, 'AccessRequestSpent', message),
        });
      },
    );
    grants.push({
      policy: requirement.policy,
      rule: requirement.rule,
      digest: spent.digest,
      accessRequest: `${spent.namespace}/${spent.name}`,
      approvers: spent.approvers,
      expiresAtMilliseconds: askedAtMilliseconds + spent.expiresInMilliseconds,
    });
  }
  return grants;
}

/** Turns the ways in which the operator cannot or will not answer into Refusals. */
async function asking<T>(
  ask: () => Promise<T>,
  signal: AbortSignal,
  onConflict?: (reason: string) => Refusal,
): Promise<T> {
  try {
    // Nothing is opened or spent for a call that nobody waits for any more.
    signal.throwIfAborted();
    return await ask();
  } catch (error) {
    if (signal.aborted) throw new ClientGone('the agent went away while the call waited for approval');
    if (error instanceof ControlRefused) {
      if (error.httpStatus === 409 && onConflict !== undefined) throw onConflict(error.message);
      const message = `approval cannot be asked for: ${error.message}`;
      if (error.httpStatus === 429)
        throw new Refusal('Overloaded', 429, message, {retryAfterSeconds: 30, cause: error});
      throw new Refusal('ApprovalDenied', 403, message, {cause: error});
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new Refusal('ControlUnavailable', 503, `approval cannot be asked for: ${reason}`, {
      retryAfterSeconds: 5,
      cause: error,
    });
  }
}

/** The 403 of a call that waits for a person, or was turned down by one; undefined where it is approved. */
export function notApproved({state, requirement}: RequestedApproval): Refusal | undefined {
  const named = `AccessRequest ${state.namespace}/${state.name} (policy ${requirement.policy}, rule ${requirement.rule})`;
  switch (state.phase) {
    case 'Approved':
      return undefined;
    case 'Pending': {
      const wanted = requirement.message === '' ? '' : `${requirement.message.replace(/\.$/, '')}. `;
      const message = `${wanted}${named} waits for approval until ${state.expiresAt}. Approve with: ${approveCommand(state)} and then repeat the same call`;
      return new Refusal('ApprovalPending', 403, message, {
        details: detailsOf(state.name, 'AccessRequestPending', message),
      });
    }
    case 'Denied': {
      const by = state.approvers.length === 0 ? '' : ` by ${state.approvers.join(', ')}`;
      const message = `${named} was denied${by}${state.reason === '' ? '' : `: ${state.reason}`}`;
      return new Refusal('ApprovalDenied', 403, message, {
        details: detailsOf(state.name, 'AccessRequestDenied', message),
      });
    }
    case 'Expired':
    case 'Consumed':
    case 'Revoked': {
      const message = `${named} is ${state.phase}; repeat the call to ask again`;
      return new Refusal('ApprovalSpent', 403, message, {
        details: detailsOf(state.name, 'AccessRequestSpent', message),
      });
    }
  }
}

function approveCommand({namespace, name}: AccessRequestState): string {
  return `kubectl -n ${namespace} patch accessrequest ${name} --subresource=status --type=merge -p '{"status":{"decision":{"outcome":"Approved","reason":"..."}}}'`;
}

export function detailsOf(name: string, reason: string, message: string) {
  return {name, group: 'lockkeeper.dev', kind: 'accessrequests', causes: [{reason, message}]};
}
