import {Command, Option} from 'commander';
import type {Fault} from '../../core/audit/fault.ts';
import {LogVerifier, type VerifySummary} from '../../core/audit/verify.ts';
import type {Checkpoint} from '../../core/control/messages.ts';
import type {CommandInput} from '../input.ts';
import {parseCheckpoints} from './checkpoints.ts';
import {RecordingCheck, RecordingDirectory} from './recordings.ts';
import {type FileVerdict, json, type MissingLog, text, type Verdict} from './report.ts';

/** Faults that are kept of one file; past that they are only counted. */
const maximumListedFaults = 1000;

interface VerifyOptions {
  readonly checkpoints?: string;
  readonly recordings?: string;
  readonly output: 'text' | 'json';
}

/** `lockkeeper audit verify`: exits with 0 where every log is whole, 1 where one is not, 2 where one cannot be read. */
export function verifyCommand(input: CommandInput): Command {
  return new Command('verify')
    .description(
      'Check that audit logs are whole: nothing changed, removed, moved or inserted; and the recordings that they name.',
    )
    .argument('<file...>', 'audit logs, each of one proxy; - for standard input')
    .option(
      '--checkpoints <file>',
      'what the operator saw of the chains: its ConfigMap, or JSON, one checkpoint a line',
    )
    .option('--recordings <directory>', 'the recording directory of the proxies: checks what the logs vouch for')
    .addOption(new Option('--output <format>', 'how to print the verdict').choices(['text', 'json']).default('text'))
    .addHelpText(
      'after',
      '\nWithout checkpoints a tail that was cut off, or a chain written anew, does not show.\n' +
        'Exit code: 0 whole, 1 not whole, 2 wrong usage or not readable.',
    )
    .configureOutput({writeOut: input.out, writeErr: input.error})
    .exitOverride(({exitCode}) => input.exit(exitCode === 0 ? 0 : 2))
    .action(async (files: string[], options: VerifyOptions) => {
      const code = await verify(files, options, input);
      if (code !== 0) input.exitCode(code);
    });
}

async function verify(files: readonly string[], options: VerifyOptions, input: CommandInput): Promise<0 | 1 | 2> {
  let checkpoints: readonly Checkpoint[] | undefined;
  let recordings: RecordingDirectory | undefined;
  if (options.checkpoints !== undefined) {
    try {
      checkpoints = parseCheckpoints(await input.readText(options.checkpoints));
    } catch (error) {
      input.error(`lockkeeper: ${options.checkpoints}: ${messageOf(error)}\n`);
      return 2;
    }
  }
  if (options.recordings !== undefined) {
    try {
      recordings = await RecordingDirectory.open(options.recordings, input);
    } catch (error) {
      input.error(`lockkeeper: ${options.recordings}: ${messageOf(error)}\n`);
      return 2;
    }
  }
  const verdicts: FileVerdict[] = [];
  for (const file of files) verdicts.push(await verifyFile(file, checkpoints, recordings, input));
  const verdict: Verdict = {
    files: verdicts,
    missing: missingLogs(verdicts, checkpoints ?? []),
    checkpointsGiven: checkpoints !== undefined,
    ...(recordings !== undefined && {unnamedRecordings: recordings.unnamed}),
  };
  const printed = options.output === 'json' ? {out: json(verdict), error: ''} : text(verdict);
  if (printed.out !== '') input.out(printed.out);
  if (printed.error !== '') input.error(printed.error);
  if (verdicts.some(({result}) => result === 'NotWhole')) return 1;
  if (verdicts.some(({result}) => result === 'Unreadable')) return 2;
  return verdict.missing.length > 0 ? 1 : 0;
}

async function verifyFile(
  file: string,
  checkpoints: readonly Checkpoint[] | undefined,
  directory: RecordingDirectory | undefined,
  input: CommandInput,
): Promise<FileVerdict> {
  const faults: Fault[] = [];
  let recordingFaults = 0;
  let recordingsNamed = 0;
  const report = (fault: Fault) => {
    if (faults.length < maximumListedFaults) faults.push(fault);
  };
  const recordings =
    directory &&
    new RecordingCheck(directory, (fault) => {
      recordingFaults += 1;
      report(fault);
    });
  const verifier = new LogVerifier(report, checkpoints, (claim) => {
    recordingsNamed += 1;
    recordings?.add(claim);
  });
  let log: VerifySummary;
  try {
    for await (const bytes of input.read(file)) {
      verifier.push(bytes);
      await recordings?.compare();
    }
    log = verifier.end();
    await recordings?.compare();
  } catch (error) {
    return {file, result: 'Unreadable', message: messageOf(error)};
  }
  const summary = {
    ...log,
    faults: log.faults + recordingFaults,
    recordings: recordings?.summary() ?? {named: recordingsNamed},
  };
  faults.sort((a, b) => a.line - b.line);
  return summary.faults === 0 ? {file, result: 'Whole', summary} : {file, result: 'NotWhole', summary, faults};
}

/** Chains that the operator knows and no file holds: deleted, or replaced by a log of another name. */
function missingLogs(verdicts: readonly FileVerdict[], checkpoints: readonly Checkpoint[]): MissingLog[] {
  const given = new Set(verdicts.map((verdict) => (verdict.result === 'Unreadable' ? '' : verdict.summary.origin)));
  const furthest = new Map<string, number>();
  for (const {origin, sequence} of checkpoints) {
    if (!given.has(origin)) furthest.set(origin, Math.max(sequence, furthest.get(origin) ?? 0));
  }
  return [...furthest].map(([origin, sequence]) => ({origin, sequence}));
}

function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message : String(error);
}
