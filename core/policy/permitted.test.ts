import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {agent, operation} from '../../test/operations.ts';
import type {AgentAccessPolicy, Rule} from '../api/agentaccesspolicy.ts';
import type {Operation} from '../request/operation.ts';
import {compilePolicies} from './compile.ts';
import type {NeedsApproval} from './decision.ts';
import {select} from './evaluate.ts';
import {loadBundle} from './loadbundle.ts';
import {ApprovalRefused, approve, decide, type Grant} from './permitted.ts';

const rootNamespace = 'lockkeeper-system';
const caller = agent();
const now = new Date('2026-03-02T10:30:00Z');

function decideBy(policies: readonly AgentAccessPolicy[], requested: Operation, object: unknown = null) {
  const {bundle} = compilePolicies(policies, {rootNamespace, revision: '1'});
  return decide(select(loadBundle(bundle), caller, requested), {object, now});
}

function policy(name: string, rules: readonly Rule[], namespace = 'payments'): AgentAccessPolicy {
  return {metadata: {name, namespace}, spec: {subjects: [{kind: 'User', name: '*'}], rules: [...rules]}};
}

const everything = [{verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']}];

describe('what is permitted', () => {
  test('carries the operation, the agent and the rule', () => {
    const requested = operation();
    const decision = decideBy([policy('p', [{name: 'all', effect: 'Allow', operations: everything}])], requested);
    expect(decision.outcome === 'Allowed' && decision.permitted.operation).toBe(requested);
    expect(decision.outcome === 'Allowed' && decision.permitted.agent).toBe(caller);
    expect(decision.outcome === 'Allowed' && decision.permitted.by).toEqual({
      kind: 'Policy',
      rule: {policy: 'payments/p', rule: 'all', message: ''},
    });
  });
});

describe('approval', () => {
  const rules: Rule[] = ['first', 'second'].map((name) => ({
    name,
    effect: 'RequireApproval',
    operations: everything,
    approval: {},
  }));

  function needed(): NeedsApproval {
    const decision = decideBy([policy('p', rules)], operation({verb: 'delete'}));
    if (decision.outcome !== 'NeedsApproval') {
      throw new Error(decision.outcome);
    }
    return decision;
  }

  const digestOf = ({rule}: {readonly rule: string}): string => `digest-of-${rule}`;

  function grant(rule: string, differing: Partial<Grant> = {}): Grant {
    return {
      policy: 'payments/p',
      rule,
      digest: `digest-of-${rule}`,
      accessRequest: `payments/${rule}`,
      approvers: ['oncall@example.com'],
      expiresAtMilliseconds: 1_767_226_500_000,
      ...differing,
    };
  }

  test('a grant for each rule permits', () => {
    const permitted = approve(needed(), digestOf, [grant('second'), grant('first'), grant('unrelated')]);
    expect(permitted.by).toEqual({kind: 'Grants', grants: [grant('first'), grant('second')]});
    expect(permitted.operation.verb).toBe('delete');
  });

  test.each([
    ['no grant', [], 'GrantMissing'],
    ['a grant for one of two rules', [grant('first')], 'GrantMissing'],
    ['a grant for the same rule of another policy', [grant('first'), grant('second', {policy: 'a/p'})], 'GrantMissing'],
    ['a grant for another call', [grant('first'), grant('second', {digest: 'of another body'})], 'DigestMismatch'],
  ])('%s does not', (_name, grants, code) => {
    const refused = () => approve(needed(), digestOf, grants);
    expect(refused).toThrow(ApprovalRefused);
    expect(refused).toThrow(expect.objectContaining({code}));
  });

  test('requirements that were taken out of the decision are still needed', () => {
    expect(() => approve({...needed(), requirements: []}, digestOf, [])).toThrow(ApprovalRefused);
  });
});

describe('over random policies and requests', () => {
  const words = ['pods', 'secrets', 'deployments'];
  const verbs = ['get', 'list', 'create', 'delete'];
  const namespaces = ['payments', 'billing', rootNamespace];
  const conditions = ['true', 'false', 'request.name == ""', 'object.spec.x == 1', 'agent.claims.x', 'nonsense ='];
  const orAny = (values: readonly string[]) => fc.subarray([...values, '*'], {minLength: 1});

  const rule = fc.record({
    effect: fc.constantFrom('Allow' as const, 'Deny' as const, 'RequireApproval' as const),
    verbs: orAny(verbs),
    resources: orAny(words),
    subresources: fc.subarray(['', 'status', '*']),
    resourceNames: fc.subarray(['web', 'db']),
    condition: fc.option(fc.constantFrom(...conditions), {nil: undefined}),
  });

  const policies = fc
    .array(
      fc.record({
        namespace: fc.constantFrom(...namespaces),
        dryRun: fc.boolean(),
        rules: fc.array(rule, {maxLength: 3}),
      }),
      {maxLength: 5},
    )
    .map((list) =>
      list.map(
        ({namespace, dryRun, rules}, index): AgentAccessPolicy => ({
          metadata: {name: `p${index}`, namespace},
          spec: {
            subjects: [{kind: 'Group', name: 'ai-agents'}],
            ...(dryRun && {enforcementMode: 'DryRun' as const}),
            rules: rules.map(({effect, verbs, resources, subresources, resourceNames, condition}, at) => ({
              name: `r${at}`,
              effect,
              operations: [{verbs, apiGroups: ['*'], resources, subresources, resourceNames}],
              ...(condition !== undefined && {conditions: [{name: 'c', expression: condition}]}),
              ...(effect === 'RequireApproval' && {approval: {}}),
            })),
          },
        }),
      ),
    );

  const requests = fc
    .record({
      verb: fc.constantFrom(...verbs),
      resource: fc.constantFrom(...words),
      subresource: fc.constantFrom('', 'status'),
      namespace: fc.constantFrom('payments', 'billing', ''),
      name: fc.constantFrom('', 'web', 'db'),
    })
    .map(operation);

  const object = fc.constantFrom(null, {}, {spec: {x: 1}});

  test('a Deny that matches denies, whatever else there is', () => {
    fc.assert(
      fc.property(policies, requests, object, fc.nat(), (others, requested, body, at) => {
        const namespace = requested.namespace === '' || at % 2 === 0 ? rootNamespace : requested.namespace;
        const denying = policy('deny', [{name: 'deny', effect: 'Deny', operations: everything}], namespace);
        const all = others.toSpliced(at % (others.length + 1), 0, denying);
        expect(decideBy(all, requested, body).outcome).toBe('Denied');
      }),
    );
  });

  test('another Deny never allows what was not allowed, nor lifts an approval', () => {
    fc.assert(
      fc.property(
        policies,
        rule,
        fc.constantFrom(...namespaces),
        requests,
        object,
        (others, added, namespace, requested, body) => {
          const {verbs, resources, condition} = added;
          const before = decideBy(others, requested, body).outcome;
          const deny: Rule = {
            name: 'deny',
            effect: 'Deny',
            operations: [{verbs, apiGroups: ['*'], resources}],
            ...(condition !== undefined && {conditions: [{name: 'c', expression: condition}]}),
          };
          const after = decideBy([...others, policy('deny', [deny], namespace)], requested, body).outcome;
          expect([before, 'Denied']).toContain(after);
        },
      ),
    );
  });

  test('the order of the policies changes nothing', () => {
    const shuffled = policies.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, {minLength: list.length})),
    );
    fc.assert(
      fc.property(shuffled, requests, object, ([list, reordered], requested, body) => {
        const {outcome, dryRun, ...rest} = decideBy(list, requested, body);
        const again = decideBy(reordered, requested, body);
        expect(again).toMatchObject({outcome, dryRun});
        expect('by' in again && again.by).toEqual('by' in rest && rest.by);
      }),
    );
  });

  test('without the DryRun policies the outcome is the same', () => {
    fc.assert(
      fc.property(policies, requests, object, (list, requested, body) => {
        const enforced = list.filter(({spec}) => spec.enforcementMode !== 'DryRun');
        expect(decideBy(list, requested, body).outcome).toBe(decideBy(enforced, requested, body).outcome);
      }),
    );
  });

  test('nothing is allowed without an Allow that applies', () => {
    fc.assert(
      fc.property(policies, requests, object, (list, requested, body) => {
        const withoutAllow = list.map(({metadata, spec}) => ({
          ...(metadata && {metadata}),
          spec: {...spec, rules: (spec.rules ?? []).filter(({effect}) => effect !== 'Allow')},
        }));
        expect(decideBy(withoutAllow, requested, body).outcome).not.toBe('Allowed');
      }),
    );
  });
});
