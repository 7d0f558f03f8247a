import type {AccessRequestState, OpenRequest} from '../../core/control/messages.ts';
import type {ApprovalRequirement} from '../../core/policy/decision.ts';
import type {Grant} from '../../core/policy/permitted.ts';
import {type ControlClient, ControlRefused} from '../control/client.ts';
import {Refusal} from '../path/refusal.ts';

/** One RequireApproval rule that matched, and the request that would satisfy it. */
export interface HeldRequirement {
  readonly requirement: ApprovalRequirement;
  readonly open: OpenRequest;
}

/**
 * Asks for every approval that a call needs, waits as long as the policy holds calls, and spends the grants.
 *
 * Nothing is spent before every requirement is approved. Throws a Refusal that names the AccessRequest where the call
 * may not go on yet, or never may.
 */
export async function obtainApprovals(
  control: ControlClient,
  held: readonly HeldRequirement[],
  call: {
    readonly auditID: string;
    readonly proxy: string;
    readonly signal: AbortSignal;
    /** Told what became of the requests, whether the call goes on or not. */
    readonly onState: (states: readonly AccessRequestState[]) => void;
  },
): Promise<readonly Grant[]> {
  const states = await Promise.all(
    held.map(async ({requirement, open}) => {
      const opened = await asking(() => control.open(open));
      const {waitSeconds} = requirement.approval;
      if (opened.phase !== 'Pending' || waitSeconds === 0) return opened;
      return asking(() => control.follow(opened.namespace, opened.name, waitSeconds, call.signal));
    }),
  );
  call.onState(states);
  held.forEach(({requirement}, i) => {
    const state = states[i] as AccessRequestState;
    if (state.phase !== 'Approved') throw notApproved(state, requirement);
  });
  const grants: Grant[] = [];
  for (const [i, {requirement, open}] of held.entries()) {
    const state = states[i] as AccessRequestState;
    const {digest} = open.spec;
    const spent = await asking(
      () => control.consume(state.namespace, state.name, {digest, proxy: call.proxy, auditID: call.auditID}),
      (refused) =>
        new Refusal(
          'ApprovalSpent',
          403,
          `AccessRequest ${state.namespace}/${state.name}: ${refused.message}; repeat the call to ask again`,
          {
            details: detailsOf(state, 'AccessRequestSpent', refused.message),
          },
        ),
    );
    grants.push({
      policy: requirement.policy,
      rule: requirement.rule,
      digest: spent.digest,
      accessRequest: `${spent.namespace}/${spent.name}`,
      approvers: spent.approvers,
    });
  }
  return grants;
}

/** Turns the ways in which the operator cannot or will not answer into Refusals. */
async function asking<T>(ask: () => Promise<T>, onRefused?: (refused: ControlRefused) => Refusal): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ControlRefused) {
      if (onRefused !== undefined && error.httpStatus === 409) throw onRefused(error);
      throw new Refusal('ApprovalDenied', 403, `approval cannot be asked for: ${error.message}`, {cause: error});
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new Refusal('ControlUnavailable', 503, `approval cannot be asked for: ${reason}`, {
      retryAfterSeconds: 5,
      cause: error,
    });
  }
}

/** The 403 of a call that waits for a person, or was turned down by one. */
export function notApproved(state: AccessRequestState, rule: ApprovalRequirement): Refusal {
  const named = `AccessRequest ${state.namespace}/${state.name} (policy ${rule.policy}, rule ${rule.rule})`;
  const because = state.reason === '' ? '' : `: ${state.reason}`;
  switch (state.phase) {
    case 'Pending': {
      const wanted = rule.message === '' ? '' : `${rule.message}. `;
      const message = `${wanted}${named} waits for approval until ${state.expiresAt}. Approve with: ${approveCommand(state)} and then repeat the same call`;
      return new Refusal('ApprovalPending', 403, message, {details: detailsOf(state, 'AccessRequestPending', message)});
    }
    case 'Denied': {
      const by = state.approvers.length === 0 ? '' : ` by ${state.approvers.join(', ')}`;
      const message = `${named} was denied${by}${because}`;
      return new Refusal('ApprovalDenied', 403, message, {details: detailsOf(state, 'AccessRequestDenied', message)});
    }
    case 'Expired':
    case 'Consumed':
    case 'Approved': {
      const message = `${named} is ${state.phase}; repeat the call to ask again`;
      return new Refusal('ApprovalSpent', 403, message, {details: detailsOf(state, 'AccessRequestSpent', message)});
    }
  }
}

function approveCommand({namespace, name}: AccessRequestState): string {
  return `kubectl -n ${namespace} patch accessrequest ${name} --subresource=status --type=merge -p '{"status":{"decision":{"outcome":"Approved","reason":"..."}}}'`;
}

function detailsOf(state: AccessRequestState, reason: string, message: string) {
  return {name: state.name, group: 'lockkeeper.dev', kind: 'accessrequests', causes: [{reason, message}]};
}
