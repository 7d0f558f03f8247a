import {approve, type Permitted} from '../../core/policy/permitted.ts';
import {
  type ApprovalControl,
  notApproved,
  type RequestedApproval,
  requestApprovals,
  spendGrants,
} from '../authorize/hold.ts';
import {acceptNegotiator} from '../forward/negotiate.ts';
import {acceptableAnswer} from './acceptable.ts';
import {type Call, isGone, type Next} from './call.ts';
import {type Decided, type DecisionDependencies, denial, redecide} from './decision.ts';
import {digestFor, heldRequirement} from './held.ts';
import {Refusal} from './refusal.ts';

export interface PermittedCall {
  readonly decided: Decided;
  readonly permitted: Permitted;
}

export interface ApprovalDependencies {
  readonly control: ApprovalControl;
  /** Identifies this proxy in the record of a spent grant. */
  readonly proxy: string;
}

/** Who says so: what a rule lets only a person allow waits for their AccessRequest, and spends it. */
export function withApproval(
  deps: ApprovalDependencies & DecisionDependencies,
  next: Next<PermittedCall>,
): Next<Decided> {
  const negotiate = acceptNegotiator();
  return (call, decided) => {
    const {decision} = decided;
    return decision.outcome === 'Allowed'
      ? next(call, {decided, permitted: decision.permitted})
      : approved(call, decided).then((permitted) => next(call, {decided, permitted}));
  };

  async function approved(call: Call, decided: Decided): Promise<Permitted> {
    const {decision} = decided;
    if (decision.outcome === 'Allowed') return decision.permitted;
    const signal = untilGone(call);
    // Before anybody is asked: a grant must not be spent on a call that is refused behind it.
    acceptableAnswer(decision, call, decided.operation, negotiate);
    const held = decision.requirements.map((requirement) => heldRequirement(requirement, decided, deps.maskText));
    const requested = await requestApprovals(deps.control, held, signal);
    call.approval = {...approvalOf(requested), granted: false};
    for (const request of requested) {
      const refusal = notApproved(request);
      if (refusal !== undefined) throw refusal;
    }
    // The call may have waited for minutes: a Deny declared meanwhile is not beaten by the grant.
    const now = redecide(deps, decided);
    call.decision = now;
    if (now.outcome === 'Denied') throw denial(now.reason, decided.operation);
    if (now.outcome === 'Allowed') return now.permitted;
    const digests = new Map(now.requirements.map((requirement) => [requirement, digestFor(requirement, decided)]));
    const granted = new Set(requested.map(({open}) => open.spec.digest));
    if ([...digests.values()].some((digest) => !granted.has(digest))) {
      const message = 'the policy changed while the call waited for approval; repeat the call to ask again';
      throw new Refusal('ApprovalSpent', 403, message);
    }
    const needed = new Set(digests.values());
    const grants = await spendGrants(
      deps.control,
      requested.filter(({open}) => needed.has(open.spec.digest)),
      {auditID: call.record.auditID, proxy: deps.proxy, signal, now: deps.now},
    );
    call.approval = {...approvalOf(requested), granted: true};
    return approve(now, (requirement) => digests.get(requirement) ?? '', grants);
  }
}

function approvalOf(requested: readonly RequestedApproval[]) {
  return {
    accessRequests: requested.map(({state}) => `${state.namespace}/${state.name}`),
    approvers: requested.flatMap(({state}) => state.approvers),
  };
}

function untilGone({response}: Call): AbortSignal {
  const controller = new AbortController();
  if (isGone(response)) controller.abort();
  else response.once('close', () => controller.abort());
  return controller.signal;
}
