import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import type {Bundle} from './bundle.ts';
import {compilePolicies} from './compile.ts';
import {bundleHash} from './hash.ts';
import {BundleRejected, loadBundle} from './loadbundle.ts';

const {bundle} = compilePolicies(
  [
    {
      metadata: {name: 'agents', namespace: 'payments', uid: 'u-1', generation: 3},
      spec: {
        subjects: [
          {kind: 'Group', name: 'ai-agents'},
          {kind: 'ServiceAccount', name: 'builder', namespace: 'agents'},
        ],
        rules: [
          {name: 'read', effect: 'Allow', operations: [{verbs: ['get'], apiGroups: [''], resources: ['pods']}]},
          {
            name: 'ask',
            effect: 'RequireApproval',
            approval: {},
            operations: [{verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']}],
            conditions: [{name: 'c', expression: 'request.namespace != ""'}],
          },
          {name: 'never', effect: 'Deny', operations: [{verbs: ['get'], apiGroups: [''], resources: ['secrets']}]},
        ],
        masking: [
          {name: 'cards', detector: 'PAN', exemptions: [{namespaces: ['ci'], fields: ['data.*']}]},
          {
            name: 'values',
            detector: 'Field',
            field: {resources: [{apiGroups: [''], resources: ['secrets']}], paths: ['data.*'], action: 'Remove'},
          },
        ],
      },
    },
  ],
  {rootNamespace: 'lockkeeper-system', revision: '17'},
);

type Mutable = {-readonly [K in keyof Bundle]: Bundle[K]} & Record<string, unknown>;

/** The bundle as received, changed, with a hash that fits again unless the change is to that. */
function received(change: (bundle: Mutable) => unknown, rehash = true): unknown {
  const copy = structuredClone(bundle) as Mutable;
  change(copy);
  return rehash ? {...copy, hash: bundleHash(copy)} : copy;
}

/** Sets what a dotted path leads to. */
function set(path: string, value: unknown): (bundle: Mutable) => void {
  return (target) => {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    const parent = keys.reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, target);
    if (value === undefined) {
      delete parent[last];
    } else {
      parent[last] = value;
    }
  };
}

test('a bundle that went over the wire is loaded', () => {
  const loaded = loadBundle(JSON.parse(JSON.stringify(bundle)));
  expect(loaded).toMatchObject({revision: '17', hash: bundle.hash, rootNamespace: 'lockkeeper-system', policyCount: 1});
});

test('the order in which keys arrive does not change the hash', () => {
  const reversed = JSON.parse(JSON.stringify(bundle), (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).reverse())
      : value,
  ) as unknown;
  expect(loadBundle(reversed).hash).toBe(bundle.hash);
});

describe('a bundle is rejected whole', () => {
  test.each([
    ['schemaVersion', 2, 'schemaVersion: must be one of 1, not 2'],
    ['schemaVersion', undefined, 'schemaVersion: is missing'],
    ['signature', 'x', 'signature: is not a field that this version knows'],
    ['revision', 7, 'revision: must be a string, not 7'],
    ['rootNamespace', '', 'rootNamespace: must not be empty, not ""'],
    ['policies', {}, 'policies: must be a list, not object'],
    ['policies.0', null, 'policies[0]: must be an object, not object'],
    ['policies.0.enforcementMode', 'Warn', 'policies[0].enforcementMode: must be one of Enforce, DryRun, not "Warn"'],
    ['policies.0.rateLimit', 1, 'policies[0].rateLimit: is not a field that this version knows'],
    ['policies.0.subjects', [], 'policies[0].subjects: must have at least 1 element, not object'],
    ['policies.0.subjects.0.kind', 'Role', /subjects\[0\]\.kind: must be one of User, Group, ServiceAccount/],
    ['policies.0.rules.0.effect', 'Audit', /rules\[0\]\.effect: must be one of Allow, Deny, RequireApproval/],
    ['policies.0.rules.0.except', [], /rules\[0\]\.except: is not a field/],
    ['policies.0.rules.0.operations', [], /rules\[0\]\.operations: must have at least 1/],
    ['policies.0.rules.0.operations.0.verbs', [], /operations\[0\]\.verbs: must have at least 1/],
    ['policies.0.rules.0.operations.0.selector', 'a=b', /operations\[0\]\.selector: is not a field/],
    ['policies.0.rules.0.operations.0.resources', [1], /resources\[0\]: must be a string, not 1/],
    ['policies.0.rules.0.approval', {}, /rules\[0\]\.approval\.approvers: is missing/],
    [
      'policies.0.rules.1.approval',
      undefined,
      'policies[0].rules[1].approval: belongs to RequireApproval and to it alone',
    ],
    ['policies.0.rules.1.effect', 'Deny', 'policies[0].rules[1].approval: belongs to RequireApproval and to it alone'],
    ['policies.0.rules.1.approval.count', 0, /approval\.count: must be an integer of at least 1, not 0/],
    ['policies.0.rules.1.approval.grant', 'Always', /approval\.grant: must be one of Once, Window/],
    ['policies.0.rules.1.conditions.0.language', 'rego', /conditions\[0\]\.language: is not a field/],
    ['policies.0.masking.0.except', [], /masking\[0\]\.except: is not a field/],
    ['policies.0.masking.0.show', 4, /masking\[0\]\.show: must be a string, not 4/],
    ['policies.0.masking.0.unexpected', 'true', /masking\[0\]\.unexpected: must be true or false/],
    ['policies.0.masking.0.regex', {}, /masking\[0\]\.regex\.pattern: is missing/],
    ['policies.0.masking.0.exemptions.0.names', ['web'], /exemptions\[0\]\.names: is not a field/],
    ['policies.0.masking.1.field.resources', [], /masking\[1\]\.field\.resources: must have at least 1/],
    ['policies.0.masking.1.field.resources.0.subresources', ['*'], /resources\[0\]\.subresources: is not a field/],
    ['policies.0.rules.0.unmasked', 'yes', /rules\[0\]\.unmasked: must be true or false/],
    ['policies.0.rules.2.unmasked', true, 'policies[0].rules[2].unmasked: does not belong to Deny'],
    ['policies.0.auditLevel', 'None', /auditLevel: must be one of Metadata, Request, RequestResponse/],
    ['policies.0.recordInput', 'true', /recordInput: must be true or false, not "true"/],
    ['policies.0.recordInput', undefined, /recordInput: /],
  ])('%s = %j', (path, value, message) => {
    const load = () => loadBundle(received(set(path, value)));
    expect(load).toThrow(BundleRejected);
    expect(load).toThrow(message);
  });

  test.each([[undefined], [null], ['bundle'], [[]], [{}]])('that is %j', (value) => {
    expect(() => loadBundle(value)).toThrow(BundleRejected);
  });

  test.each([
    ['policies.0.rules.0.effect', 'Deny'],
    ['policies.0.rules', []],
    ['rootNamespace', 'payments'],
    ['hash', 'f'.repeat(64)],
  ])('whose hash is not that of its content: %s = %j', (path, value) => {
    expect(() => loadBundle(received(set(path, value), false))).toThrow(
      expect.objectContaining({code: 'HashMismatch', message: expect.stringContaining('hash: the content has ')}),
    );
  });
});

test('a detector that is not known does not reject the bundle', () => {
  expect(() => loadBundle(received(set('policies.0.masking.0.detector', 'Iris')))).not.toThrow();
});

test('whatever is received, loading throws nothing but BundleRejected', () => {
  const paths = [
    ...[
      'policies',
      'policies.0',
      'policies.0.rules',
      'policies.0.rules.0',
      'policies.0.rules.1.conditions.0.expression',
    ],
    ...[
      'policies.0.masking',
      'policies.0.masking.0.exemptions.0',
      'policies.0.masking.1.field',
      'policies.0.masking.1',
    ],
    ...['policies.0.rules.1.approval', 'policies.0.subjects', 'policies.0.rules.0.operations.0', 'revision', 'hash'],
  ];
  const changed = fc
    .tuple(fc.constantFrom(...paths), fc.jsonValue({maxDepth: 4}))
    .map(([path, value]) => received(set(path, value), false));
  const rehashed = changed.map((value) => {
    const {rootNamespace, policies} = value as Bundle;
    return {...(value as Bundle), hash: bundleHash({rootNamespace, policies})};
  });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue({maxDepth: 4}), fc.anything(), changed, rehashed), (value) => {
      try {
        loadBundle(value);
      } catch (error) {
        expect(error).toBeInstanceOf(BundleRejected);
      }
    }),
    {numRuns: 1000},
  );
});
