import {describe, expect, test} from '@jest/globals';
import {agent, operation} from '../../test/operations.ts';
import type {AgentAccessPolicy, MaskingEntry, Rule} from '../api/agentaccesspolicy.ts';
import {compilePolicies} from './compile.ts';
import {select} from './evaluate.ts';
import {loadBundle} from './loadbundle.ts';

const caller = agent();
const operations = [{verbs: ['create'], apiGroups: [''], resources: ['pods']}];
const looking = [{name: 'looks', expression: 'has(object.spec)'}];

function selectFor(spec: Partial<AgentAccessPolicy['spec']>) {
  const {bundle} = compilePolicies(
    [{metadata: {name: 'p', namespace: 'payments'}, spec: {subjects: [{kind: 'User', name: '*'}], ...spec}}],
    {rootNamespace: 'lockkeeper-system', revision: '1'},
  );
  return select(loadBundle(bundle), caller, operation({verb: 'create', method: 'POST'}));
}

describe('what is needed of the body', () => {
  const allow: Rule = {name: 'r', effect: 'Allow', operations};
  test.each<[string, Partial<AgentAccessPolicy['spec']>, string]>([
    ['no rule', {}, 'NotNeeded'],
    ['a rule without conditions', {rules: [allow]}, 'NotNeeded'],
    [
      'a condition on the request',
      {rules: [{...allow, conditions: [{name: 'c', expression: 'request.dryRun'}]}]},
      'NotNeeded',
    ],
    ['an Allow that looks at it', {rules: [{...allow, conditions: looking}]}, 'Required'],
    ['a Deny that looks at it', {rules: [{...allow, effect: 'Deny', conditions: looking}]}, 'Required'],
    [
      'a condition on the patch',
      {rules: [{...allow, conditions: [{name: 'c', expression: 'patch == null'}]}]},
      'Required',
    ],
    [
      'a rule for other operations that does',
      {rules: [{...allow, operations: [{...operations[0], verbs: ['get']}], conditions: looking}]},
      'NotNeeded',
    ],
    ['an approval', {rules: [{...allow, effect: 'RequireApproval', approval: {}}]}, 'Required'],
    ['a record of the request', {audit: {level: 'Request'}}, 'Required'],
    [
      'a DryRun rule that looks at it',
      {enforcementMode: 'DryRun', rules: [{...allow, conditions: looking}]},
      'Observed',
    ],
    [
      'a DryRun approval',
      {enforcementMode: 'DryRun', rules: [{...allow, effect: 'RequireApproval', approval: {}}]},
      'NotNeeded',
    ],
    ['a DryRun record', {enforcementMode: 'DryRun', audit: {level: 'Request'}}, 'NotNeeded'],
  ])('%s', (_name, spec, body) => {
    expect(selectFor(spec)).toMatchObject({body, needsBody: body !== 'NotNeeded'});
  });
});

test('obligations are one object for all requests that masking entries treat alike', () => {
  const masking: MaskingEntry[] = [
    {
      name: 'cards',
      detector: 'PAN',
      exemptions: [{namespaces: ['ci-*']}, {resources: [{apiGroups: [''], resources: ['pods']}], fields: ['spec']}],
    },
  ];
  const loaded = loadBundle(
    compilePolicies(
      [{metadata: {name: 'p', namespace: 'lockkeeper-system'}, spec: {subjects: [{kind: 'User', name: '*'}], masking}}],
      {rootNamespace: 'lockkeeper-system', revision: '1'},
    ).bundle,
  );
  const obligationsOf = (namespace: string, resource: string) =>
    select(loaded, caller, operation({namespace, resource})).obligations;
  expect(obligationsOf('ci-1', 'pods')).toBe(obligationsOf('ci-2', 'secrets'));
  expect(obligationsOf('a', 'pods')).toBe(obligationsOf('b', 'pods'));
  expect(obligationsOf('a', 'secrets')).toBe(obligationsOf('b', 'nodes'));
  const different = [obligationsOf('ci-1', 'pods'), obligationsOf('a', 'pods'), obligationsOf('a', 'secrets')];
  expect(new Set(different.map((obligations) => obligations.masking?.key)).size).toBe(3);
});

test('obligations are one object for all requests of an agent in a namespace', () => {
  const {bundle} = compilePolicies([], {rootNamespace: 'lockkeeper-system', revision: '1'});
  const loaded = loadBundle(bundle);
  const [a, b] = [select(loaded, caller, operation()), select(loaded, caller, operation({namespace: 'billing'}))];
  expect(a.obligations).toBe(b.obligations);
  expect(Object.isFrozen(a.obligations)).toBe(true);
});
