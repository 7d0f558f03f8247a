import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {common, commonNames, commonPaths, commonResources, withPodStreams} from './common.ts';

const values = fc.subarray(['a', 'b', 'c', '*']);
const covers = (list: readonly string[], value: string) => list.includes('*') || list.includes(value);

test('values that both have, and no others', () => {
  fc.assert(
    fc.property(values, values, fc.constantFrom('a', 'b', 'c', 'd'), (granted, pattern, value) => {
      expect(covers(common(granted, pattern), value)).toBe(covers(granted, value) && covers(pattern, value));
    }),
  );
});

test('names that both have, where none given are all', () => {
  const names = fc.subarray(['a', 'b', 'c']);
  const has = (list: readonly string[], name: string) => list.length === 0 || list.includes(name);
  fc.assert(
    fc.property(names, names, fc.constantFrom('a', 'b', 'd'), (granted, pattern, name) => {
      const both = commonNames(granted, pattern);
      expect(both !== undefined && has(both, name)).toBe(has(granted, name) && has(pattern, name));
    }),
  );
});

test('paths that both have, and no others', () => {
  const paths = fc.subarray(['/a', '/a/b', '/a/*', '/a/b*', '/b/*', '*']);
  const has = (list: readonly string[], path: string) =>
    list.some((each) => (each.endsWith('*') ? path.startsWith(each.slice(0, -1)) : path === each));
  fc.assert(
    fc.property(paths, paths, fc.constantFrom('/a', '/a/', '/a/b', '/a/bc', '/b/c', '/c'), (granted, pattern, path) => {
      expect(has(commonPaths(granted, pattern), path)).toBe(has(granted, path) && has(pattern, path));
    }),
  );
});

test.each<[string[], string[], string[] | undefined, string[]]>([
  [['pods'], ['pods'], undefined, ['pods']],
  [['pods'], ['*'], undefined, ['pods']],
  [['pods'], ['*'], ['log'], []],
  [['pods/log'], ['pods'], undefined, []],
  [['pods/log'], ['pods'], ['log', 'exec'], ['pods/log']],
  [['pods/log'], ['*'], ['*'], ['pods/log']],
  [['*/scale'], ['deployments', 'statefulsets'], ['', 'scale'], ['deployments/scale', 'statefulsets/scale']],
  [['*/scale'], ['*'], ['*'], ['*/scale']],
  [['*'], ['pods', 'secrets'], undefined, ['pods', 'secrets']],
  [['*'], ['pods'], ['', 'log'], ['pods', 'pods/log']],
  [['*'], ['pods'], ['*'], ['pods', 'pods/*']],
  [['*'], ['*'], ['*'], ['*']],
  [['*'], ['*'], ['scale'], ['*/scale']],
  [['services/proxy'], ['services'], [''], []],
])('%j granted and a pattern of %j with %j have %j in common', (granted, resources, subresources, expected) => {
  expect(commonResources(granted, {resources, ...(subresources && {subresources})} as never)).toEqual(expected);
});

test.each<[object, object | undefined]>([
  [{verbs: ['create'], apiGroups: [''], resources: ['pods'], subresources: ['exec', 'log']}, {subresources: ['exec']}],
  [
    {verbs: ['get'], apiGroups: ['*'], resources: ['*'], subresources: ['*'], resourceNames: ['web']},
    {subresources: ['attach', 'exec', 'portforward'], resourceNames: ['web']},
  ],
  [{verbs: ['delete'], apiGroups: [''], resources: ['pods'], subresources: ['exec']}, undefined],
  [{verbs: ['get'], apiGroups: [''], resources: ['pods']}, undefined],
  [{verbs: ['get'], apiGroups: ['apps'], resources: ['*'], subresources: ['exec']}, undefined],
  [{verbs: ['get'], apiGroups: [''], resources: ['services'], subresources: ['*']}, undefined],
  [{verbs: ['get'], nonResourceURLs: ['*']}, undefined],
])('%j opens streams as %j', (pattern, streams) => {
  const both = {...pattern, verbs: ['get', 'create'], apiGroups: [''], resources: ['pods'], ...streams};
  expect(withPodStreams(pattern as never)).toEqual(streams === undefined ? [pattern] : [pattern, both]);
});
