import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import type {ApprovalRequirement, Decision, NeedsApproval, Obligations, RuleReference} from './decision.ts';
import {Evaluation, type RequestBody, type Selection, type Verdict} from './evaluate.ts';
import type {LoadedRule} from './loadedbundle.ts';
import {defaultDenialReason, denialReason} from './reason.ts';

/** Why a call may be forwarded. */
export type Permission =
  | {readonly kind: 'Policy'; readonly rule: RuleReference}
  | {readonly kind: 'Grants'; readonly grants: readonly Grant[]};

/** An AccessRequest that was approved, and consumed for this very call where the grant is `Once`. */
export interface Grant {
  /** The requirement that it meets: `namespace/name` of the policy, and the rule. */
  readonly policy: string;
  readonly rule: string;
  /** Of the AccessRequest's spec, as the operator answered. */
  readonly digest: string;
  /** `namespace/name`. */
  readonly accessRequest: string;
  readonly approvers: readonly string[];
  /** When it ends, milliseconds since the epoch by the proxy's own clock. */
  readonly expiresAtMilliseconds: number;
}

/**
 * A call that policy permits. The class is not exported and has a private field, so nothing outside this file can make
 * a value of this type: whoever holds one holds a decision.
 */
class Permitted {
  readonly operation: Operation;
  readonly agent: Agent;
  readonly obligations: Obligations;
  readonly #by: Permission;

  constructor(subject: {agent: Agent; operation: Operation}, obligations: Obligations, by: Permission) {
    this.operation = subject.operation;
    this.agent = subject.agent;
    this.obligations = obligations;
    this.#by = by;
  }

  get by(): Permission {
    return this.#by;
  }
}

/** A call that grants may permit; it remembers what they are needed for. */
class PendingApproval {
  readonly #selection: Selection;
  readonly #obligations: Obligations;
  readonly #requirements: readonly ApprovalRequirement[];

  constructor(selection: Selection, obligations: Obligations, requirements: readonly ApprovalRequirement[]) {
    this.#selection = selection;
    this.#obligations = obligations;
    this.#requirements = requirements;
  }

  approve(digestOf: (requirement: ApprovalRequirement) => string, grants: readonly Grant[]): Permitted {
    const used = this.#requirements.map((requirement) => {
      const grant = grants.find(({policy, rule}) => policy === requirement.policy && rule === requirement.rule);
      if (grant === undefined) {
        throw new ApprovalRefused('GrantMissing', requirement, 'has no grant');
      }
      if (grant.digest !== digestOf(requirement)) {
        throw new ApprovalRefused('DigestMismatch', requirement, `is met by ${grant.accessRequest} for another call`);
      }
      return grant;
    });
    return new Permitted(this.#selection, this.#obligations, {kind: 'Grants', grants: used});
  }
}

export type {PendingApproval, Permitted};

/** Grants do not cover what is needed: the call must not be forwarded. */
export class ApprovalRefused extends Error {
  override readonly name = 'ApprovalRefused';
  readonly code: 'GrantMissing' | 'DigestMismatch';

  constructor(code: ApprovalRefused['code'], requirement: ApprovalRequirement, what: string) {
    super(`approval required by policy ${requirement.policy}, rule ${requirement.rule} ${what}`);
    this.code = code;
  }
}

/**
 * Decides a call: any matching Deny denies; else each matching RequireApproval needs a grant; else a matching Allow
 * permits; else it is denied. A rule whose CEL fails counts as a match, an Allow as none. DryRun policies are evaluated
 * and reported beside that, and change nothing.
 *
 * @param input the body as far as `selection.body` asks for it, and the time for `now`.
 */
export function decide(selection: Selection, input: RequestBody & {readonly now: Date}): Decision {
  const {agent, operation} = selection;
  const evaluation = new Evaluation(selection, input, input.now);
  const verdict = evaluation.verdict();
  const obliged = selection.obligationsOfPlace.of(operation, liftedBy(verdict, selection.bundle.rootNamespace));
  const obligations: Obligations = selection.dryRun.length === 0 ? obliged : {...obliged, dryRun: evaluation.dryRun()};
  switch (verdict.outcome) {
    case 'Denied':
      return {
        ...obligations,
        outcome: 'Denied',
        by: verdict.by,
        reason: denialReason(verdict.by, agent, operation),
      };
    case 'DeniedByDefault':
      return {
        ...obligations,
        outcome: 'Denied',
        by: undefined,
        reason: defaultDenialReason(verdict.failed, agent, operation),
      };
    case 'NeedsApproval': {
      const requirements = verdict.required.map(({rule, reference}) => requirementOf(rule, reference));
      const pending = new PendingApproval(selection, obligations, requirements);
      return {...obligations, outcome: 'NeedsApproval', requirements, pending};
    }
    case 'Allowed':
      return {
        ...obligations,
        outcome: 'Allowed',
        by: verdict.by.reference,
        permitted: new Permitted(selection, obligations, {kind: 'Policy', rule: verdict.by.reference}),
      };
  }
}

/**
 * Permits a call that needs approval, when each rule that requires one has its grant for exactly this call. Decide again
 * before approving where time has passed: a grant never beats a Deny, also one declared since.
 *
 * @param digestOf the digest of the call in hand under that rule.
 * @throws {ApprovalRefused} where a grant is missing or is for another call.
 */
export function approve(
  needed: NeedsApproval,
  digestOf: (requirement: ApprovalRequirement) => string,
  grants: readonly Grant[],
): Permitted {
  return needed.pending.approve(digestOf, grants);
}

function requirementOf(loaded: LoadedRule, reference: RuleReference): ApprovalRequirement {
  const {policy, rule} = loaded;
  if (rule.approval === undefined) {
    throw new TypeError(`policy ${reference.policy}, rule ${reference.rule}: RequireApproval without approval`);
  }
  return {
    ...reference,
    policyUID: policy.uid,
    policyNamespace: policy.namespace,
    policyName: policy.name,
    policyGeneration: policy.generation,
    approval: rule.approval,
    unmasked: rule.unmasked === true,
  };
}

/**
 * The namespace whose masking is lifted by the rules that permit, or undefined. Of several that all require approval
 * the least counts: each of their approvers is told what theirs alone would show.
 */
function liftedBy(verdict: Verdict, rootNamespace: string): string | undefined {
  switch (verdict.outcome) {
    case 'Allowed':
      return verdict.by.lifts;
    case 'NeedsApproval': {
      const lifts = verdict.required.map(({rule}) => rule.lifts);
      return lifts.includes(undefined)
        ? undefined
        : (lifts.find((namespace) => namespace !== rootNamespace) ?? lifts[0]);
    }
    case 'Denied':
    case 'DeniedByDefault':
      return undefined;
  }
}
