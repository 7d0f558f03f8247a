#!/usr/bin/env node
import {Command} from 'commander';
import {auditCommand} from './audit/command.ts';
import {maskCommand} from './mask/command.ts';
import {policyCommand} from './policy/command.ts';
import {replayCommand} from './replay/command.ts';
import {tokenCommand} from './token/command.ts';

/** The whole `lockkeeper` command line; docs/reference/flags.md is made from it. */
export function lockkeeperCommand(): Command {
  return new Command('lockkeeper')
    .description('Tools for who works with Lockkeeper: tokens for agents, tests for policies, evidence for auditors.')
    .addCommand(tokenCommand())
    .addCommand(maskCommand())
    .addCommand(policyCommand())
    .addCommand(auditCommand())
    .addCommand(replayCommand());
}

if (import.meta.main) {
  try {
    await lockkeeperCommand().parseAsync();
  } catch (error) {
    process.stderr.write(`lockkeeper: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
