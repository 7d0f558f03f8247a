import type {Decision, NeedsApproval, Obligations, RuleReference} from '../policy/decision.ts';

/** What the record says about the decision on a call. Absent and empty members are left out of the line. */
export interface AuditedDecision {
  /** Refused: turned away before policy was asked, for its token, its form or the proxy's own state. */
  readonly outcome: Decision['outcome'] | 'Refused';
  /** `namespace/name`; several with `, ` between. */
  readonly policy?: string;
  /** In the order of `policy`. */
  readonly rule?: string;
  readonly reason?: string;
  readonly ruleError?: string;
  readonly bundleRevision?: string;
  /** `namespace/name` of the AccessRequest that was opened, joined or spent; several with `, ` between. */
  readonly accessRequest?: string;
  readonly approvers?: readonly string[];
  readonly dryRun?: Obligations['dryRun'];
  /** The rule lifts masking. */
  readonly unmasked?: boolean;
}

/** The AccessRequests behind a call, `namespace/name` each, and who decided so far, in order. */
export interface AuditedApproval {
  readonly accessRequests: readonly string[];
  readonly approvers: readonly string[];
}

/** The record of a policy decision; with `approval` where AccessRequests were opened, joined or denied for it. */
export function auditDecision(decision: Decision, approval?: AuditedApproval): AuditedDecision {
  const {outcome, revision: bundleRevision, dryRun, unmasked} = decision;
  const common = {outcome, bundleRevision, dryRun, ...(unmasked && {unmasked}), ...(approval && behind(approval))};
  switch (decision.outcome) {
    case 'Allowed':
      return {...common, ...spoke(decision.by), reason: decision.by.message};
    case 'Denied':
      return {...common, ...(decision.by && spoke(decision.by)), reason: decision.reason};
    case 'NeedsApproval':
      return {...common, ...spokeTogether(decision.requirements)};
  }
}

/** The record of a call that needed approval and got it. */
export function auditApproved(decision: NeedsApproval, approval: AuditedApproval): AuditedDecision {
  return {...auditDecision(decision, approval), outcome: 'Allowed'};
}

function behind({accessRequests, approvers}: AuditedApproval): Pick<AuditedDecision, 'accessRequest' | 'approvers'> {
  return {accessRequest: accessRequests.join(', '), approvers};
}

function spoke({policy, rule, error}: RuleReference): Pick<AuditedDecision, 'policy' | 'rule' | 'ruleError'> {
  return error === undefined ? {policy, rule} : {policy, rule, ruleError: error};
}

function spokeTogether(
  rules: readonly RuleReference[],
): Pick<AuditedDecision, 'policy' | 'rule' | 'reason' | 'ruleError'> {
  const join = (texts: readonly string[], separator: string) => texts.filter((text) => text !== '').join(separator);
  return {
    policy: join(
      rules.map(({policy}) => policy),
      ', ',
    ),
    rule: join(
      rules.map(({rule}) => rule),
      ', ',
    ),
    reason: join(
      rules.map(({message}) => message),
      '; ',
    ),
    ruleError: join(
      rules.map(({error}) => error ?? ''),
      '; ',
    ),
  };
}
