import {describe, expect, test} from '@jest/globals';
import type {OpenRequest} from '../../core/control/messages.ts';
import type {Bundle, BundlePolicy, BundleRule} from '../../core/policy/bundle.ts';
import {verifyOpenRequest} from './verify.ts';

const rule: BundleRule = {
  name: 'secrets',
  effect: 'RequireApproval',
  operations: [],
  conditions: [],
  message: '',
  approval: {
    approvers: {groups: ['oncall'], users: ['ann']},
    count: 2,
    expireAfterSeconds: 900,
    grant: 'Once',
    waitSeconds: 0,
  },
};
const policy: BundlePolicy = {
  namespace: 'payments',
  name: 'agents',
  uid: 'uid-1',
  generation: 3,
  enforcementMode: 'Enforce',
  subjects: [],
  rules: [
    rule,
    {...rule, name: 'seen', unmasked: true},
    {name: 'reads', effect: 'Allow', operations: [], conditions: [], message: ''},
  ],
  masking: [],
  auditLevel: 'Metadata',
  recordInput: false,
};
const bundle: Bundle = {
  schemaVersion: 1,
  revision: '42',
  hash: '',
  rootNamespace: 'lockkeeper-system',
  policies: [
    policy,
    {...policy, namespace: 'lockkeeper-system', uid: 'uid-2'},
    {...policy, name: 'dry', uid: 'uid-3', enforcementMode: 'DryRun'},
  ],
};

const request: OpenRequest = {
  namespace: 'payments',
  expireAfterSeconds: 900,
  spec: {
    agent: {username: 'agent:bot'},
    operation: {verb: 'create', resource: 'secrets', namespace: 'payments'},
    request: {method: 'POST', path: '/api/v1/namespaces/payments/secrets'},
    digest: 'd'.repeat(64),
    policy: {namespace: 'payments', name: 'agents', uid: 'uid-1', rule: 'secrets'},
    approvers: {users: ['ann'], groups: ['oncall']},
    count: 2,
    grant: 'Once',
  },
};

function but(over: Partial<OpenRequest['spec']>, top: Partial<OpenRequest> = {}): OpenRequest {
  return {...request, ...top, spec: {...request.spec, ...over}};
}

const rootPolicy = {namespace: 'lockkeeper-system', name: 'agents', rule: 'secrets'};
const clusterScoped = {operation: {verb: 'delete', resource: 'nodes'}, policy: rootPolicy};

describe('it lives', () => {
  test.each([
    ['in the namespace that the operation targets', request, 'payments'],
    ['there too under a policy of the root namespace', but({policy: rootPolicy}), 'payments'],
    [
      'in the root namespace for cluster scope',
      but(clusterScoped, {namespace: 'lockkeeper-system'}),
      'lockkeeper-system',
    ],
    [
      'in the root namespace where the proxy leaves that open',
      but(clusterScoped, {namespace: ''}),
      'lockkeeper-system',
    ],
  ])('%s', (_name, given, namespace) => {
    expect(verifyOpenRequest(given, bundle)).toBe(namespace);
  });
});

test('a rule that shows the answer unmasked is asked for as such', () => {
  const operation = {...request.spec.operation, unmasked: true};
  const seen = but({operation, policy: {...request.spec.policy, rule: 'seen'}});
  expect(verifyOpenRequest(seen, bundle)).toBe('payments');
});

describe('refused', () => {
  const {policy: named} = request.spec;
  test.each([
    ['another namespace than the operation’s', but({}, {namespace: 'default'}), 400, 'namespace'],
    ['the root namespace for a namespaced operation', but({}, {namespace: 'lockkeeper-system'}), 400, 'namespace'],
    ['no namespace for a namespaced operation', but({}, {namespace: ''}), 400, 'namespace'],
    [
      'a policy that does not apply there',
      but({policy: {...named, namespace: 'default'}}),
      400,
      'spec.policy.namespace',
    ],
    ['an unknown policy', but({policy: {...named, name: 'nobody'}}), 409, 'spec.policy'],
    ['a policy made anew', but({policy: {...named, uid: 'uid-0'}}), 409, 'spec.policy'],
    ['a policy in DryRun', but({policy: {...named, name: 'dry', uid: 'uid-3'}}), 409, 'spec.policy'],
    ['an unknown rule', but({policy: {...named, rule: 'nothing'}}), 409, 'spec.policy.rule'],
    ['a rule that asks for no approval', but({policy: {...named, rule: 'reads'}}), 409, 'spec.policy.rule'],
    ['fewer approvers than the rule', but({count: 1}), 409, 'spec.count'],
    ['other groups', but({approvers: {users: ['ann'], groups: ['oncall', 'agents']}}), 409, 'spec.approvers.groups'],
    ['other users', but({approvers: {users: ['eve'], groups: ['oncall']}}), 409, 'spec.approvers.users'],
    ['no approvers where the rule has some', but({approvers: {}}), 409, 'spec.approvers.groups'],
    ['a grant that lasts longer', but({grant: 'Window'}), 409, 'spec.grant'],
    [
      'an answer that the rule would not show',
      but({operation: {...request.spec.operation, unmasked: true}}),
      409,
      'spec.operation.unmasked',
    ],
    [
      'silence about an answer that is shown unmasked',
      but({policy: {...named, rule: 'seen'}}),
      409,
      'spec.operation.unmasked',
    ],
    ['a later expiry', but({}, {expireAfterSeconds: 901}), 409, 'expireAfterSeconds'],
  ])('%s', (_name, given, httpStatus, field) => {
    expect(() => verifyOpenRequest(given, bundle)).toThrow(expect.objectContaining({httpStatus, field}));
  });
});
