import {describe, expect, test} from '@jest/globals';
import {parsePolicy} from './parse.ts';

const metadata = {namespace: 'payments', name: 'agents', uid: 'u', generation: 1};
const spec = {subjects: [{kind: 'Group', name: 'ai-agents'}]};

describe('reading a stored policy', () => {
  test('gives the object as it is', () => {
    const object = {metadata, spec: {...spec, rules: [{name: 'r', effect: 'Deny', operations: []}]}};
    expect(parsePolicy(object)).toBe(object);
  });

  test.each([
    ['metadata.namespace', {metadata: {...metadata, namespace: undefined}, spec}],
    ['metadata.name', {metadata: {...metadata, name: 7}, spec}],
    ['metadata.uid', {metadata: {...metadata, uid: ''}, spec}],
    ['metadata.generation', {metadata: {...metadata, generation: '1'}, spec}],
    ['spec', {metadata}],
    ['spec', {metadata, spec: null}],
    ['spec.subjects', {metadata, spec: {}}],
    ['spec.rules', {metadata, spec: {...spec, rules: {}}}],
    ['spec.masking', {metadata, spec: {...spec, masking: 'PAN'}}],
    ['spec.rules[1].operations', {metadata, spec: {...spec, rules: [{operations: []}, {}]}}],
    ['spec.rules[0].operations', {metadata, spec: {...spec, rules: [null]}}],
  ])('names %s where that is not as stored', (field, object) => {
    expect(() => parsePolicy(object)).toThrow(`${field} is not a`);
  });
});
