import {describe, expect, test} from '@jest/globals';
import type {AccessRequestState, OpenRequest} from '../../core/control/messages.ts';
import {maskText} from '../../core/mask/createmasker.ts';
import {agent, operation} from '../../test/operations.ts';
import {bundlesOf, callOf, put, type TestPolicy} from '../../test/proxy/call.ts';
import type {ApprovalControl} from '../authorize/hold.ts';
import {ControlRefused} from '../control/client.ts';
import {ClientGone} from '../forward/relay.ts';
import {type PermittedCall, withApproval} from './approval.ts';
import {withDecision} from './decision.ts';

const operations = [{verbs: ['create'], apiGroups: [''], resources: ['secrets']}];
const ask = (name = 'ask', differing: object = {}) =>
  ({name, effect: 'RequireApproval', operations, approval: {wait: '30s', ...differing}}) as const;
const allow = {name: 'allow', effect: 'Allow', operations} as const;
const deny = {name: 'deny', effect: 'Deny', operations, message: 'frozen'} as const;

const create = operation({
  verb: 'create',
  method: 'POST',
  resource: 'secrets',
  path: '/api/v1/namespaces/payments/secrets',
  requestURI: '/api/v1/namespaces/payments/secrets',
});
const now = () => new Date('2026-01-01T00:00:00Z');
const caller = agent({expiresAtMilliseconds: now().getTime() + 60_000});

/** An operator whose AccessRequests become Approved when a call waits for them, unless the test says otherwise. */
class Operator implements ApprovalControl {
  readonly opened: OpenRequest[] = [];
  readonly spent: string[] = [];
  /** While a call waits. */
  meanwhile: () => void = () => {};
  decided: Partial<AccessRequestState> = {phase: 'Approved', approvers: ['ann@example.com']};
  /** Answers one consume; the state of the spent AccessRequest otherwise. */
  refuseSpending: Error | undefined;

  async open(request: OpenRequest): Promise<AccessRequestState> {
    this.opened.push(request);
    return this.#state(`ar-${this.opened.length}`, request.spec.digest, {phase: 'Pending'});
  }

  async follow(_namespace: string, name: string): Promise<AccessRequestState> {
    this.meanwhile();
    const digest = this.opened[Number(name.slice(3)) - 1]?.spec.digest ?? '';
    return this.#state(name, digest, this.decided);
  }

  async consume(_namespace: string, name: string, {digest}: {digest: string}): Promise<AccessRequestState> {
    if (this.refuseSpending) throw this.refuseSpending;
    this.spent.push(name);
    return this.#state(name, digest, {...this.decided, phase: 'Consumed'});
  }

  #state(name: string, digest: string, differing: Partial<AccessRequestState>): AccessRequestState {
    const state = {
      phase: 'Pending',
      reason: '',
      approvers: [],
      expiresAt: '2026-01-01T00:15:00Z',
      expiresInMilliseconds: 900_000,
    } as const;
    return {namespace: 'payments', name, digest, ...state, ...differing};
  }
}

/** One call through decision and approval. */
function world(...rules: NonNullable<TestPolicy['rules']>) {
  const bundles = bundlesOf([{rules, masking: [{name: 'cards', detector: 'PAN'}]}]);
  const control = new Operator();
  const {call, log, leave} = callOf({method: 'POST', url: create.requestURI, body: '{"metadata":{"name":"db"}}'});
  const reached: PermittedCall[] = [];
  const deps = {bundles, maximumBodyBytes: 1024, now, maskText, control, proxy: 'proxy-1'};
  const filters = withDecision(
    deps,
    withApproval(deps, async (_call, each) => void reached.push(each)),
  );
  return {
    control,
    call,
    log,
    leave,
    reached,
    change: (...changed: NonNullable<TestPolicy['rules']>) => put(bundles, [{rules: changed}]),
    run: (by = caller) => filters(call, {agent: by, operation: create}),
    async annotations() {
      await call.record.refused(call.recorded(), {code: 403});
      return log.last.annotations;
    },
  };
}

test('a call whose answer could not be masked asks nobody and spends nothing', async () => {
  const {call, control, run} = world(ask());
  call.request.headers.accept = 'application/vnd.kubernetes.protobuf';
  await expect(run()).rejects.toMatchObject({code: 'NotAcceptable', httpStatus: 406});
  expect(control).toMatchObject({opened: [], spent: []});
});

test('a call that policy allows asks nobody', async () => {
  const {control, run, reached} = world(allow);
  await run();
  expect(reached).toHaveLength(1);
  expect(control.opened).toEqual([]);
});

describe('a call that needs approval', () => {
  test('goes on when it is approved while it waits, with its body, and its grant is spent', async () => {
    const {control, run, reached, annotations} = world(ask());
    await run();
    expect(control.spent).toEqual(['ar-1']);
    expect(reached[0]?.decided.body?.bytes.toString()).toBe('{"metadata":{"name":"db"}}');
    expect(reached[0]?.permitted.by).toMatchObject({
      kind: 'Grants',
      grants: [{rule: 'ask', accessRequest: 'payments/ar-1', approvers: ['ann@example.com']}],
    });
    expect(await annotations()).toMatchObject({
      'lockkeeper.dev/decision': 'Allowed',
      'lockkeeper.dev/access-request': 'payments/ar-1',
      'lockkeeper.dev/approvers': '["ann@example.com"]',
    });
  });

  test('by several rules is approved for each', async () => {
    const {control, run, reached} = world(ask('one'), ask('two'));
    await run();
    expect(control.spent).toEqual(['ar-1', 'ar-2']);
    expect(reached[0]?.permitted.by).toMatchObject({grants: [{rule: 'one'}, {rule: 'two'}]});
  });

  test.each([
    ['Pending', 'ApprovalPending'],
    ['Denied', 'ApprovalDenied'],
    ['Expired', 'ApprovalSpent'],
    ['Consumed', 'ApprovalSpent'],
    ['Revoked', 'ApprovalSpent'],
  ] as const)('is refused where its AccessRequest is %s, and spends nothing', async (phase, code) => {
    const {control, run, reached, annotations} = world(ask());
    control.decided = {phase};
    await expect(run()).rejects.toMatchObject({code, httpStatus: 403});
    expect(reached).toEqual([]);
    expect(control.spent).toEqual([]);
    expect(await annotations()).toMatchObject({
      'lockkeeper.dev/decision': 'NeedsApproval',
      'lockkeeper.dev/access-request': 'payments/ar-1',
    });
  });

  test('is refused where another call spent its grant first', async () => {
    const {control, run, reached, annotations} = world(ask());
    control.refuseSpending = new ControlRefused(409, 'it is Consumed');
    await expect(run()).rejects.toMatchObject({code: 'ApprovalSpent'});
    expect(reached).toEqual([]);
    expect(await annotations()).toMatchObject({'lockkeeper.dev/decision': 'NeedsApproval'});
  });
});

describe('while a call waited', () => {
  test('a Deny was declared: the approval does not beat it, and nothing is spent', async () => {
    const {control, run, change, reached, annotations} = world(ask());
    control.meanwhile = () => change(ask(), deny);
    await expect(run()).rejects.toMatchObject({code: 'PolicyDenied', message: expect.stringContaining('frozen')});
    expect({reached, spent: control.spent}).toEqual({reached: [], spent: []});
    expect(await annotations()).toMatchObject({
      'lockkeeper.dev/decision': 'Denied',
      'lockkeeper.dev/rule': 'deny',
      'lockkeeper.dev/access-request': 'payments/ar-1',
    });
  });

  test('every rule was taken away: it is denied', async () => {
    const {control, run, change, reached} = world(ask());
    control.meanwhile = () => change();
    await expect(run()).rejects.toMatchObject({code: 'PolicyDenied'});
    expect({reached, spent: control.spent}).toEqual({reached: [], spent: []});
  });

  test('policy came to allow it: it goes on and spends nothing', async () => {
    const {control, run, change, reached, annotations} = world(ask());
    control.meanwhile = () => change(allow);
    await run();
    expect(reached[0]?.permitted.by).toMatchObject({kind: 'Policy', rule: {rule: 'allow'}});
    expect(control.spent).toEqual([]);
    expect(await annotations()).toMatchObject({'lockkeeper.dev/decision': 'Allowed', 'lockkeeper.dev/rule': 'allow'});
  });

  test('another rule came to require approval: it must be asked for again', async () => {
    const {control, run, change, reached} = world(ask());
    control.meanwhile = () => change(ask(), ask('security'));
    await expect(run()).rejects.toMatchObject({code: 'ApprovalSpent', httpStatus: 403});
    expect({reached, spent: control.spent}).toEqual({reached: [], spent: []});
  });

  test('a rule came to grant in another way: it must be asked for again', async () => {
    const {control, run, change} = world(ask());
    control.meanwhile = () => change(ask('ask', {grant: 'Window'}));
    await expect(run()).rejects.toMatchObject({code: 'ApprovalSpent'});
    expect(control.spent).toEqual([]);
  });

  test('one of two rules was taken away: only the grant that is needed is spent', async () => {
    const {control, run, change, reached} = world(ask('one'), ask('two'));
    control.meanwhile = () => change(ask('two'));
    await run();
    expect(control.spent).toEqual(['ar-2']);
    expect(reached[0]?.permitted.by).toMatchObject({grants: [{rule: 'two'}]});
  });

  test('the token expired: it is refused with 401, and nothing is spent', async () => {
    const {control, run, reached} = world(ask());
    await expect(run(agent({expiresAtMilliseconds: now().getTime()}))).rejects.toMatchObject({code: 'Unauthenticated'});
    expect({reached, spent: control.spent}).toEqual({reached: [], spent: []});
  });

  test('the agent went away: nothing is spent', async () => {
    const {control, run, reached, leave} = world(ask());
    control.meanwhile = leave;
    await expect(run()).rejects.toThrow(ClientGone);
    expect({reached, spent: control.spent}).toEqual({reached: [], spent: []});
  });
});

test('nothing is asked for an agent that had gone before', async () => {
  const {control, run, leave} = world(ask());
  leave();
  await expect(run()).rejects.toThrow(ClientGone);
  expect(control.opened).toEqual([]);
});
