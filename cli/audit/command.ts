import {Command} from 'commander';
import {type CommandInput, processInput} from '../input.ts';
import {verifyCommand} from './verify.ts';

/** `lockkeeper audit`. */
export function auditCommand(input: CommandInput = processInput()): Command {
  return new Command('audit').description('Evidence for auditors.').addCommand(verifyCommand(input));
}
