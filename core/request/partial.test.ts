import {expect, test} from '@jest/globals';
import {objectOfEnvelope} from './partial.ts';

const nothing = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: '',
  generateName: '',
  namespace: '',
  labels: {},
  annotations: {},
  finalizers: [],
};

test('what is empty in protobuf is absent in JSON, and known to be', () => {
  const {members, known} = objectOfEnvelope({...nothing, name: 'a', labels: {app: 'web'}});
  expect([...known]).toEqual(['apiVersion', 'kind', 'metadata']);
  expect(members).toMatchObject({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {members: {name: 'a', labels: {app: 'web'}}},
  });
  expect([...(members.metadata as ReturnType<typeof objectOfEnvelope>).known].sort()).toEqual([
    'annotations',
    'finalizers',
    'generateName',
    'labels',
    'name',
    'namespace',
  ]);
});
