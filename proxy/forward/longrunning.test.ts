import {expect, test} from '@jest/globals';
import {operation} from '../../test/operations.ts';
import {isLongRunning} from './longrunning.ts';

test.each([
  ['a watch', {verb: 'watch'}],
  ['followed logs', {verb: 'get', subresource: 'log', query: 'follow=true'}],
  [
    'followed logs among other parameters',
    {verb: 'get', subresource: 'log', query: 'container=a&follow=1&tailLines=5'},
  ],
  ['logs with follow and no value', {verb: 'get', subresource: 'log', query: 'follow'}],
  ['logs with an empty follow', {verb: 'get', subresource: 'log', query: 'follow='}],
  ['logs with whatever follow', {verb: 'get', subresource: 'log', query: 'follow=maybe'}],
])('%s last', (_name, differing) => {
  expect(isLongRunning(operation(differing))).toBe(true);
});

test.each([
  ['a list', {}],
  ['a get', {verb: 'get', name: 'web'}],
  ['logs', {verb: 'get', subresource: 'log'}],
  ['logs that do not follow', {verb: 'get', subresource: 'log', query: 'follow=false&tailLines=5'}],
  ['logs with follow=0', {verb: 'get', subresource: 'log', query: 'follow=0'}],
  ['logs with follow=False', {verb: 'get', subresource: 'log', query: 'follow=False'}],
  ['logs whose first follow says no', {verb: 'get', subresource: 'log', query: 'follow=false&follow=true'}],
  ['a list with a parameter of that name', {query: 'follow=true'}],
])('%s end soon', (_name, differing) => {
  expect(isLongRunning(operation(differing))).toBe(false);
});
