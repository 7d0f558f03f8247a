import type {Command, Option} from 'commander';
import {generatedFrom, table} from './markdown.ts';

/** The reference page of every command line, sub-commands below their command. */
export function flagsReference(programs: readonly Command[]): string {
  return [
    generatedFrom('the programs themselves'),
    '# Flags',
    'Every program also takes `-h` and `--help`. Durations are written `30s`, `5m` or `1h30m`.',
    ...programs.flatMap((program) => sections(program, '')),
    '',
  ].join('\n\n');
}

function sections(command: Command, parent: string): string[] {
  const name = parent === '' ? command.name() : `${parent} ${command.name()}`;
  const parts = [`## ${name}`, command.description()];
  const {registeredArguments} = command;
  if (registeredArguments.length > 0) {
    parts.push(
      table(
        ['argument', 'description'],
        registeredArguments.map((argument) => [
          `\`${argument.name()}${argument.variadic ? '...' : ''}\``,
          argument.description,
        ]),
      ),
    );
  }
  if (command.options.length > 0) {
    parts.push(
      table(
        ['flag', 'default', 'description'],
        command.options.map((option) => [`\`${option.flags}\``, defaultOf(option), descriptionOf(option)]),
      ),
    );
  }
  return [...parts, ...command.commands.flatMap((each) => sections(each, name))];
}

function defaultOf({mandatory, defaultValue, defaultValueDescription, flags}: Option): string {
  if (defaultValue === undefined) return mandatory ? 'required' : '';
  // Read as seconds, and so shown.
  const unit = typeof defaultValue === 'number' && flags.includes('<duration>') ? 's' : '';
  return `\`${defaultValueDescription ?? `${defaultValue}${unit}`}\``;
}

function descriptionOf({description, argChoices}: Option): string {
  const choices = argChoices === undefined ? '' : ` (one of ${argChoices.map((each) => `\`${each}\``).join(', ')})`;
  return description + choices;
}
