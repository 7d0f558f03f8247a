import {readFile} from 'node:fs/promises';
import type {Readable, Writable} from 'node:stream';
import {Command, Option} from 'commander';
import {createMasker} from '../../core/mask/createmasker.ts';
import type {MaskMediaType} from '../../core/mask/masker.ts';
import {filter} from './filter.ts';
import {defaultPlan, planOfPolicies} from './plan.ts';
import {report} from './report.ts';

/** What the command reads and where it writes, so that a test can stand in for the process. */
export interface MaskStreams {
  readonly source: Readable;
  readonly target: Writable;
  readText(path: string): Promise<string>;
  /** What the process ends with once all is done. */
  exitCode(code: number): void;
}

/** As a shell reports a command that wrote to a pipe which nobody reads any more. */
const brokenPipe = 141;

function processStreams(): MaskStreams {
  return {
    source: process.stdin,
    target: process.stdout,
    readText: (path) => readFile(path, 'utf8'),
    exitCode: (code) => {
      process.exitCode = code;
    },
  };
}

interface MaskOptions {
  readonly policy?: string;
  readonly mediaType: MaskMediaType;
  readonly report: boolean;
}

/** `lockkeeper mask`. */
export function maskCommand(streams: () => MaskStreams = processStreams): Command {
  return new Command('mask')
    .description('Mask what comes in on standard input as the gateway masks answers, and write it to standard output.')
    .option(
      '--policy <file>',
      'AgentAccessPolicies whose masking to use, all of it; card numbers and what goes with them without one',
    )
    .addOption(
      new Option('--media-type <type>', 'how to read the input: as JSON, one document or many, or as text')
        .choices(['json', 'text'])
        .default('text'),
    )
    .option(
      '--report',
      'write what would be masked instead, as lines of JSON: offset, length, detector and brand',
      false,
    )
    .addHelpText(
      'after',
      '\nFor example: kubectl get pods -o json | lockkeeper mask --media-type json\n' +
        'It takes input of any size. Where it fails, nothing was written unmasked.',
    )
    .action(async (options: MaskOptions) => mask(options, streams()));
}

async function mask({policy, mediaType, report: isReport}: MaskOptions, streams: MaskStreams): Promise<void> {
  const {source, target, readText, exitCode} = streams;
  const plan = policy === undefined ? defaultPlan() : planOfPolicies(policy, await readText(policy));
  // Whether JSON holds Secrets is not known here, so base64 is looked into wherever it stands.
  const options = {mediaType, plan, base64: mediaType === 'json'};
  try {
    await (isReport ? report(source, target, options) : filter(source, createMasker(options), target));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    exitCode(brokenPipe);
  }
}
