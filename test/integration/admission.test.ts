import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {ApprovalCluster, accessRequest, type Fields, type Person, timestamp, until} from './approvals.ts';

const alice: Person = {user: 'alice', groups: ['payments-oncall']};
const bob: Person = {user: 'bob', groups: ['payments-oncall']};
/** Holds the verb approve, but no policy names them. */
const carol: Person = {user: 'carol', groups: ['sre']};
/** May write the status, but not approve. */
const mallory: Person = {user: 'mallory', groups: ['status-writers']};
const agent: Person = {user: 'agent:other-bot', groups: ['payments-oncall']};
const approved = {outcome: 'Approved', reason: 'change 4711'};

// Each test is several runs of kubectl.
jest.setTimeout(30_000);

let approvals: ApprovalCluster;

beforeAll(async () => {
  approvals = await ApprovalCluster.start();
  await approvals.apply(moreRights);
}, 120_000);

afterAll(() => approvals?.cluster.stop());

const moreRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: more-approvers, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: lockkeeper-approver}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}
- {kind: ServiceAccount, name: deployer, namespace: payments}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: status-writer, namespace: payments}
rules:
- {apiGroups: [lockkeeper.dev], resources: [accessrequests/status], verbs: [get, update, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: status-writers, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: status-writer}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: status-writers}
`;

const ok = {code: 0, stderr: ''};

/** An AccessRequest on which alice has decided and which the operator has brought to that status. */
async function openIn(name: string, status: Fields, spec: Fields = {}): Promise<void> {
  await approvals.open(name, spec);
  expect(await approvals.operate(name, () => status)).toMatchObject(ok);
}

function condition(type: string): Fields {
  return {type, status: 'True', reason: 'Test', message: '', lastTransitionTime: timestamp(0)};
}

describe('a decision', () => {
  test.each(['Approved', 'Denied'])(
    'is taken from an approver, and the API server says whose it is: %s',
    async (outcome) => {
      const name = `stamped-${outcome.toLowerCase()}`;
      await approvals.open(name);
      expect(await approvals.decide(alice, name, {outcome, reason: 'change 4711'})).toMatchObject(ok);
      expect(await approvals.decision(name)).toEqual({outcome, reason: 'change 4711', username: 'alice'});
    },
  );

  test('may name its own author', async () => {
    await approvals.open('named');
    expect(await approvals.decide(alice, 'named', {...approved, username: 'alice'})).toMatchObject(ok);
  });

  test('may come by server-side apply', async () => {
    await approvals.open('applied');
    const body = {...accessRequest('applied', {}), spec: undefined, status: {decision: approved}};
    const args = ['apply', '--server-side', '--subresource=status', '-f', '-'];
    expect(await approvals.kubectl(alice, args, body)).toMatchObject({code: 0});
    expect(await approvals.decision('applied')).toEqual({...approved, username: 'alice'});
  });

  test('with somebody else’s name is refused, not corrected', async () => {
    await approvals.open('forged');
    const {stderr} = await approvals.decide(alice, 'forged', {...approved, username: 'bob'});
    expect(stderr).toContain('status.decision.username: must be who decides, alice, not "bob"');
  });

  test('by someone without the verb approve is refused', async () => {
    await approvals.open('unentitled');
    const {stderr} = await approvals.decide(mallory, 'unentitled', approved);
    expect(stderr).toContain('mallory lacks the RBAC verb approve on accessrequests in namespace payments');
  });

  test('by someone without any right is refused by RBAC', async () => {
    await approvals.open('stranger');
    const {stderr} = await approvals.decide({user: 'stranger'}, 'stranger', approved);
    expect(stderr).toContain('User "stranger" cannot');
  });

  test('by the agent itself is refused, though it may approve', async () => {
    const username = 'system:serviceaccount:payments:deployer';
    await approvals.open('oneself', {agent: {username}, approvers: {}});
    const {stderr} = await approvals.decide({user: username}, 'oneself', approved);
    expect(stderr).toContain('the agent that made the call cannot decide on it itself');
  });

  test('by any agent is refused, though it is in the approvers’ group', async () => {
    await approvals.open('agent');
    const {stderr} = await approvals.decide(agent, 'agent', approved);
    expect(stderr).toContain('agent:other-bot is an agent: agents cannot write objects of lockkeeper.dev');
  });

  test.each<[string, Fields]>([
    ['groups', {groups: ['payments-oncall', 'security']}],
    ['users', {users: ['alice']}],
    ['groups and users', {groups: ['payments-oncall'], users: ['dave']}],
  ])('by an approver whom the policy does not name is refused: %s', async (kind, approvers) => {
    const name = `unnamed-${kind.replaceAll(' ', '-')}`;
    await approvals.open(name, {approvers});
    const {stderr} = await approvals.decide(carol, name, approved);
    expect(stderr).toContain('the policy asks for other approvers than carol: one of the groups [');
    expect(await approvals.decide(alice, name, approved)).toMatchObject(ok);
  });

  test('by whoever holds the verb approve is taken where the policy names nobody', async () => {
    await approvals.open('anybody', {approvers: {groups: [], users: []}});
    expect(await approvals.decide(carol, 'anybody', approved)).toMatchObject(ok);
  });

  test.each<[string, Fields]>([
    ['observedGeneration', {observedGeneration: 7}],
    ['decisions', {decisions: [{outcome: 'Approved', username: 'bob', time: '2026-01-01T00:00:00Z'}]}],
    ['phase', {phase: 'Approved'}],
    ['conditions', {conditions: [condition('Approved')]}],
    ['consumedBy', {consumedBy: {proxy: 'a', auditID: 'b', time: '2026-01-01T00:00:00Z'}}],
    ['revokedBy', {revokedBy: {username: 'alice', time: '2026-01-01T00:00:00Z'}}],
  ])('that comes with %s is refused', async (field, more) => {
    const name = `more-${field.toLowerCase()}`;
    await approvals.open(name);
    const {stderr} = await approvals.patchStatus(alice, name, {decision: approved, ...more});
    expect(stderr).toContain('status.decision is all that an approver writes');
  });

  test('leaves the spec as it is', async () => {
    await approvals.open('spec');
    const patch = JSON.stringify({spec: {count: 2}, status: {decision: approved}});
    const args = ['patch', 'areq', 'spec', '--type=merge', '-p', patch];
    expect((await approvals.kubectl(undefined, args)).stderr).toContain('the spec of an AccessRequest never changes');
    expect(await approvals.kubectl(alice, [...args, '--subresource=status'])).toMatchObject(ok);
    expect((await approvals.read('spec')).spec).toMatchObject({count: 1});
  });
});

describe('the slot that holds a decision not recorded yet', () => {
  test.each<[string, Fields | null]>([
    ['another decision', {outcome: 'Denied'}],
    ['the same decision, which would be lost', approved],
    ['another decision under the first one’s name', {outcome: 'Denied', username: 'alice'}],
    ['another decision under one’s own name', {outcome: 'Denied', username: 'bob'}],
    ['another decision without a name', {outcome: 'Denied', username: null}],
    ['nothing', null],
  ])('is not overwritten by somebody else with %s', async (what, decision) => {
    const name = `taken-${what.replace(/[^a-z]+/g, '-')}`;
    await approvals.open(name);
    expect(await approvals.decide(alice, name, approved)).toMatchObject(ok);
    const {stderr} = await approvals.decide(bob, name, decision);
    expect(stderr).toContain('the decision of alice stands here and is not recorded yet; try again in a moment');
  });

  test.each<[string, Fields | null]>([
    ['changed', {outcome: 'Denied'}],
    ['written again', approved],
    ['taken back', null],
  ])('may be %s by its author', async (what, decision) => {
    const name = `own-${what.replace(' ', '-')}`;
    await approvals.open(name);
    expect(await approvals.decide(alice, name, approved)).toMatchObject(ok);
    expect(await approvals.decide(alice, name, decision)).toMatchObject(ok);
  });
});

describe('a further decision', () => {
  test('by the same person is refused, by another taken', async () => {
    await approvals.open('two-needed', {count: 2});
    expect(await approvals.decide(alice, 'two-needed', approved)).toMatchObject(ok);
    await approvals.drain('two-needed');
    const again = await approvals.decide(alice, 'two-needed', approved);
    expect(again.stderr).toContain('alice has decided already, and a decision is final');
    expect(await approvals.decide(bob, 'two-needed', approved)).toMatchObject(ok);
    expect(await approvals.decision('two-needed')).toEqual({...approved, username: 'bob'});
  });

  test.each<[string, Fields]>([
    ['Denied', {phase: 'Denied'}],
    ['Expired', {phase: 'Expired'}],
    ['Consumed', {phase: 'Consumed'}],
    ['Denied', {conditions: [condition('Denied')]}],
    ['Expired', {conditions: [condition('Expired')]}],
    ['Consumed', {conditions: [condition('Consumed')]}],
    ['Consumed', {consumedBy: {proxy: 'a', auditID: 'b', time: '2026-01-01T00:00:00Z'}}],
    ['Revoked', {phase: 'Revoked'}],
    ['Revoked', {conditions: [condition('Revoked')]}],
  ])('on a request that is %s is refused: %j', async (phase, status) => {
    const name = `finished-${phase.toLowerCase()}-${Object.keys(status)[0]?.toLowerCase()}`;
    await openIn(name, status);
    for (const outcome of ['Approved', 'Denied']) {
      const {stderr} = await approvals.decide(alice, name, {outcome});
      expect(stderr).toMatch(/status\.decision: the AccessRequest is \w+ already; if the agent still needs the call/);
    }
  });

  test.each<[string, Fields]>([
    ['phase', {phase: 'Approved'}],
    ['condition', {conditions: [condition('Approved')]}],
  ])('on an approved request may only deny or revoke: by %s', async (field, status) => {
    await openIn(`approved-${field}`, status);
    const {stderr} = await approvals.decide(alice, `approved-${field}`, approved);
    expect(stderr).toContain('the AccessRequest is Approved already; it can only be Denied or Revoked');
    expect(await approvals.decide(alice, `approved-${field}`, {outcome: 'Denied'})).toMatchObject(ok);
  });
});

describe('a revocation', () => {
  const revoked = {outcome: 'Revoked', reason: 'incident is over'};
  const consumedBy = {proxy: 'a', auditID: 'b', time: '2026-01-01T00:00:00Z'};
  const granted = {decisions: [{...approved, username: 'alice', time: '2026-01-01T00:00:00Z'}], phase: 'Approved'};

  /** An AccessRequest that alice has approved. */
  async function grantedIn(name: string, more: Fields = {}, spec: Fields = {}): Promise<void> {
    await approvals.open(name, spec);
    expect(await approvals.decide(alice, name, approved)).toMatchObject(ok);
    const {stderr} = await approvals.operate(name, () => ({...granted, ...more}));
    expect(stderr).toBe('');
  }

  test.each<[string, Person, Fields]>([
    ['who approved it, while it is unused', alice, {}],
    ['another approver, while it is unused', bob, {}],
    ['who approved it, once it is spent', alice, {phase: 'Consumed', consumedBy}],
    ['another approver, once it is spent', bob, {phase: 'Consumed', consumedBy}],
  ])('is taken from %s', async (what, person, status) => {
    const name = `revoked-by-${what.replace(/[^a-z]+/g, '-')}`;
    await grantedIn(name, status);
    expect(await approvals.decide(person, name, revoked)).toMatchObject(ok);
    expect(await approvals.decision(name)).toEqual({...revoked, username: person.user});
    expect((await approvals.drainRevocation(name)).stderr).toBe('');
    expect((await approvals.read(name)).status).toMatchObject({
      phase: 'Revoked',
      decisions: [{username: 'alice'}],
      revokedBy: {username: person.user, reason: 'incident is over'},
    });
  });

  test.each<[string, Person, string]>([
    ['without the verb approve', mallory, 'mallory lacks the RBAC verb approve'],
    ['whom the policy does not name', carol, 'the policy asks for other approvers than carol'],
    ['who is an agent', agent, 'agents cannot write objects of lockkeeper.dev'],
  ])('by someone %s is refused', async (what, person, message) => {
    const name = `unrevoked-${what.replaceAll(' ', '-')}`;
    await grantedIn(name);
    expect((await approvals.decide(person, name, revoked)).stderr).toContain(message);
  });

  test('by the agent itself is refused', async () => {
    const username = 'system:serviceaccount:payments:deployer';
    await grantedIn('unrevoked-oneself', {}, {agent: {username}, approvers: {}});
    const {stderr} = await approvals.decide({user: username}, 'unrevoked-oneself', revoked);
    expect(stderr).toContain('the agent that made the call cannot decide on it itself');
  });

  test('under somebody else’s name is refused', async () => {
    await grantedIn('unrevoked-forged');
    const {stderr} = await approvals.decide(bob, 'unrevoked-forged', {...revoked, username: 'alice'});
    expect(stderr).toContain('status.decision.username: must be who decides, bob, not "alice"');
  });

  test('of what is not approved is refused', async () => {
    await approvals.open('unrevoked-pending', {count: 2});
    const {stderr} = await approvals.decide(alice, 'unrevoked-pending', revoked);
    expect(stderr).toContain('the AccessRequest is not approved, so there is nothing to revoke; it can be Denied');
  });

  test.each(['Denied', 'Expired', 'Revoked'])('of what is %s is refused', async (phase) => {
    const name = `unrevoked-${phase.toLowerCase()}`;
    await openIn(name, {phase, conditions: [condition('Approved')]});
    const {stderr} = await approvals.decide(alice, name, revoked);
    expect(stderr).toContain(`the AccessRequest is ${phase} already`);
  });

  test.each<[string, (status: Fields) => Fields, string]>([
    [
      'record one that nobody made',
      () => ({...granted, revokedBy: {username: 'alice', time: consumedBy.time}}),
      'revoke',
    ],
    [
      'record a denial as one',
      ({decision: _, ...rest}) => ({...rest, revokedBy: {username: 'bob', time: consumedBy.time}}),
      'deny',
    ],
    [
      'record it for somebody else',
      ({decision: _, ...rest}) => ({...rest, revokedBy: {username: 'alice', time: consumedBy.time}}),
      'revoke',
    ],
    [
      'record it and leave it in the slot',
      (status) => ({...status, revokedBy: {username: 'bob', time: consumedBy.time}}),
      'revoke',
    ],
  ])('is recorded as it was made: the operator cannot %s', async (what, change, bobs) => {
    const name = `cannot-${what.replaceAll(' ', '-')}`;
    await grantedIn(name);
    if (what !== 'record one that nobody made') {
      expect(await approvals.decide(bob, name, {outcome: bobs === 'deny' ? 'Denied' : 'Revoked'})).toMatchObject(ok);
    }
    const {stderr} = await approvals.operate(name, change);
    expect(stderr).toContain(
      'the Lockkeeper operator records the revocation that stood in status.decision and no other',
    );
  });

  test('is never taken back', async () => {
    await grantedIn('revoked-for-good');
    await approvals.decide(alice, 'revoked-for-good', revoked);
    expect((await approvals.drainRevocation('revoked-for-good')).stderr).toBe('');
    const {stderr} = await approvals.operate('revoked-for-good', ({revokedBy: _, ...rest}) => ({
      ...rest,
      phase: 'Approved',
    }));
    expect(stderr).toContain('records the revocation that stood in status.decision and no other');
  });
});

describe('a decision after expiry, before the operator has noticed', () => {
  const expired =
    /status\.decision: the AccessRequest expired at .*; if the agent still needs the call it must make it again/;
  const entry = {
    manager: 'kubectl-patch',
    operation: 'Update',
    apiVersion: 'lockkeeper.dev/v1alpha1',
    time: '2019-01-01T00:00:00Z',
    fieldsType: 'FieldsV1',
  };
  const ofSpec = {...entry, manager: 'x', fieldsV1: {'f:spec': {}}};
  const ofDecision = {...entry, subresource: 'status', fieldsV1: {'f:status': {'f:decision': {'f:outcome': {}}}}};

  test('is refused by the API server’s own time', async () => {
    await approvals.open('late', {expiresAt: timestamp(-60)});
    expect((await approvals.decide(alice, 'late', approved)).stderr).toMatch(expired);
  });

  test('is refused whatever times the decision brings along', async () => {
    await approvals.open('late-forged', {expiresAt: timestamp(-60)});
    const patch = JSON.stringify({metadata: {managedFields: [ofSpec]}, status: {decision: approved}});
    const args = ['patch', 'areq', 'late-forged', '--subresource=status', '--type=merge', '-p', patch];
    expect((await approvals.kubectl(alice, args)).stderr).toMatch(expired);
  });

  test.each<[string, Fields[]]>([
    ['an old time for another field', [ofSpec]],
    ['an old time for the decision', [ofDecision]],
    ['none at all', [{}]],
  ])('is refused where somebody wrote %s into managedFields', async (what, managedFields) => {
    const name = `late-${what.replaceAll(' ', '-')}`;
    await approvals.open(name, {expiresAt: timestamp(-60)});
    const patch = JSON.stringify({metadata: {managedFields}});
    expect(await approvals.kubectl(undefined, ['patch', 'areq', name, '--type=merge', '-p', patch])).toMatchObject(ok);
    expect((await approvals.decide(alice, name, approved)).stderr).toMatch(expired);
    expect((await approvals.decide(alice, name, {...approved, username: 'alice'})).stderr).toMatch(expired);
  });
});

describe('the operator', () => {
  test('opens AccessRequests, and nobody else does', async () => {
    await approvals.open('opened');
    for (const person of [undefined, {user: 'root', groups: ['system:masters']}]) {
      const {stderr} = await approvals.kubectl(person, ['create', '-f', '-'], accessRequest('by-hand', {}));
      expect(stderr).toContain('AccessRequests are opened by the Lockkeeper operator alone');
    }
  });

  test('records the decision in the slot and empties it', async () => {
    await approvals.open('drained');
    await approvals.decide(alice, 'drained', approved);
    await approvals.drain('drained');
    expect((await approvals.read('drained')).status).toEqual({
      decisions: [{...approved, username: 'alice', time: expect.any(String)}],
    });
  });

  const time = '2026-01-01T00:00:00Z';
  test.each<[string, (status: Fields) => Fields, string]>([
    ['decide', () => ({decision: {...approved, username: 'bob'}}), 'empties the slot and never decides'],
    [
      'turn a decision',
      () => ({decision: {outcome: 'Denied', username: 'alice'}}),
      'empties the slot and never decides',
    ],
    [
      'record what nobody decided',
      (status) => ({...status, decisions: [{...approved, username: 'bob', time}]}),
      'records the decision that stood in status.decision and no other',
    ],
    [
      'record the opposite',
      () => ({decisions: [{outcome: 'Denied', username: 'alice', time}]}),
      'records the decision that stood in status.decision and no other',
    ],
    [
      'record a decision and leave it in the slot',
      (status) => ({...status, decisions: [{...approved, username: 'alice', time}]}),
      'records the decision that stood in status.decision and no other',
    ],
  ])('cannot %s', async (what, change, message) => {
    const name = `cannot-${what.replaceAll(' ', '-')}`;
    await approvals.open(name);
    await approvals.decide(alice, name, approved);
    expect((await approvals.operate(name, change)).stderr).toContain(message);
  });

  test('has the labels and annotations to itself', async () => {
    await approvals.open('labelled');
    for (const verb of ['label', 'annotate']) {
      const {stderr} = await approvals.kubectl(undefined, [verb, 'areq', 'labelled', 'lockkeeper.dev/digest=x']);
      expect(stderr).toContain('labels and annotations of an AccessRequest are the Lockkeeper operator');
    }
  });

  test('does not keep garbage collection from its finalizers', async () => {
    await approvals.open('finalized');
    for (const finalizers of [['example.com/wait'], []]) {
      const patch = JSON.stringify({metadata: {finalizers}});
      const patched = await approvals.kubectl(undefined, ['patch', 'areq', 'finalized', '--type=merge', '-p', patch]);
      expect(patched).toMatchObject(ok);
    }
  });
});

describe('an agent, whatever RBAC grants it', () => {
  const powerful: Person = {user: 'agent:admin', groups: ['system:masters']};
  const policy = {
    apiVersion: 'lockkeeper.dev/v1alpha1',
    kind: 'AgentAccessPolicy',
    metadata: {name: 'mine', namespace: 'payments'},
    spec: {subjects: [{kind: 'User', name: '*'}]},
  };

  test.each<[string, string[], unknown]>([
    ['create a policy', ['create', '-f', '-'], policy],
    [
      'change a policy',
      ['patch', 'aap', 'no-secrets', '--type=merge', '-p', '{"spec":{"enforcementMode":"DryRun"}}'],
      undefined,
    ],
    [
      'change a policy’s status',
      ['patch', 'aap', 'no-secrets', '--subresource=status', '--type=merge', '-p', '{"status":{"revision":"1"}}'],
      undefined,
    ],
    ['delete a policy', ['delete', 'aap', 'no-secrets'], undefined],
    ['delete all policies', ['delete', 'aap', '--all'], undefined],
    ['delete an AccessRequest', ['delete', 'areq', 'probe'], undefined],
  ])('cannot %s', async (_, args, input) => {
    const {code, stderr} = await approvals.kubectl(powerful, args, input);
    expect(stderr).toContain('agent:admin is an agent: agents cannot write objects of lockkeeper.dev');
    expect(code).toBe(1);
  });

  test('cannot open an AccessRequest', async () => {
    const {stderr} = await approvals.kubectl(powerful, ['create', '-f', '-'], accessRequest('mine', {}));
    expect(stderr).toMatch(/ValidatingAdmissionPolicy 'lockkeeper-(agents|accessrequests)' .* denied request/);
  });

  test('can write what is not lockkeeper.dev’s', async () => {
    expect(await approvals.kubectl(powerful, ['create', 'configmap', 'mine'])).toMatchObject(ok);
  });
});

describe('without the MutatingAdmissionPolicy, as before Kubernetes 1.36', () => {
  beforeAll(async () => {
    await approvals.cluster.mustKubectl(['delete', 'mutatingadmissionpolicybinding', 'lockkeeper-accessrequests']);
    await approvals.cluster.mustKubectl(['delete', 'mutatingadmissionpolicy', 'lockkeeper-accessrequests']);
    await approvals.open('nameless');
    await until(async () => (await approvals.decide(alice, 'nameless', approved, '--dry-run=server')).code !== 0);
  });

  test('a decision without a name is refused and says which name to give', async () => {
    const {stderr} = await approvals.decide(alice, 'nameless', approved);
    expect(stderr).toContain('status.decision.username: must be who decides, alice, not ""');
  });

  test('approvers name themselves, and nobody else', async () => {
    expect((await approvals.decide(alice, 'nameless', {...approved, username: 'bob'})).code).toBe(1);
    expect(await approvals.decide(alice, 'nameless', {...approved, username: 'alice'})).toMatchObject(ok);
    expect(await approvals.decision('nameless')).toEqual({...approved, username: 'alice'});
  });
});
