import {test} from '@jest/globals';
import {describeWithNode} from '../node/describe.ts';

describeWithNode('exec', () => {
  test('runs a command', () => {});
});
