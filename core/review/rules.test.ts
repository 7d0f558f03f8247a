import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {agent} from '../../test/operations.ts';
import type {OperationPattern, Rule} from '../api/agentaccesspolicy.ts';
import {compilePolicies} from '../policy/compile.ts';
import {select} from '../policy/evaluate.ts';
import {loadBundle} from '../policy/loadbundle.ts';
import {decide} from '../policy/permitted.ts';
import {operationOf} from '../request/operation.ts';
import {resolveRequestInfo} from '../request/resolve.ts';
import {type ResourceRule, type RulesStatus, reviewRules} from './rules.ts';

const asker = {userAgent: 'kubectl', sourceIP: '192.0.2.1'};
const caller = agent();
const now = new Date('2026-03-02T10:30:00Z');

function reviewOf(rules: readonly Rule[]) {
  const spec = {subjects: [{kind: 'User' as const, name: '*'}], rules: rules as Rule[]};
  const {bundle} = compilePolicies([{metadata: {name: 'p', namespace: 'payments'}, spec}], {
    rootNamespace: 'lockkeeper-system',
    revision: '1',
  });
  return {bundle: loadBundle(bundle), agent: caller, asker, now};
}

const empty: RulesStatus = {resourceRules: [], nonResourceRules: [], incomplete: false};

const some = (...values: string[]) => fc.subarray([...values, '*'], {minLength: 1, maxLength: 2});
const grants: fc.Arbitrary<ResourceRule[]> = fc.array(
  fc.record({
    verbs: some('get', 'create', 'patch'),
    apiGroups: some('', 'apps'),
    resources: some('pods', 'pods/exec', 'pods/log', '*/log', 'deployments'),
    resourceNames: fc.subarray(['web', 'db']),
  }),
  {maxLength: 3},
);
const rules: fc.Arbitrary<Rule[]> = fc
  .array(
    fc.record({
      effect: fc.constantFrom('Allow', 'Allow', 'RequireApproval', 'Deny'),
      operations: fc.array(
        fc.record({
          verbs: some('get', 'create', 'patch'),
          apiGroups: some('', 'apps'),
          resources: some('pods', 'deployments'),
          subresources: fc.subarray(['', 'exec', 'log', '*']),
          resourceNames: fc.subarray(['web', 'db']),
        }),
        {minLength: 1, maxLength: 2},
      ),
    }),
    {maxLength: 4},
  )
  .map((all) =>
    all.map(
      ({effect, operations}, index) =>
        ({name: `r${index}`, effect, operations: operations as OperationPattern[]}) as Rule,
    ),
  );

function covers(
  granted: readonly ResourceRule[],
  verb: string,
  group: string,
  resource: string,
  sub: string,
  name: string,
) {
  const has = (list: readonly string[] = [], ...of: string[]) => of.some((value) => list.includes(value));
  return granted.some(
    ({verbs, apiGroups, resources, resourceNames = []}) =>
      has(verbs, '*', verb) &&
      has(apiGroups, '*', group) &&
      (sub === ''
        ? has(resources, '*', resource)
        : has(resources, '*', `${resource}/${sub}`, `*/${sub}`, `${resource}/*`)) &&
      (resourceNames.length === 0 || resourceNames.includes(name)),
  );
}

test('nothing is left out that RBAC grants and policy allows or holds for approval', () => {
  const call = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PATCH'),
    group: fc.constantFrom('', 'apps'),
    resource: fc.constantFrom('pods', 'deployments'),
    sub: fc.constantFrom('', 'exec', 'log'),
    name: fc.constantFrom('web', 'db', 'api'),
  });
  fc.assert(
    fc.property(grants, rules, call, (granted, declared, {method, group, resource, sub, name}) => {
      const review = reviewOf(declared);
      const base = group === '' ? '/api/v1' : `/apis/${group}/v1`;
      const url = `${base}/namespaces/payments/${resource}/${name}${sub && `/${sub}`}`;
      const operation = operationOf(resolveRequestInfo(method, url), {method, url, ...asker});
      const {outcome} = decide(select(review.bundle, caller, operation), {object: null, patch: null, now});
      if (outcome === 'Denied' || !covers(granted, operation.verb, group, resource, sub, name)) return;
      const answer = reviewRules({...empty, resourceRules: granted}, 'payments', review);
      expect(covers(answer?.resourceRules ?? [], operation.verb, group, resource, sub, name)).toBe(true);
    }),
    {numRuns: 2000},
  );
});

test('nothing is added that RBAC does not grant', () => {
  const plain = grants.map((all) =>
    all.map((rule) => ({...rule, resources: rule.resources?.filter((resource) => !resource.startsWith('*')) ?? []})),
  );
  fc.assert(
    fc.property(plain, rules, (granted, declared) => {
      const answer = reviewRules({...empty, resourceRules: granted}, 'payments', reviewOf(declared));
      for (const {verbs, apiGroups = [], resources = [], resourceNames} of answer?.resourceRules ?? []) {
        for (const name of resourceNames ?? ['any']) {
          const [resource = '', sub = ''] = (resources[0] ?? '').split('/');
          expect(verbs.every((verb) => covers(granted, verb, apiGroups[0] ?? '', resource, sub, name))).toBe(true);
        }
      }
    }),
  );
});

const everything: Rule = {
  name: 'all',
  effect: 'Allow',
  operations: [{verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']}],
};

test('what the API server could not evaluate is passed on', () => {
  const status = {...empty, incomplete: true, evaluationError: 'webhook authorizer does not support it'};
  expect(reviewRules(status, 'payments', reviewOf([everything]))).toMatchObject({
    incomplete: true,
    evaluationError: expect.stringMatching(/^webhook authorizer does not support it; narrowed by Lockkeeper/),
  });
});

test('a list beyond measure is cut, and says so', () => {
  const resourceRules = Array.from({length: 5000}, (_, index) => ({
    verbs: ['get'],
    apiGroups: [''],
    resources: [`things${index}`],
  }));
  const answer = reviewRules({...empty, resourceRules}, 'payments', reviewOf([everything]));
  expect(answer?.resourceRules).toHaveLength(2000);
  expect(answer?.evaluationError).toContain('the list was cut');
});

test.each([undefined, null, {}, 'text', {resourceRules: [], nonResourceRules: {}}, {nonResourceRules: []}])(
  'a status of %j cannot be read',
  (status) => {
    expect(reviewRules(status, 'payments', reviewOf([everything]))).toBeUndefined();
  },
);
