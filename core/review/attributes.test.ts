import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {readQuestion} from './attributes.ts';

const asker = {userAgent: 'kubectl', sourceIP: '192.0.2.1'};
const resource = (attributes: object) => ({resourceAttributes: {verb: 'list', resource: 'pods', ...attributes}});

test('what a review says is what policy sees, and what it does not say is not known', () => {
  const spec = resource({
    verb: 'get',
    group: 'apps',
    version: 'v1',
    resource: 'deployments',
    namespace: 'n',
    name: 'a',
  });
  const question = readQuestion(spec, asker);
  expect(question?.operation).toMatchObject({
    isResourceRequest: true,
    verb: 'get',
    apiPrefix: 'apis',
    apiGroup: 'apps',
    apiVersion: 'v1',
    resource: 'deployments',
    namespace: 'n',
    name: 'a',
    userAgent: 'kubectl',
    sourceIP: '192.0.2.1',
  });
  expect([...(question?.unknown ?? [])].sort()).toEqual(['path', 'query']);
});

test.each<[object, string[]]>([
  [{verb: 'get', version: 'v1'}, ['name']],
  [{verb: 'create', version: 'v1'}, []],
  [{verb: 'create'}, ['apiVersion']],
  [{verb: 'create', version: 'v1', subresource: 'exec', name: 'a'}, ['command', 'container', 'stdin', 'tty']],
  [{verb: '*', group: '*', version: '*', name: 'a'}, ['apiGroup', 'apiVersion', 'verb']],
])('of %j not known is %j', (attributes, unknown) => {
  const found = [...(readQuestion(resource(attributes), asker)?.unknown ?? [])];
  expect(found.filter((field) => field !== 'path' && field !== 'query').sort()).toEqual(unknown);
});

test.each<[object, object]>([
  [{labelSelector: {rawSelector: 'app=web'}}, {labelSelector: 'app=web'}],
  [
    {
      labelSelector: {
        requirements: [
          {key: 'app', operator: 'In', values: ['web', 'db']},
          {key: 'tier', operator: 'NotIn', values: ['x']},
          {key: 'team', operator: 'Exists'},
          {key: 'old', operator: 'DoesNotExist'},
        ],
      },
    },
    {labelSelector: 'app in (web,db),tier notin (x),team,!old'},
  ],
  [{fieldSelector: {rawSelector: 'metadata.name=web'}}, {fieldSelector: 'metadata.name=web', name: 'web'}],
  [
    {fieldSelector: {requirements: [{key: 'metadata.name', operator: 'In', values: ['web']}]}},
    {fieldSelector: 'metadata.name=web', name: 'web'},
  ],
  [
    {fieldSelector: {requirements: [{key: 'metadata.name', operator: 'NotIn', values: ['web']}]}},
    {fieldSelector: 'metadata.name!=web', name: ''},
  ],
  [{namespace: 'default', resource: 'nodes'}, {namespace: ''}],
  [{namespace: 'default', resource: 'nodes', group: 'example.com'}, {namespace: 'default'}],
  [{namespace: 'default', resource: 'namespaces', verb: 'get', name: 'payments'}, {namespace: 'payments'}],
  [{namespace: 'default', resource: 'clusterroles', group: 'rbac.authorization.k8s.io'}, {namespace: ''}],
  [{namespace: 'default', resource: 'roles', group: 'rbac.authorization.k8s.io'}, {namespace: 'default'}],
  [{namespace: 'default', resource: 'things', group: '__proto__'}, {namespace: 'default'}],
  [{name: '*'}, {name: ''}],
])('%j is %j', (attributes, operation) => {
  expect(readQuestion(resource(attributes), asker)?.operation).toMatchObject(operation);
});

test('a path', () => {
  const spec = {nonResourceAttributes: {path: '/version', verb: 'get'}};
  expect(readQuestion(spec, asker)?.operation).toMatchObject({isResourceRequest: false, path: '/version', verb: 'get'});
});

test.each([undefined, null, {}, 'text', []])('a spec of %j asks about nothing', (spec) => {
  expect(readQuestion(spec, asker)).toBeUndefined();
});

test('whatever the spec is, it is read or not, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (attributes, selector) => {
      readQuestion({resourceAttributes: attributes}, asker);
      readQuestion(resource({fieldSelector: selector, labelSelector: {requirements: [selector]}}), asker);
      readQuestion({nonResourceAttributes: attributes}, asker);
    }),
  );
});
