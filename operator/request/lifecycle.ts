import type {
  AccessRequestSpec,
  AccessRequestStatus,
  RecordedDecision,
  Revocation,
} from '../../core/api/accessrequest.ts';
import type {StatusCondition} from '../../core/api/agentaccesspolicy.ts';
import type {Standing} from '../admission/standing.ts';

/*
 * The life of an AccessRequest as a pure function of what stands in the object and the operator's clock:
 *
 *   Pending ──► Approved ──► Consumed ──► Revoked   (grant Once, spent by one call, which may still be under way)
 *      │  │        │ │  └──► Revoked                (an approver takes the grant back, whoever gave it)
 *      │  │        │ └─────► Expired
 *      │  │        └───────► Denied                 (another approver denies before it is spent)
 *      │  └────────────────► Expired
 *      └───────────────────► Denied
 *
 * Denied, Expired and Revoked are final. The phase is always counted anew from the record (`decisions[]`, `consumedBy`,
 * `revokedBy`), never trusted as written.
 */

export type Phase = NonNullable<AccessRequestStatus['phase']>;

/** Why a decision found in the slot was taken out of it without counting. */
export type IgnoredBecause =
  | 'RequestFinished'
  | 'RequestExpired'
  | 'NotApproved'
  | 'ApproverUnknown'
  | 'ApproverIsAgent'
  | 'ApproverNotListed'
  | 'AlreadyDecided'
  | 'AlreadyApproved';

/** What became of the approver's slot. `Held`: left in place because decisions are not honoured now. */
export type SlotOutcome =
  | {readonly kind: 'Empty'}
  | {readonly kind: 'Held'; readonly message: string}
  | {readonly kind: 'Counted'; readonly decision: RecordedDecision}
  | {readonly kind: 'Revoked'; readonly revokedBy: Revocation}
  | {readonly kind: 'Ignored'; readonly because: IgnoredBecause; readonly message: string};

export interface Advance {
  readonly phase: Phase;
  readonly status: AccessRequestStatus & {phase: Phase};
  readonly slot: SlotOutcome;
}

export interface AdvanceInput {
  readonly spec: AccessRequestSpec;
  readonly status: AccessRequestStatus | undefined;
  /** metadata.generation; conditions say which generation they speak of. */
  readonly generation: number;
  /** The operator's clock, milliseconds since the epoch. */
  readonly nowMilliseconds: number;
  /** Whether the API server enforces who may decide; without it nothing in the slot can be believed. */
  readonly standing: Standing;
}

/**
 * The status that follows from an object and the time. Takes the decision out of the approver's slot, records and counts
 * it, and derives phase and conditions. Applying it twice gives the same as once.
 */
export function advance(input: AdvanceInput): Advance {
  const before = input.status ?? {};
  const slot = emptySlot(input, before);
  const decisions = slot.kind === 'Counted' ? [...(before.decisions ?? []), slot.decision] : before.decisions;
  const {decision, ...recorded} = before;
  const drained: AccessRequestStatus = {
    ...recorded,
    ...(decision && slot.kind === 'Held' && {decision}),
    ...(decisions && {decisions}),
    ...(slot.kind === 'Revoked' && {revokedBy: slot.revokedBy}),
  };
  const phase = phaseOf(input.spec, drained, input.nowMilliseconds);
  const hold = slot.kind === 'Held' ? slot.message : undefined;
  return {
    phase,
    slot,
    status: {
      ...drained,
      observedGeneration: input.generation,
      phase,
      conditions: conditionsOf(input, drained, phase, hold),
    },
  };
}

/**
 * The phase that the recorded decisions and the time give. What stands in the approver's slot plays no part.
 * @param nowMilliseconds the operator's clock, milliseconds since the epoch
 */
export function phaseOf(spec: AccessRequestSpec, status: AccessRequestStatus, nowMilliseconds: number): Phase {
  if (status.revokedBy) {
    return 'Revoked';
  }
  if (holds(status, 'Consumed') || status.consumedBy) {
    return 'Consumed';
  }
  if (countedDecisions(spec, status).some(({outcome}) => outcome === 'Denied')) {
    return 'Denied';
  }
  // Once expired, always expired: a clock that steps back does not bring a grant back.
  if (holds(status, 'Expired') || isPastExpiry(spec, nowMilliseconds)) {
    return 'Expired';
  }
  return countApprovers(spec, status) >= requiredApprovers(spec) ? 'Approved' : 'Pending';
}

/** The recorded decisions that count, oldest first. */
export function countedDecisions(spec: AccessRequestSpec, status: AccessRequestStatus): readonly RecordedDecision[] {
  return (status.decisions ?? []).filter(({username}) => ineligible(spec, username) === undefined);
}

/**
 * The status of an approved request whose grant one call has spent.
 * @param by which proxy spent it, on which call
 */
export function spend(
  input: AdvanceInput & {readonly status: AccessRequestStatus},
  by: {readonly proxy: string; readonly auditID: string},
): AccessRequestStatus & {phase: Phase} {
  const consumedBy = {proxy: by.proxy, auditID: by.auditID, time: timestamp(input.nowMilliseconds)};
  const status = {...input.status, consumedBy, phase: 'Consumed' as const};
  return {...status, conditions: conditionsOf(input, status, 'Consumed', undefined)};
}

/** Whether the time to decide and to use the grant has run out. A time that cannot be read has run out. */
export function isPastExpiry(spec: AccessRequestSpec, nowMilliseconds: number): boolean {
  return !(nowMilliseconds < Date.parse(spec.expiresAt));
}

/** How many approvers must agree; never fewer than one, whatever the object says. */
function requiredApprovers(spec: AccessRequestSpec): number {
  return Math.max(1, spec.count);
}

/** RFC 3339 in UTC. */
export function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function countApprovers(spec: AccessRequestSpec, status: AccessRequestStatus): number {
  const approvals = countedDecisions(spec, status).filter(({outcome}) => outcome === 'Approved');
  return new Set(approvals.map(({username}) => username)).size;
}

function emptySlot({spec, nowMilliseconds, standing}: AdvanceInput, status: AccessRequestStatus): SlotOutcome {
  const {decision} = status;
  if (!decision) {
    return {kind: 'Empty'};
  }
  if (!standing.ok) {
    return {kind: 'Held', message: `The decision is not counted: ${standing.reason}`};
  }
  const phase = phaseOf(spec, status, nowMilliseconds);
  if (phase === 'Denied' || phase === 'Revoked' || (phase === 'Consumed' && decision.outcome !== 'Revoked')) {
    return ignored('RequestFinished', `The request was ${phase.toLowerCase()} before the decision was read.`);
  }
  if (phase === 'Expired') {
    return ignored('RequestExpired', `The request expired at ${spec.expiresAt}, before the decision was read.`);
  }
  const username = decision.username ?? '';
  const objection = ineligible(spec, username);
  if (objection) {
    return objection;
  }
  const {outcome, reason} = decision;
  const by = {...(reason !== undefined && {reason}), username, time: timestamp(nowMilliseconds)};
  if (outcome === 'Revoked') {
    return phase === 'Pending'
      ? ignored('NotApproved', 'The request is not approved, so there is nothing to revoke; it can be Denied.')
      : {kind: 'Revoked', revokedBy: by};
  }
  if (status.decisions?.some((recorded) => recorded.username === username)) {
    return ignored('AlreadyDecided', `${username} has already decided; the first decision stands.`);
  }
  if (phase === 'Approved' && outcome === 'Approved') {
    return ignored(
      'AlreadyApproved',
      `The request already has the approvals that it needs; ${username}'s is not needed.`,
    );
  }
  return {kind: 'Counted', decision: {outcome, ...by}};
}

/** Why nobody of that name can decide this request; undefined where they can. Groups are the admission policy's matter. */
function ineligible(spec: AccessRequestSpec, username: string): (SlotOutcome & {kind: 'Ignored'}) | undefined {
  if (username === '') {
    return ignored('ApproverUnknown', 'The decision does not say who made it: status.decision.username is empty.');
  }
  if (username === spec.agent.username) {
    return ignored('ApproverIsAgent', `${username} is the agent that asked and cannot decide its own request.`);
  }
  const users = spec.approvers?.users ?? [];
  const groups = spec.approvers?.groups ?? [];
  if (users.length > 0 && groups.length === 0 && !users.includes(username)) {
    return ignored('ApproverNotListed', `${username} is not among spec.approvers.users.`);
  }
  return undefined;
}

function ignored(because: IgnoredBecause, message: string): SlotOutcome & {kind: 'Ignored'} {
  return {kind: 'Ignored', because, message};
}

function holds(status: AccessRequestStatus, type: string): boolean {
  return (status.conditions ?? []).some((condition) => condition.type === type && condition.status === 'True');
}

type Verdict = Pick<StatusCondition, 'status' | 'reason' | 'message'>;

/** Every condition from the first visit on (Kubernetes API conventions); a transition time moves only with the status. */
function conditionsOf(
  {spec, generation, nowMilliseconds}: AdvanceInput,
  status: AccessRequestStatus,
  phase: Phase,
  hold: string | undefined,
): StatusCondition[] {
  const verdicts: Readonly<Record<string, Verdict>> = {
    Approved: approvedCondition(spec, status, phase, hold),
    Denied: deniedCondition(spec, status, phase),
    Expired:
      phase === 'Expired'
        ? {status: 'True', reason: 'DeadlinePassed', message: `Not used before ${spec.expiresAt}.`}
        : {status: 'False', reason: 'NotExpired', message: `Can be decided and used until ${spec.expiresAt}.`},
    Consumed: consumedCondition(spec, status),
    Revoked: revokedCondition(status, phase),
  };
  return Object.entries(verdicts).map(([type, verdict]) => {
    const earlier = status.conditions?.find((condition) => condition.type === type);
    const lastTransitionTime =
      earlier?.status === verdict.status ? earlier.lastTransitionTime : timestamp(nowMilliseconds);
    return {type, ...verdict, lastTransitionTime, observedGeneration: generation};
  });
}

function approvedCondition(
  spec: AccessRequestSpec,
  status: AccessRequestStatus,
  phase: Phase,
  hold: string | undefined,
): Verdict {
  const approvers = countApprovers(spec, status);
  const needed = requiredApprovers(spec);
  const message = `${approvers} of ${needed} approvals.`;
  if (phase === 'Denied') {
    return {status: 'False', reason: 'Denied', message};
  }
  // An approval stays on record after it was spent or ran out.
  if (approvers >= needed) {
    return {status: 'True', reason: 'ApprovalsComplete', message};
  }
  if (hold !== undefined) {
    return {status: 'False', reason: 'AdmissionPolicyMissing', message: hold};
  }
  return {status: 'False', reason: phase === 'Expired' ? 'Expired' : 'AwaitingDecisions', message};
}

function deniedCondition(spec: AccessRequestSpec, status: AccessRequestStatus, phase: Phase): Verdict {
  const denial = countedDecisions(spec, status).find(({outcome}) => outcome === 'Denied');
  if (phase !== 'Denied' || !denial) {
    return {status: 'False', reason: 'NotDenied', message: 'No approver has denied it.'};
  }
  const reason = denial.reason ? `: ${denial.reason}` : '.';
  return {status: 'True', reason: 'DeniedByApprover', message: `${denial.username} denied it${reason}`};
}

function revokedCondition({revokedBy}: AccessRequestStatus, phase: Phase): Verdict {
  if (phase !== 'Revoked' || !revokedBy) {
    return {status: 'False', reason: 'NotRevoked', message: 'No approver has taken the grant back.'};
  }
  const reason = revokedBy.reason ? `: ${revokedBy.reason}` : '.';
  return {status: 'True', reason: 'RevokedByApprover', message: `${revokedBy.username} revoked it${reason}`};
}

function consumedCondition(spec: AccessRequestSpec, {consumedBy}: AccessRequestStatus): Verdict {
  if (consumedBy) {
    const message = `Proxy ${consumedBy.proxy} spent the grant on call ${consumedBy.auditID}.`;
    return {status: 'True', reason: 'GrantSpent', message};
  }
  return spec.grant === 'Window'
    ? {status: 'False', reason: 'WindowGrant', message: 'The grant serves until it expires.'}
    : {status: 'False', reason: 'NotConsumed', message: 'The grant is not spent.'};
}
