import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {agent} from '../../test/operations.ts';
import type {OperationPattern, Rule} from '../api/agentaccesspolicy.ts';
import {compilePolicies} from '../policy/compile.ts';
import {select} from '../policy/evaluate.ts';
import {loadBundle} from '../policy/loadbundle.ts';
import type {LoadedBundle} from '../policy/loadedbundle.ts';
import {decide} from '../policy/permitted.ts';
import {operationOf} from '../request/operation.ts';
import {resolveRequestInfo} from '../request/resolve.ts';
import {prospectOf} from './prospect.ts';
import {questionAboutPath, questionAboutResource, type ResourceAttributes} from './question.ts';

const caller = agent();
const asker = {userAgent: 'kubectl', sourceIP: '192.0.2.1'};
const now = new Date('2026-03-02T10:30:00Z');

const anyOf = (...values: string[]) => fc.subarray([...values, '*'], {minLength: 1, maxLength: 2});
const maybe = (...values: string[]) => fc.option(fc.subarray(values, {minLength: 1}), {nil: undefined});
const pattern: fc.Arbitrary<OperationPattern> = fc
  .record({
    verbs: anyOf('get', 'list', 'create', 'update', 'patch', 'delete', 'deletecollection'),
    apiGroups: anyOf('', 'apps', 'lockkeeper.dev'),
    resources: anyOf('pods', 'deployments', 'nodes', 'namespaces'),
    subresources: maybe('', 'exec', 'ephemeralcontainers', 'scale', '*'),
    resourceNames: maybe('web', 'payments'),
    namespaces: maybe('payments', 'pay*', ''),
  })
  .map((fields) => JSON.parse(JSON.stringify(fields)) as OperationPattern);
const rules: fc.Arbitrary<Rule[]> = fc
  .array(
    fc.record({
      effect: fc.constantFrom('Allow', 'Allow', 'Deny', 'RequireApproval'),
      operations: fc.array(pattern, {minLength: 1, maxLength: 2}),
    }),
    {
      maxLength: 4,
    },
  )
  .map((all) => all.map((rule, index) => ({...rule, name: `r${index}`}) as Rule));

function bundleOf(root: Rule[], team: Rule[] = []): LoadedBundle {
  const policy = (namespace: string, of: Rule[]) => ({
    metadata: {name: 'p', namespace},
    spec: {subjects: [{kind: 'User' as const, name: '*'}], rules: of},
  });
  const {bundle} = compilePolicies([policy('lockkeeper-system', root), policy('payments', team)], {
    rootNamespace: 'lockkeeper-system',
    revision: '1',
  });
  return loadBundle(bundle);
}

const call = fc
  .record({
    group: fc.constantFrom('', 'apps', 'lockkeeper.dev'),
    resource: fc.constantFrom('pods', 'deployments', 'nodes', 'namespaces'),
    namespace: fc.constantFrom('', 'payments', 'billing'),
    name: fc.constantFrom('', 'web', 'payments'),
    subresource: fc.constantFrom('', '', 'exec', 'ephemeralcontainers', 'scale'),
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
  })
  .filter(
    ({group, resource, namespace, name, subresource, method}) =>
      (subresource === '' || (name !== '' && resource !== 'namespaces')) &&
      // Calls that nobody makes, and which a review has no words for.
      (method === 'POST'
        ? subresource !== '' || name === ''
        : method === 'GET' || method === 'DELETE' || name !== '') &&
      (resource === 'namespaces' || (group === '' && resource === 'nodes') ? namespace === '' : true),
  );

describe('what a review is told', () => {
  test('is what is decided on the call', () => {
    fc.assert(
      fc.property(rules, rules, call, (root, team, {group, resource, namespace, name, subresource, method}) => {
        const place = namespace === '' ? '' : `/namespaces/${namespace}`;
        const base = group === '' ? '/api/v1' : `/apis/${group}/v1`;
        const url = `${base}${place}/${resource}${name && `/${name}`}${subresource && `/${subresource}`}`;
        const operation = operationOf(resolveRequestInfo(method, url), {method, url, ...asker});
        const bundle = bundleOf(root, team);
        const decision = decide(select(bundle, caller, operation), {object: null, patch: null, now});

        const asked: ResourceAttributes = {
          ...{verb: operation.verb, group, version: 'v1', resource, subresource, namespace, name},
          ...{fieldSelector: '', labelSelector: ''},
        };
        const prospect = prospectOf(bundle, caller, questionAboutResource(asked, asker), {now, quantity: 'Every'});
        expect(prospect.outcome.replace('ByDefault', '')).toBe(decision.outcome);
        if (decision.outcome === 'Denied' && decision.by !== undefined)
          expect(prospect).toMatchObject({by: decision.by});
      }),
      {numRuns: 1000},
    );
  });

  test('of everything is never more than of a part', () => {
    const wider = fc.record({verb: fc.boolean(), group: fc.boolean(), resource: fc.boolean(), name: fc.boolean()});
    fc.assert(
      fc.property(rules, call, wider, (root, {group, resource, name, subresource}, widen) => {
        const bundle = bundleOf(root);
        const outcome = (differing: Partial<ResourceAttributes>) =>
          prospectOf(
            bundle,
            caller,
            questionAboutResource(
              {
                ...{
                  verb: 'update',
                  group,
                  version: '',
                  resource,
                  subresource,
                  namespace: 'payments',
                  name: name || 'web',
                },
                ...{fieldSelector: '', labelSelector: '', ...differing},
              },
              asker,
            ),
            {now, quantity: 'Every'},
          );
        const all = outcome({
          ...(widen.verb && {verb: '*'}),
          ...(widen.group && {group: '*'}),
          ...(widen.resource && resource !== 'nodes' && resource !== 'namespaces' && {resource: '*'}),
          // A question about namespaces in a namespace is about that one, without a name too.
          ...(widen.name && resource !== 'namespaces' && {name: ''}),
        });
        // Where a rule is about some names only the answer says so.
        if (all.outcome === 'Allowed' && all.unless.length === 0) expect(outcome({}).outcome).toBe('Allowed');
      }),
      {numRuns: 1000},
    );
  });
});

test.each([
  [{resource: '*'}, 'NeedsApproval'],
  [{subresource: '*'}, 'NeedsApproval'],
  [{resource: '*', subresource: ''}, 'NeedsApproval'],
  [{subresource: ''}, 'Allowed'],
  [{group: 'apps'}, 'Allowed'],
])('of more than the door to exec holds what exec does: %j', (differing, outcome) => {
  const bundle = bundleOf([
    {
      name: 'all',
      effect: 'Allow',
      operations: [{verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*', '']}],
    },
    {
      name: 'exec',
      effect: 'RequireApproval',
      operations: [{verbs: ['create'], apiGroups: [''], resources: ['pods'], subresources: ['exec']}],
    },
  ] as Rule[]);
  const asked: ResourceAttributes = {
    ...{verb: 'update', group: '', version: '', resource: 'pods', subresource: 'ephemeralcontainers'},
    ...{namespace: 'payments', name: 'web', fieldSelector: '', labelSelector: '', ...differing},
  };
  const prospect = prospectOf(bundle, caller, questionAboutResource(asked, asker), {now, quantity: 'Every'});
  expect(prospect.outcome).toBe(outcome);
});

describe('of paths', () => {
  const operations = [{verbs: ['get'], nonResourceURLs: ['/metrics/*', '/version']}] as Rule['operations'];
  const allow: Rule = {name: 'all', effect: 'Allow', operations: [{verbs: ['get'], nonResourceURLs: ['*']}]};
  const bundle = bundleOf([allow, {name: 'no', effect: 'Deny', operations}]);

  test.each([
    ['get', '/version', 'Denied'],
    ['get', '/version/', 'Allowed'],
    ['head', '/version', 'DeniedByDefault'],
    ['get', '/metrics/slis', 'Denied'],
    ['get', '/metrics', 'Allowed'],
    ['get', '/metrics/*', 'Denied'],
    ['get', '/m*', 'Denied'],
    ['get', '*', 'Denied'],
    ['*', '/version', 'Denied'],
    ['get', '/healthz/*', 'Allowed'],
  ])('%s %s: %s', (verb, path, outcome) => {
    const question = questionAboutPath({verb, path}, asker);
    expect(prospectOf(bundle, caller, question, {now, quantity: 'Every'}).outcome).toBe(outcome);
  });
});
