import {describe, expect, test} from '@jest/globals';
import {select} from '../../core/policy/evaluate.ts';
import {approve, decide} from '../../core/policy/permitted.ts';
import type {Operation} from '../../core/request/operation.ts';
import {agent, operation} from '../../test/operations.ts';
import {bundleOf, type TestPolicy} from '../../test/proxy/call.ts';
import {digestFor} from '../path/held.ts';
import {Refusal} from '../path/refusal.ts';
import {Bundles} from './bundles.ts';
import {LiveCalls} from './live.ts';

const operations = [{verbs: ['watch'], apiGroups: [''], resources: ['pods']}];
const allow = {name: 'allow', effect: 'Allow', operations} as const;
const deny = {name: 'deny', effect: 'Deny', operations, message: 'frozen'} as const;
const ask = (name = 'ask') =>
  ({name, effect: 'RequireApproval', operations, approval: {grant: 'Window' as const}}) as const;
const masking: NonNullable<TestPolicy['masking']> = [{name: 'cards', detector: 'PAN'}];
const started = Date.parse('2026-01-01T00:00:00Z');

interface Admitted extends Partial<Pick<Operation, 'verb' | 'namespace' | 'subresource'>> {
  readonly expiresAtMilliseconds?: number;
  /** Of the grant, where the policy asks for one. */
  readonly grantExpiresAtMilliseconds?: number;
  readonly end?: (refusal: Refusal) => void;
}

/** Live calls of agents, under policies and a clock in the test's hands. */
function world(...policies: readonly TestPolicy[]) {
  const clock = {now: started, slice: 0};
  const bundles = new Bundles({maximumStalenessSeconds: 60, now: () => clock.now});
  let revision = 0;
  const change = (...changed: readonly TestPolicy[]) => {
    bundles.heard();
    bundles.offer(bundleOf(changed, String(++revision)), 'test');
  };
  change(...policies);
  const followed = new Map<string, number>();
  const objections = new Map<string, Refusal>();
  const counted: string[] = [];
  const errors: unknown[] = [];
  const live = new LiveCalls({
    bundles,
    grants: {
      follow(accessRequest) {
        followed.set(accessRequest, (followed.get(accessRequest) ?? 0) + 1);
        return {
          objection: () => objections.get(accessRequest),
          release: () => followed.set(accessRequest, (followed.get(accessRequest) ?? 0) - 1),
        };
      },
    },
    now: () => new Date(clock.now),
    elapsed: () => (clock.slice += 1),
    ended: ({code}) => void counted.push(code),
    onInternalError: (error) => void errors.push(error),
  });

  /** What the filters would have established for a watch that is permitted now. */
  function permittedCall(of: Admitted) {
    const {verb = 'watch', namespace = 'payments', subresource = ''} = of;
    const caller = agent({expiresAtMilliseconds: of.expiresAtMilliseconds ?? started + 3_600_000});
    const target = operation({verb, namespace, subresource});
    if (bundles.current === undefined) throw new Error('no policies');
    const decision = decide(select(bundles.current, caller, target), {now: new Date(clock.now)});
    if (decision.outcome === 'Denied') throw new Error(decision.reason);
    const decided = {agent: caller, operation: target, rootNamespace: 'lockkeeper-system', decision, body: undefined};
    if (decision.outcome === 'Allowed') return {decided, permitted: decision.permitted};
    const grants = decision.requirements.map(({policy, rule, ...requirement}) => ({
      policy,
      rule,
      digest: digestFor({policy, rule, ...requirement}, decided),
      accessRequest: `payments/${rule}-1`,
      approvers: ['ann@example.com'],
      expiresAtMilliseconds: of.grantExpiresAtMilliseconds ?? started + 900_000,
    }));
    const permitted = approve(decision, (requirement) => digestFor(requirement, decided), grants);
    return {decided, permitted};
  }

  function admit(of: Admitted = {}) {
    const ended: Refusal[] = [];
    const release = live.admit(permittedCall(of), (refusal) => {
      ended.push(refusal);
      of.end?.(refusal);
    });
    return {ended, release};
  }

  return {live, bundles, clock, change, followed, objections, counted, errors, admit, permittedCall};
}

const allowing = {rules: [allow]};
const asking = {rules: [ask()]};

test('a call goes on while nothing changes', async () => {
  const {live, admit, clock, bundles} = world(allowing);
  const {ended} = admit();
  await live.sweep();
  clock.now += 3_599_999;
  bundles.heard();
  await live.sweep();
  expect(ended).toEqual([]);
});

test('a call ends with its token', async () => {
  const {live, admit, clock, counted} = world(allowing);
  const {ended} = admit({expiresAtMilliseconds: started + 1000});
  const other = admit({expiresAtMilliseconds: started + 1001});
  clock.now += 1000;
  await live.sweep();
  expect(ended).toMatchObject([
    {code: 'Unauthenticated', httpStatus: 401, message: expect.stringContaining('expired')},
  ]);
  expect(other.ended).toEqual([]);
  expect(counted).toEqual(['Unauthenticated']);
});

test('a call ends once, and one that is over is not ended', async () => {
  const {live, admit, change, counted} = world(allowing);
  const {ended, release} = admit();
  const over = admit();
  over.release();
  change();
  await live.sweep();
  release();
  await live.sweep();
  expect(ended).toHaveLength(1);
  expect(over.ended).toEqual([]);
  expect(counted).toEqual(['PolicyDenied']);
});

describe('when other policies come into force, a call', () => {
  test.each<[string, TestPolicy, TestPolicy, object | undefined]>([
    ['that they allow goes on', allowing, {rules: [allow, {...deny, operations: []}]}, undefined],
    ['that they allow by another rule goes on', allowing, {rules: [{...allow, name: 'other'}]}, undefined],
    [
      'that a rule denies ends',
      allowing,
      {rules: [allow, deny]},
      {code: 'PolicyDenied', httpStatus: 403, message: expect.stringContaining('frozen')},
    ],
    ['that no rule allows ends', allowing, {rules: []}, {code: 'PolicyDenied', httpStatus: 403}],
    [
      'that now needs an approval ends',
      allowing,
      {rules: [allow, ask()]},
      {code: 'ApprovalRequired', httpStatus: 403, message: expect.stringContaining('policy payments/agents, rule ask')},
    ],
    ['that needs no approval any more goes on', asking, allowing, undefined],
    ['that needs the approval that it has goes on', asking, {rules: [ask(), allow]}, undefined],
    ['that needs another approval too ends', asking, {rules: [ask(), ask('second')]}, {code: 'ApprovalRequired'}],
    ['whose approval was for another rule ends', asking, {rules: [ask('other')]}, {code: 'ApprovalRequired'}],
    ['that is denied whoever approved it ends', asking, {rules: [ask(), deny]}, {code: 'PolicyDenied'}],
    [
      'whose answer is to be masked by now ends',
      allowing,
      {...allowing, masking},
      {code: 'ObligationsChanged', httpStatus: 503},
    ],
    ['whose answer need not be masked any more goes on', {...allowing, masking}, allowing, undefined],
    [
      'of which more is to be looked through ends',
      {...allowing, masking},
      {...allowing, masking: [{name: 'cards', detector: 'PAN', decode: ['Base64']}]},
      {code: 'ObligationsChanged'},
    ],
    [
      'of which as much is hidden by another entry goes on',
      {...allowing, masking},
      {...allowing, masking: [{name: 'other', detector: 'PAN'}]},
      undefined,
    ],
    [
      'whose answer is no longer to be shown unmasked ends',
      {rules: [{...allow, unmasked: true}], masking},
      {...allowing, masking},
      {code: 'ObligationsChanged'},
    ],
    [
      'whose answer could be shown unmasked by now goes on',
      {...allowing, masking},
      {rules: [{...allow, unmasked: true}], masking},
      undefined,
    ],
    [
      'whose answer cannot be masked by now ends',
      allowing,
      {...allowing, masking: [{name: 'x', detector: 'Iris' as never}]},
      {code: 'ObligationsChanged'},
    ],
  ])('%s', async (_name, before, after, refusal) => {
    const {live, admit, change, followed} = world(before);
    const {ended} = admit();
    change(after);
    await live.sweep();
    expect(ended).toEqual(refusal === undefined ? [] : [expect.objectContaining(refusal)]);
    expect([...followed.values()].every((calls) => calls === (refusal === undefined ? 1 : 0))).toBe(true);
  });

  test.each([
    ['exec', [{code: 'ObligationsChanged', httpStatus: 503}]],
    ['portforward', []],
  ])('of what is sent to a command is to be recorded by now ends, and others go on: %s', async (subresource, ended) => {
    const into = {
      verbs: ['create' as const],
      apiGroups: [''],
      resources: ['pods'],
      subresources: ['exec', 'portforward'],
    };
    const rules = [{name: 'into', effect: 'Allow' as const, operations: [into]}];
    const {live, permittedCall, change} = world({rules});
    const refusals: Refusal[] = [];
    live.admit(permittedCall({verb: 'create', subresource}), (refusal) => void refusals.push(refusal));
    change({rules, audit: {level: 'Metadata', recordInput: true}});
    await live.sweep();
    expect(refusals).toMatchObject(ended);
  });

  test('is asked about once', async () => {
    const {live, admit, change, bundles} = world(allowing);
    admit();
    change(allowing, {name: 'more', rules: [allow]});
    let asked = 0;
    const {current} = bundles;
    if (current === undefined) throw new Error('no policies');
    const applicable = current.applicable.bind(current);
    current.applicable = (...of) => {
      asked++;
      return applicable(...of);
    };
    await live.sweep();
    await live.sweep();
    expect(asked).toBe(1);
  });

  test('that was decided before and begins only now ends', async () => {
    const {live, permittedCall, change} = world(allowing);
    const call = permittedCall({});
    change({rules: [deny]});
    const ended: Refusal[] = [];
    live.admit(call, (refusal) => void ended.push(refusal));
    expect(ended).toEqual([]);
    await live.sweep();
    expect(ended).toMatchObject([{code: 'PolicyDenied'}]);
  });

  test('that cannot be decided ends', async () => {
    const {live, permittedCall} = world(allowing);
    const {decided, permitted} = permittedCall({});
    const ended: Refusal[] = [];
    live.admit(
      {
        decided: {
          ...decided,
          get agent(): never {
            throw new TypeError('broken');
          },
        },
        permitted,
      },
      (refusal) => void ended.push(refusal),
    );
    await live.sweep();
    expect(ended).toMatchObject([{code: 'Internal', httpStatus: 500}]);
  });
});

describe('a call that lives on a grant', () => {
  test('ends with it', async () => {
    const {live, admit, clock} = world(asking);
    const {ended} = admit({grantExpiresAtMilliseconds: started + 5_000});
    clock.now += 4_999;
    await live.sweep();
    expect(ended).toEqual([]);
    clock.now += 1;
    await live.sweep();
    expect(ended).toMatchObject([
      {code: 'ApprovalExpired', httpStatus: 403, message: expect.stringContaining('AccessRequest payments/ask-1')},
    ]);
  });

  test('ends where nobody knows how long that lasts', async () => {
    const {live, admit} = world(asking);
    const {ended} = admit({grantExpiresAtMilliseconds: Number.NaN});
    await live.sweep();
    expect(ended).toMatchObject([{code: 'ApprovalExpired'}]);
  });

  test('ends when the grant is good no longer, and others go on', async () => {
    const {live, admit, objections, followed} = world(
      {rules: [ask()]},
      {name: 'b', namespace: 'billing', rules: [ask('audit')]},
    );
    const [one, same, other] = [admit(), admit(), admit({namespace: 'billing'})];
    objections.set('payments/ask-1', new Refusal('ApprovalRevoked', 403, 'AccessRequest payments/ask-1 was deleted'));
    await live.sweep();
    expect([one.ended, same.ended]).toMatchObject([[{code: 'ApprovalRevoked'}], [{code: 'ApprovalRevoked'}]]);
    expect(other.ended).toEqual([]);
    expect(Object.fromEntries(followed)).toEqual({'payments/ask-1': 0, 'payments/audit-1': 1});
  });

  test('ends when nobody could take the grant back any more; one that policy allows goes on', async () => {
    const {live, admit, clock} = world(asking, {name: 'b', namespace: 'billing', rules: [allow]});
    const [granted, allowed] = [admit(), admit({namespace: 'billing'})];
    clock.now += 60_000;
    await live.sweep();
    expect(granted.ended).toEqual([]);
    clock.now += 1;
    await live.sweep();
    expect(granted.ended).toMatchObject([{code: 'StaleBundle', httpStatus: 503}]);
    expect(allowed.ended).toEqual([]);
  });
});

test('a call that cannot be ended does not keep the others going', async () => {
  const {live, admit, change, errors} = world(allowing);
  admit({
    end: () => {
      throw new Error('stuck');
    },
  });
  const other = admit();
  change();
  await live.sweep();
  expect(other.ended).toHaveLength(1);
  expect(errors).toMatchObject([{message: 'stuck'}]);
});

describe('a sweep', () => {
  test('lets other work go on in between, and a call that is over by then is left alone', async () => {
    const {live, admit, change, clock} = world(allowing);
    const calls = Array.from({length: 100}, () => admit());
    change();
    let turns = 0;
    const turn = () => {
      turns++;
      if (turns === 2) calls[99]?.release();
      if (turns < 1000) setImmediate(turn);
    };
    setImmediate(turn);
    // Each look at the clock takes a millisecond.
    const before = clock.slice;
    await live.sweep();
    expect(clock.slice - before).toBeGreaterThan(100);
    expect(turns).toBeGreaterThan(10);
    turns = 1000;
    expect(calls.map(({ended}) => ended.length)).toEqual([...Array.from({length: 99}, () => 1), 0]);
  });

  test('is not joined by another one', async () => {
    const {live, admit, change} = world(allowing);
    const calls = Array.from({length: 50}, () => admit());
    change();
    await Promise.all([live.sweep(), live.sweep()]);
    expect(calls.every(({ended}) => ended.length === 1)).toBe(true);
  });
});
