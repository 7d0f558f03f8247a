import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import type {AccessRequestSpec, AccessRequestStatus} from '../../core/api/accessrequest.ts';
import {type AdvanceInput, advance, phaseOf, spend} from './lifecycle.ts';

const opened = Date.parse('2026-01-01T12:00:00Z');
const expires = Date.parse('2026-01-01T12:15:00Z');
const standing = {ok: true} as const;
const fallen = {ok: false, reason: 'ValidatingAdmissionPolicy x does not exist.'} as const;

const spec: AccessRequestSpec = {
  agent: {username: 'agent:bot'},
  operation: {verb: 'create', resource: 'secrets', namespace: 'payments'},
  request: {method: 'POST', path: '/api/v1/namespaces/payments/secrets'},
  digest: 'd'.repeat(64),
  policy: {namespace: 'payments', name: 'agents', rule: 'secrets'},
  count: 1,
  grant: 'Once',
  expiresAt: new Date(expires).toISOString(),
};

function input(over: Partial<AdvanceInput> = {}): AdvanceInput {
  return {spec, status: undefined, generation: 1, nowMilliseconds: opened, standing, ...over};
}

function approved(username: string): AccessRequestStatus {
  return {decision: {outcome: 'Approved', username, reason: 'fine'}};
}

function denied(username: string): AccessRequestStatus {
  return {decision: {outcome: 'Denied', username, reason: 'no'}};
}

function revoked(username: string): AccessRequestStatus {
  return {decision: {outcome: 'Revoked', username, reason: 'enough'}};
}

/** Runs one decision after the other through the machine, as an approver and the operator take turns. */
function afterDecisions(given: AccessRequestSpec, decisions: readonly AccessRequestStatus[]) {
  return decisions.reduce(
    (before, {decision}) => advance(input({spec: given, status: {...before.status, ...(decision && {decision})}})),
    advance(input({spec: given})),
  );
}

describe('a decision', () => {
  const two = {...spec, count: 2};
  const listed = {...spec, approvers: {users: ['ann']}};
  const grouped = {...spec, approvers: {users: ['ann'], groups: ['oncall']}};
  test.each([
    ['none leaves it pending', spec, [], 'Pending'],
    ['one approval approves', spec, [approved('ann')], 'Approved'],
    ['one denial denies', spec, [denied('ann')], 'Denied'],
    ['one approval of two is not enough', two, [approved('ann')], 'Pending'],
    ['two approvers approve', two, [approved('ann'), approved('bob')], 'Approved'],
    ['the same approver twice is one', two, [approved('ann'), approved('ann')], 'Pending'],
    ['a denial after one of two approvals denies', two, [approved('ann'), denied('bob')], 'Denied'],
    ['a denial takes an unspent grant back', spec, [approved('ann'), denied('bob')], 'Denied'],
    ['an approval after a denial changes nothing', spec, [denied('ann'), approved('bob')], 'Denied'],
    ['an approver cannot decide twice', spec, [approved('ann'), denied('ann')], 'Approved'],
    ['the agent cannot approve its own call', spec, [approved('agent:bot')], 'Pending'],
    ['the agent cannot deny its own call', spec, [denied('agent:bot')], 'Pending'],
    ['no username is nobody', spec, [{decision: {outcome: 'Approved'}}], 'Pending'],
    ['an empty username is nobody', spec, [approved('')], 'Pending'],
    ['only listed users count where only users are listed', listed, [approved('bob')], 'Pending'],
    ['a listed user counts', listed, [approved('ann')], 'Approved'],
    ['groups are left to the admission policy', grouped, [approved('bob')], 'Approved'],
    ['a count of 0 still needs one', {...spec, count: 0}, [], 'Pending'],
    ['another approver takes a grant back', spec, [approved('ann'), revoked('bob')], 'Revoked'],
    ['who approved takes it back', spec, [approved('ann'), revoked('ann')], 'Revoked'],
    ['one revocation is enough', two, [approved('ann'), approved('bob'), revoked('ann')], 'Revoked'],
    ['what is not approved is not revoked', two, [approved('ann'), revoked('bob')], 'Pending'],
    ['what is denied is not revoked', spec, [denied('ann'), revoked('bob')], 'Denied'],
    ['the agent takes nothing back', spec, [approved('ann'), revoked('agent:bot')], 'Approved'],
    ['who is not listed takes nothing back', listed, [approved('ann'), revoked('bob')], 'Approved'],
    ['what is revoked stays so', spec, [approved('ann'), revoked('ann'), approved('bob')], 'Revoked'],
  ] as const)('%s', (_name, given, decisions, phase) => {
    const {status} = afterDecisions(given, decisions);
    expect(status.phase).toBe(phase);
    expect(status.decision).toBeUndefined();
  });

  test('is recorded with the operator’s clock', () => {
    const {status, slot} = advance(input({status: approved('ann'), nowMilliseconds: opened + 1500}));
    const decision = {outcome: 'Approved', reason: 'fine', username: 'ann', time: '2026-01-01T12:00:01.500Z'};
    expect(status.decisions).toEqual([decision]);
    expect(slot).toEqual({kind: 'Counted', decision});
  });

  test.each([
    ['after the time ran out', approved('ann'), expires, 'RequestExpired'],
    ['without a username', {decision: {outcome: 'Approved'}}, opened, 'ApproverUnknown'],
    ['of the agent', approved('agent:bot'), opened, 'ApproverIsAgent'],
    [
      'after the grant was spent',
      {...approved('ann'), consumedBy: {proxy: 'p', auditID: 'a', time: 't'}},
      opened,
      'RequestFinished',
    ],
  ] as const)('%s is taken out of the slot and not recorded', (_name, status, nowMilliseconds, because) => {
    const next = advance(input({status, nowMilliseconds}));
    expect(next.slot).toMatchObject({kind: 'Ignored', because});
    expect(next.status.decision).toBeUndefined();
    expect(next.status.decisions).toBeUndefined();
  });

  test('waits in the slot while the admission policies do not stand, and is counted when they do', () => {
    const held = advance(input({status: approved('ann'), standing: fallen}));
    expect(held.status).toMatchObject({phase: 'Pending', ...approved('ann')});
    expect(held.status.conditions).toContainEqual(
      expect.objectContaining({type: 'Approved', status: 'False', reason: 'AdmissionPolicyMissing'}),
    );
    expect(advance(input({status: held.status})).phase).toBe('Approved');
  });
});

describe('time', () => {
  const granted = advance(input({status: approved('ann')})).status;
  test.each([
    ['pending, a millisecond before', {}, expires - 1, 'Pending'],
    ['pending, at the moment', {}, expires, 'Expired'],
    ['approved, a millisecond before', granted, expires - 1, 'Approved'],
    ['approved, at the moment', granted, expires, 'Expired'],
    ['denied, long after', advance(input({status: denied('ann')})).status, expires + 1e9, 'Denied'],
  ] as const)('%s', (_name, status, nowMilliseconds, phase) => {
    expect(advance(input({status, nowMilliseconds})).phase).toBe(phase);
  });

  test('that steps back does not bring an expired grant back', () => {
    const {status} = advance(input({status: granted, nowMilliseconds: expires}));
    expect(phaseOf(spec, status, opened)).toBe('Expired');
  });

  test('of expiry that cannot be read has passed', () => {
    expect(phaseOf({...spec, expiresAt: 'soon'}, granted, opened)).toBe('Expired');
  });
});

describe('conditions', () => {
  test('stand from the first visit on and say which generation they speak of', () => {
    const {status} = advance(input({generation: 3}));
    expect(status.observedGeneration).toBe(3);
    expect(
      status.conditions?.map(({type, status, reason, observedGeneration}) => [
        type,
        status,
        reason,
        observedGeneration,
      ]),
    ).toEqual([
      ['Approved', 'False', 'AwaitingDecisions', 3],
      ['Denied', 'False', 'NotDenied', 3],
      ['Expired', 'False', 'NotExpired', 3],
      ['Consumed', 'False', 'NotConsumed', 3],
      ['Revoked', 'False', 'NotRevoked', 3],
    ]);
  });

  test('keep their transition time while their status stays', () => {
    const first = advance(input()).status;
    const second = advance(input({status: {...first, ...approved('ann')}, nowMilliseconds: opened + 60_000})).status;
    const times = Object.fromEntries((second.conditions ?? []).map((each) => [each.type, each.lastTransitionTime]));
    expect(times).toMatchObject({Approved: '2026-01-01T12:01:00.000Z', Denied: '2026-01-01T12:00:00.000Z'});
  });

  test('an approval stays on record after it expired', () => {
    const granted = advance(input({status: approved('ann')})).status;
    const {status} = advance(input({status: granted, nowMilliseconds: expires}));
    const held = (status.conditions ?? []).filter((each) => each.status === 'True').map(({type}) => type);
    expect(held).toEqual(['Approved', 'Expired']);
  });
});

test('a spent grant says who spent it and is final', () => {
  const granted = advance(input({status: approved('ann')})).status;
  const spent = spend({...input(), status: granted}, {proxy: 'gateway-0', auditID: 'a1'});
  expect(spent).toMatchObject({phase: 'Consumed', consumedBy: {proxy: 'gateway-0', auditID: 'a1'}});
  expect(advance(input({status: {...spent, ...denied('bob')}, nowMilliseconds: expires + 1})).phase).toBe('Consumed');
});

describe('a revocation', () => {
  const spent = spend(
    {...input(), status: advance(input({status: approved('ann')})).status},
    {proxy: 'gateway-0', auditID: 'a1'},
  );

  test('of a spent grant keeps on record who approved and who spent it', () => {
    const {status, slot} = advance(input({status: {...spent, ...revoked('ann')}, nowMilliseconds: opened + 1500}));
    const revokedBy = {username: 'ann', reason: 'enough', time: '2026-01-01T12:00:01.500Z'};
    expect(slot).toEqual({kind: 'Revoked', revokedBy});
    expect(status).toMatchObject({phase: 'Revoked', revokedBy, consumedBy: {auditID: 'a1'}});
    expect(status.decisions).toMatchObject([{outcome: 'Approved', username: 'ann'}]);
    expect(status.decision).toBeUndefined();
    expect((status.conditions ?? []).filter((each) => each.status === 'True')).toMatchObject([
      {type: 'Approved'},
      {type: 'Consumed'},
      {type: 'Revoked', reason: 'RevokedByApprover', message: 'ann revoked it: enough'},
    ]);
  });

  test('is final, whatever is decided later and however late it is', () => {
    const {status} = advance(input({status: {...spent, ...revoked('ann')}}));
    for (const later of [approved('bob'), denied('bob'), revoked('bob')]) {
      const next = advance(input({status: {...status, ...later}, nowMilliseconds: expires + 1}));
      expect(next).toMatchObject({phase: 'Revoked', slot: {kind: 'Ignored', because: 'RequestFinished'}});
      expect(next.status.revokedBy).toEqual(status.revokedBy);
    }
  });

  test('waits in the slot while the admission policies do not stand', () => {
    const held = advance(input({status: {...spent, ...revoked('ann')}, standing: fallen}));
    expect(held).toMatchObject({phase: 'Consumed', slot: {kind: 'Held'}});
    expect(advance(input({status: held.status})).phase).toBe('Revoked');
  });

  test('of what was never approved is taken out of the slot and says so', () => {
    expect(advance(input({status: revoked('ann')}))).toMatchObject({
      phase: 'Pending',
      slot: {kind: 'Ignored', because: 'NotApproved'},
    });
  });
});

test('what is written in phase or conditions never makes an approval', () => {
  const forged: AccessRequestStatus = {
    phase: 'Approved',
    conditions: [
      {
        type: 'Approved',
        status: 'True',
        reason: 'ApprovalsComplete',
        message: '',
        lastTransitionTime: '2026-01-01T12:00:00Z',
      },
    ],
  };
  expect(advance(input({status: forged})).phase).toBe('Pending');
});

describe('whatever stands in the object', () => {
  const name = fc.constantFrom('', 'ann', 'bob', 'cid', 'agent:bot');
  const outcome = fc.constantFrom('Approved' as const, 'Denied' as const);
  const slot = fc.constantFrom('Approved' as const, 'Denied' as const, 'Revoked' as const);
  const status: fc.Arbitrary<AccessRequestStatus> = fc.record(
    {
      decision: fc.record({outcome: slot, username: name}),
      decisions: fc.array(fc.record({outcome, username: name, time: fc.constant('2026-01-01T12:00:00Z')}), {
        maxLength: 4,
      }),
    },
    {requiredKeys: []},
  );
  const given = fc.record({
    spec: fc
      .record({count: fc.integer({min: 0, max: 3}), users: fc.subarray(['ann', 'bob'])})
      .map(({count, users}) => ({
        ...spec,
        count,
        approvers: {users},
      })),
    status,
    nowMilliseconds: fc.integer({min: opened, max: expires + 60_000}),
    standing: fc.constantFrom(standing, fallen),
  });

  test('a second visit changes nothing', () => {
    fc.assert(
      fc.property(given, (over) => {
        const {status} = advance(input(over));
        expect(advance(input({...over, status})).status).toEqual(status);
      }),
    );
  });

  test('approval needs enough eligible approvers, no denial, and time', () => {
    fc.assert(
      fc.property(given, (over) => {
        const {phase, status} = advance(input(over));
        if (phase !== 'Approved') {
          return;
        }
        const {users} = over.spec.approvers;
        const eligible = (status.decisions ?? []).filter(
          ({username}) => username && username !== 'agent:bot' && (users.length === 0 || users.includes(username)),
        );
        expect(eligible.every((each) => each.outcome === 'Approved')).toBe(true);
        expect(new Set(eligible.map(({username}) => username)).size).toBeGreaterThanOrEqual(
          Math.max(1, over.spec.count),
        );
        expect(over.nowMilliseconds).toBeLessThan(expires);
      }),
    );
  });
});
