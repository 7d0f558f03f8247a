import {expect, test} from '@jest/globals';
import type {AgentAccessPolicy} from '../api/agentaccesspolicy.ts';
import {compilePolicies} from './compile.ts';
import {BundleRejected, loadBundle} from './loadbundle.ts';

const options = {rootNamespace: 'lockkeeper-system', revision: '17'};

function policy(namespace: string, name: string, spec: Partial<AgentAccessPolicy['spec']> = {}): AgentAccessPolicy {
  return {
    metadata: {name, namespace, uid: `uid-${name}`, generation: 2},
    spec: {subjects: [{kind: 'Group', name: 'ai-agents'}], ...spec},
  };
}

test('policies are sorted by namespace, then name, whatever order they come in', () => {
  const policies = [policy('b', 'a'), policy('a', 'z'), policy('a', 'b'), policy('B', 'a')];
  const {bundle} = compilePolicies(policies, options);
  expect(bundle.policies.map(({namespace, name}) => `${namespace}/${name}`)).toEqual(['B/a', 'a/b', 'a/z', 'b/a']);
  expect(compilePolicies(policies.toReversed(), options).bundle).toEqual(bundle);
});

test('defaults are filled in', () => {
  const operations = [{verbs: ['delete'], apiGroups: [''], resources: ['pods']}];
  const {bundle} = compilePolicies(
    [policy('payments', 'agents', {rules: [{name: 'ask', effect: 'RequireApproval', operations, approval: {}}]})],
    options,
  );
  expect(bundle).toEqual({
    schemaVersion: 1,
    revision: '17',
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    rootNamespace: 'lockkeeper-system',
    policies: [
      {
        namespace: 'payments',
        name: 'agents',
        uid: 'uid-agents',
        generation: 2,
        enforcementMode: 'Enforce',
        subjects: [{kind: 'Group', name: 'ai-agents'}],
        rules: [
          {
            name: 'ask',
            effect: 'RequireApproval',
            operations,
            conditions: [],
            message: '',
            approval: {
              approvers: {groups: [], users: []},
              count: 1,
              expireAfterSeconds: 900,
              grant: 'Once',
              waitSeconds: 0,
            },
          },
        ],
        masking: [],
        auditLevel: 'Metadata',
        recordInput: false,
      },
    ],
  });
});

test('the hash is of the content, not of the revision', () => {
  const {hash} = compilePolicies([policy('a', 'b')], options).bundle;
  expect(compilePolicies([policy('a', 'b')], {...options, revision: '18'}).bundle.hash).toBe(hash);
  expect(compilePolicies([policy('a', 'c')], options).bundle.hash).not.toBe(hash);
  expect(compilePolicies([policy('a', 'b')], {...options, rootNamespace: 'a'}).bundle.hash).not.toBe(hash);
});

test('no policies make a bundle that can be loaded', () => {
  expect(loadBundle(compilePolicies([], options).bundle).policyCount).toBe(0);
});

test('policies without a problem are not among the problems', () => {
  const {problems} = compilePolicies([policy('a', 'good'), policy('a', 'bad', {masking: [unknownDetector]})], options);
  expect([...problems.keys()]).toEqual(['a/bad']);
});

const unknownDetector = {name: 'eyes', detector: 'Iris' as 'PAN'};

test.each([
  ['spec.schedule', {schedule: 'nights'}],
  ['spec.masking[0].sampling', {masking: [{name: 'cards', detector: 'PAN', sampling: 2}]}],
  ['spec.rules[0].except', {rules: [{...ruleNamed('read'), except: []}]}],
  ['spec.rules[0].approval.quorum', {rules: [{...ruleNamed('ask'), effect: 'RequireApproval', approval: {quorum: 2}}]}],
])('a field of a later version, %s, stays in the bundle, which proxies then reject', (path, spec) => {
  const {bundle, problems} = compilePolicies(
    [policy('a', 'b', spec as unknown as Partial<AgentAccessPolicy['spec']>)],
    options,
  );
  expect(problems.get('a/b')).toEqual([
    `${path}: is not a field that this version knows; proxies will reject the bundle`,
  ]);
  expect(() => loadBundle(JSON.parse(JSON.stringify(bundle)))).toThrow(BundleRejected);
});

function ruleNamed(name: string) {
  return {name, effect: 'Allow', operations: [{verbs: ['get'], apiGroups: [''], resources: ['pods']}]};
}
