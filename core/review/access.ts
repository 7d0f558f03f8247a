import type {LoadedBundle} from '../policy/loadedbundle.ts';
import {defaultDenialReason, denialReason} from '../policy/reason.ts';
import type {Agent} from '../request/agent.ts';
import {readQuestion} from './attributes.ts';
import {type Bearing, type Prospect, prospectOf} from './prospect.ts';
import type {Asker, Question} from './question.ts';

/** `status` of a SelfSubjectAccessReview. */
export interface AccessStatus {
  readonly allowed: boolean;
  readonly denied?: boolean;
  readonly reason?: string;
  readonly evaluationError?: string;
}

export interface Review {
  readonly bundle: LoadedBundle;
  readonly agent: Agent;
  readonly asker: Asker;
  readonly now: Date;
}

/**
 * What the API server answered to a SelfSubjectAccessReview, with policy taken into account. Allowed is what both
 * allow. What waits for approval is not, though not denied either: a call has to ask for it. Where it depends on what a
 * review does not say, the answer is yes and names the rule, as RBAC says yes before admission looks at the object: the
 * call itself is decided on all of it, so nothing is let through by this answer.
 *
 * @param spec of the answer
 * @returns undefined where the answer cannot be read
 */
export function reviewAccess(
  {spec, status}: {readonly spec?: unknown; readonly status?: unknown},
  {bundle, agent, asker, now}: Review,
): AccessStatus | undefined {
  const question = readQuestion(spec, asker);
  if (question === undefined || !isAccessStatus(status)) return undefined;
  const prospect = prospectOf(bundle, agent, question, {now, quantity: 'Every'});
  const {reason = '', denied: _, ...rest} = status;
  const policyAllows = prospect.outcome === 'Allowed';
  const reasons = [
    // Why RBAC allows is no reason for a no, nor why policy would allow.
    status.allowed === policyAllows || !status.allowed ? reason : '',
    status.allowed || !policyAllows ? describe(prospect, agent, question) : '',
  ];
  const given = reasons.filter((each) => each !== '').join('; ');
  return {
    ...rest,
    allowed: status.allowed && policyAllows,
    ...((status.denied === true || prospect.outcome === 'Denied') && {denied: true}),
    ...(given !== '' && {reason: given}),
  };
}

function describe(prospect: Prospect, agent: Agent, {operation}: Question): string {
  switch (prospect.outcome) {
    case 'Denied':
      return denialReason(prospect.by, agent, operation);
    case 'DeniedByDefault':
      return defaultDenialReason(prospect.failed, agent, operation);
    case 'NeedsApproval':
      return `needs approval (make the call to ask for it): ${prospect.by.map(describeRule).join(', ')}`;
    case 'Allowed': {
      const {by, unless} = prospect;
      const allows = `${describeRule(by)} ${by.depends === undefined ? 'allows it' : 'may allow it'}`;
      const restricts = unless.map((bearing) => `${describeRule(bearing)} may ${restriction[bearing.effect]}`);
      return restricts.length === 0 ? allows : `${allows}, but ${restricts.join(', ')}`;
    }
  }
}

const restriction = {Allow: 'allow it', Deny: 'deny it', RequireApproval: 'hold it for approval'} as const;

function describeRule({reference: {policy, rule, message}, effect, depends}: Bearing): string {
  const said = message === '' || effect === 'Allow' ? '' : ` (${JSON.stringify(message)})`;
  return `policy ${policy}, rule ${rule}${said}${depends === undefined ? '' : ` (${depends})`}`;
}

function isAccessStatus(status: unknown): status is AccessStatus {
  return typeof status === 'object' && status !== null && 'allowed' in status && typeof status.allowed === 'boolean';
}
