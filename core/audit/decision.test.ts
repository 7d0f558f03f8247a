import {describe, expect, test} from '@jest/globals';
import {cardsPlan} from '../../test/maskplan.ts';
import type {Allowed, ApprovalRequirement, Denied, NeedsApproval} from '../policy/decision.ts';
import {auditApproved, auditDecision} from './decision.ts';

const obligations = {
  masking: undefined,
  maskingRefusal: undefined,
  recordMasking: cardsPlan,
  unmasked: false,
  panUnexpected: false,
  auditLevel: 'Metadata' as const,
  recordInput: false,
  dryRun: [],
  revision: '41',
};

// Only the decision code can make what permits a call; the record does not look at it.
const allowed = {
  ...obligations,
  outcome: 'Allowed',
  by: {policy: 'a/p', rule: 'r', message: 'm'},
} as unknown as Allowed;

function requirement(rule: string, error?: string): ApprovalRequirement {
  return {
    policy: 'a/p',
    rule,
    message: `ask for ${rule}`,
    ...(error !== undefined && {error}),
    policyUID: 'u',
    policyNamespace: 'a',
    policyName: 'p',
    policyGeneration: 1,
    unmasked: false,
    approval: {
      approvers: {groups: [], users: []},
      count: 1,
      expireAfterSeconds: 900,
      grant: 'Once',
      waitSeconds: 0,
    },
  };
}

function needsApproval(...requirements: ApprovalRequirement[]): NeedsApproval {
  return {...obligations, outcome: 'NeedsApproval', requirements} as unknown as NeedsApproval;
}

describe('the record of a decision', () => {
  test('names the rule that allowed', () => {
    expect(auditDecision(allowed)).toEqual({
      outcome: 'Allowed',
      policy: 'a/p',
      rule: 'r',
      reason: 'm',
      bundleRevision: '41',
      dryRun: [],
    });
  });

  test('names the rule that denied, and the error that made it count', () => {
    const denied: Denied = {
      ...obligations,
      outcome: 'Denied',
      by: {policy: 'a/p', rule: 'r', message: 'm', error: 'no such key'},
      reason: 'denied by a/p',
    };
    expect(auditDecision(denied)).toMatchObject({rule: 'r', ruleError: 'no such key', reason: 'denied by a/p'});
  });

  test('of a denial by default names no rule', () => {
    const record = auditDecision({...obligations, outcome: 'Denied', by: undefined, reason: 'no rule allows it'});
    expect(record).not.toHaveProperty('rule');
    expect(record.reason).toBe('no rule allows it');
  });

  test('names every rule that asks for approval, and the requests made for it', () => {
    const decision = needsApproval(requirement('r1'), requirement('r2', 'cost limit'));
    const approval = {accessRequests: ['a/x', 'a/y'], approvers: []};
    expect(auditDecision(decision, approval)).toMatchObject({
      outcome: 'NeedsApproval',
      policy: 'a/p, a/p',
      rule: 'r1, r2',
      reason: 'ask for r1; ask for r2',
      ruleError: 'cost limit',
      accessRequest: 'a/x, a/y',
    });
  });

  test('of an approved call is Allowed and says by whom', () => {
    const approval = {accessRequests: ['a/x'], approvers: ['alice@example.com']};
    expect(auditApproved(needsApproval(requirement('r1')), approval)).toMatchObject({
      outcome: 'Allowed',
      rule: 'r1',
      accessRequest: 'a/x',
      approvers: ['alice@example.com'],
    });
  });
});
