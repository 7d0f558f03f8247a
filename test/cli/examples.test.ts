import {readdirSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from '@jest/globals';
import {processInput} from '../../cli/input.ts';
import {policyCommand} from '../../cli/policy/command.ts';

const examples = path.resolve(import.meta.dirname, '../../examples');

test.each(readdirSync(examples))('the policies of examples/%s do what their tests say', async (name) => {
  let printed = '';
  let exitCode = 0;
  const input = {
    ...processInput(),
    out: (text: string) => {
      printed += text;
    },
    error: (text: string) => {
      printed += text;
    },
    exitCode: (code: number) => {
      exitCode = code;
    },
  };
  await policyCommand(input).parseAsync(['test', path.join(examples, name)], {from: 'user'});
  expect(printed).toMatch(/^(?:ok {3}.*\n)+[1-9][0-9]* passed, 0 failed\n$/);
  expect(exitCode).toBe(0);
});
