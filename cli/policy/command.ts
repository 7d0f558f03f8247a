import {Command} from 'commander';
import {type CommandInput, processInput} from '../input.ts';
import {testCommand} from '../policytest/command.ts';

/** `lockkeeper policy`. */
export function policyCommand(input: CommandInput = processInput()): Command {
  return new Command('policy').description('For authors of policies.').addCommand(testCommand(input));
}
