import {describe, expect, test} from '@jest/globals';
import type {AccessRequestState, ConsumeRequest, OpenRequest} from '../../core/control/messages.ts';
import type {ApprovalRequirement} from '../../core/policy/decision.ts';
import {ControlRefused, ControlUnavailable} from '../control/client.ts';
import {ClientGone} from '../forward/relay.ts';
import {type ApprovalControl, type HeldRequirement, notApproved, requestApprovals, spendGrants} from './hold.ts';

function requirement(rule: string, waitSeconds = 0): ApprovalRequirement {
  return {
    policy: 'payments/agents',
    rule,
    message: '',
    policyUID: 'u',
    policyNamespace: 'payments',
    policyName: 'agents',
    policyGeneration: 1,
    unmasked: false,
    approval: {
      approvers: {groups: ['oncall'], users: []},
      count: 1,
      expireAfterSeconds: 900,
      grant: 'Once',
      waitSeconds,
    },
  };
}

function held(rule: string, waitSeconds = 0): HeldRequirement {
  const open = {namespace: 'payments', expireAfterSeconds: 900, spec: {digest: `digest-${rule}`}} as OpenRequest;
  return {requirement: requirement(rule, waitSeconds), open};
}

function state(differing: Partial<AccessRequestState> = {}): AccessRequestState {
  return {
    namespace: 'payments',
    name: 'ar-1',
    digest: 'digest-ask',
    phase: 'Pending',
    reason: '',
    approvers: [],
    expiresAt: '2026-01-01T00:15:00Z',
    expiresInMilliseconds: 900_000,
    ...differing,
  };
}

/** An operator that answers as the test says, and what it was asked. */
function operator(answers: Partial<ApprovalControl>) {
  const asked: unknown[][] = [];
  const unexpected = () => Promise.reject(new Error('not expected'));
  const control: ApprovalControl = {
    open: (request) => (answers.open ?? unexpected)(request),
    follow: (namespace, name, waitSeconds, ...rest) => {
      asked.push(['follow', namespace, name, waitSeconds]);
      return (answers.follow ?? unexpected)(namespace, name, waitSeconds, ...rest);
    },
    consume: (namespace, name, request) => {
      asked.push(['consume', namespace, name, request]);
      return (answers.consume ?? unexpected)(namespace, name, request);
    },
  };
  return {control, asked};
}

const staying = new AbortController().signal;

describe('asking for approval', () => {
  test('every rule has its AccessRequest', async () => {
    const {control} = operator({
      open: async ({spec}) => state({name: `for-${spec.digest}`, phase: 'Approved', approvers: ['ann@example.com']}),
    });
    const requested = await requestApprovals(control, [held('a'), held('b')], staying);
    expect(requested.map(({requirement, state}) => [requirement.rule, state.name])).toEqual([
      ['a', 'for-digest-a'],
      ['b', 'for-digest-b'],
    ]);
  });

  test('a rule that holds calls follows its AccessRequest for as long as it says', async () => {
    const {control, asked} = operator({
      open: async () => state(),
      follow: async () => state({phase: 'Approved'}),
    });
    const [requested] = await requestApprovals(control, [held('ask', 30)], staying);
    expect(requested?.state.phase).toBe('Approved');
    expect(asked).toEqual([['follow', 'payments', 'ar-1', 30]]);
  });

  test('a rule that does not hold calls gives what is known at once', async () => {
    const {control, asked} = operator({open: async () => state()});
    const [requested] = await requestApprovals(control, [held('ask', 0)], staying);
    expect(requested?.state.phase).toBe('Pending');
    expect(asked).toEqual([]);
  });

  test.each(['Approved', 'Denied', 'Expired', 'Consumed'] as const)('nobody waits for what is %s', async (phase) => {
    const {control, asked} = operator({open: async () => state({phase})});
    const [requested] = await requestApprovals(control, [held('ask', 30)], staying);
    expect(requested?.state.phase).toBe(phase);
    expect(asked).toEqual([]);
  });

  test.each<[string, Error, string, number]>([
    ['an operator that refuses', new ControlRefused(403, 'not your namespace'), 'ApprovalDenied', 403],
    ['a conflict that is no spending', new ControlRefused(409, 'changed'), 'ApprovalDenied', 403],
    ['an operator out of reach', new ControlUnavailable('connect ECONNREFUSED'), 'ControlUnavailable', 503],
    ['an error nobody knows', new TypeError('x'), 'ControlUnavailable', 503],
  ])('%s refuses the call: %#', async (_name, error, code, httpStatus) => {
    const {control} = operator({open: () => Promise.reject(error)});
    await expect(requestApprovals(control, [held('ask')], staying)).rejects.toMatchObject({
      name: 'Refusal',
      code,
      httpStatus,
      cause: error,
      message: `approval cannot be asked for: ${error.message}`,
    });
  });

  test('an agent that goes away while its call waits ends it', async () => {
    const gone = new AbortController();
    const {control} = operator({
      open: async () => state(),
      follow: async () => {
        gone.abort();
        throw new ControlUnavailable('aborted');
      },
    });
    await expect(requestApprovals(control, [held('ask', 30)], gone.signal)).rejects.toThrow(ClientGone);
  });
});

describe('a call that is not approved', () => {
  const refusal = (differing: Partial<AccessRequestState>, message = '') => {
    const {open} = held('ask');
    return notApproved({requirement: {...requirement('ask'), message}, open, state: state(differing)});
  };
  const details = (reason: string) => ({
    name: 'ar-1',
    group: 'lockkeeper.dev',
    kind: 'accessrequests',
    causes: [{reason, message: expect.any(String)}],
  });

  test('is told how to get approved', () => {
    expect(refusal({}, 'Secrets are made by people.')).toMatchObject({
      code: 'ApprovalPending',
      httpStatus: 403,
      details: details('AccessRequestPending'),
      message:
        'Secrets are made by people. AccessRequest payments/ar-1 (policy payments/agents, rule ask) waits for approval ' +
        'until 2026-01-01T00:15:00Z. Approve with: kubectl -n payments patch accessrequest ar-1 --subresource=status ' +
        `--type=merge -p '{"status":{"decision":{"outcome":"Approved","reason":"..."}}}' and then repeat the same call`,
    });
  });

  test.each<[Partial<AccessRequestState>, string]>([
    [
      {phase: 'Denied', approvers: ['ann@example.com'], reason: 'not on a Friday'},
      'AccessRequest payments/ar-1 (policy payments/agents, rule ask) was denied by ann@example.com: not on a Friday',
    ],
    [{phase: 'Denied'}, 'AccessRequest payments/ar-1 (policy payments/agents, rule ask) was denied'],
  ])('is told who denied it and why: %#', (differing, message) => {
    expect(refusal(differing)).toMatchObject({
      code: 'ApprovalDenied',
      httpStatus: 403,
      message,
      details: details('AccessRequestDenied'),
    });
  });

  test.each(['Expired', 'Consumed'] as const)('is told to ask again where the AccessRequest is %s', (phase) => {
    expect(refusal({phase})).toMatchObject({
      code: 'ApprovalSpent',
      httpStatus: 403,
      message: expect.stringContaining(`is ${phase}; repeat the call to ask again`),
      details: details('AccessRequestSpent'),
    });
  });

  test('one that is approved is not refused', () => {
    expect(refusal({phase: 'Approved'})).toBeUndefined();
  });
});

describe('spending grants', () => {
  const approved = (rule: string) => ({
    ...held(rule),
    state: state({name: `ar-${rule}`, phase: 'Approved', approvers: ['ann@example.com']}),
  });
  // This proxy's clock is nine minutes ahead of the operator's.
  const now = () => new Date('2026-01-01T00:09:00Z');
  const call = {auditID: 'a-1', proxy: 'proxy-1', signal: staying, now};

  test('each is consumed for this call, and says who approved', async () => {
    const {control, asked} = operator({
      consume: async (namespace, name, {digest}: ConsumeRequest) =>
        state({namespace, name, digest, phase: 'Consumed', approvers: ['ann@example.com', 'bob@example.com']}),
    });
    const grants = await spendGrants(control, [approved('a'), approved('b')], call);
    expect(grants).toEqual(
      ['a', 'b'].map((rule) => ({
        policy: 'payments/agents',
        rule,
        digest: `digest-${rule}`,
        accessRequest: `payments/ar-${rule}`,
        approvers: ['ann@example.com', 'bob@example.com'],
        expiresAtMilliseconds: Date.parse('2026-01-01T00:24:00Z'),
      })),
    );
    expect(asked).toEqual(
      ['a', 'b'].map((rule) => [
        'consume',
        'payments',
        `ar-${rule}`,
        {digest: `digest-${rule}`, proxy: 'proxy-1', auditID: 'a-1'},
      ]),
    );
  });

  test('one that somebody else spent is refused with 403 that names it', async () => {
    const {control} = operator({consume: () => Promise.reject(new ControlRefused(409, 'it is Consumed'))});
    await expect(spendGrants(control, [approved('a')], call)).rejects.toMatchObject({
      code: 'ApprovalSpent',
      httpStatus: 403,
      message: 'AccessRequest payments/ar-a: it is Consumed; repeat the call to ask again',
      details: {name: 'ar-a', kind: 'accessrequests'},
    });
  });

  test('nothing more is spent after one that cannot be', async () => {
    const {control, asked} = operator({consume: () => Promise.reject(new ControlRefused(409, 'it is Expired'))});
    await expect(spendGrants(control, [approved('a'), approved('b')], call)).rejects.toThrow('it is Expired');
    expect(asked).toHaveLength(1);
  });

  test('an operator that cannot be asked refuses the call with 503', async () => {
    const {control} = operator({consume: () => Promise.reject(new ControlUnavailable('timeout'))});
    await expect(spendGrants(control, [approved('a')], call)).rejects.toMatchObject({
      code: 'ControlUnavailable',
      httpStatus: 503,
      retryAfterSeconds: 5,
    });
  });

  test('nothing is spent for an agent that has gone', async () => {
    const gone = new AbortController();
    gone.abort();
    const {control, asked} = operator({consume: async () => state()});
    await expect(spendGrants(control, [approved('a')], {...call, signal: gone.signal})).rejects.toThrow(ClientGone);
    expect(asked).toEqual([]);
  });
});
