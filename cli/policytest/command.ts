import {join} from 'node:path';
import {Command} from 'commander';
import type {CommandInput} from '../input.ts';
import {FileError} from '../policy/read.ts';
import {pathText} from '../schema/schema.ts';
import {differences} from './compare.ts';
import {verdictOn} from './decide.ts';
import {type CaseResult, type FileResult, junit, text, totalsOf} from './report.ts';
import {readSuite, type SuiteCase} from './suite.ts';

const testFile = /\.test\.ya?ml$/;

/** `lockkeeper policy test`: exits with 0 where all tests pass, 1 where one does not, 2 where there is none to run. */
export function testCommand(input: CommandInput): Command {
  return new Command('test')
    .description('Run the tests that stand beside policies: what a call is answered, and what of the answer is masked.')
    .argument('<directory...>', 'where to look for *.test.yaml, below it too; or such a file')
    .option('--junit <file>', 'also write the results as JUnit XML')
    .addHelpText(
      'after',
      '\nThe calls are decided, and answers masked, by the code that the gateway runs; no cluster is asked.\n' +
        'Exit code: 0 all pass, 1 one does not, 2 wrong usage or no test found.',
    )
    .configureOutput({writeOut: input.out, writeErr: input.error})
    .exitOverride(({exitCode}) => input.exit(exitCode === 0 ? 0 : 2))
    .action(async (directories: string[], options: {readonly junit?: string}) => {
      const code = await test(directories, options, input);
      if (code !== 0) input.exitCode(code);
    });
}

async function test(
  directories: readonly string[],
  options: {readonly junit?: string},
  input: CommandInput,
): Promise<0 | 1 | 2> {
  let files: readonly string[];
  try {
    files = await testFiles(directories, input);
  } catch (error) {
    input.error(`lockkeeper: ${messageOf(error)}\n`);
    return 2;
  }
  if (files.length === 0) {
    input.error(`lockkeeper: no file named *.test.yaml in ${directories.join(', ')}\n`);
    return 2;
  }
  const results: FileResult[] = [];
  for (const file of files) results.push(await run(file, input));
  input.out(text(results));
  if (options.junit !== undefined) {
    try {
      await input.writeText(options.junit, junit(results));
    } catch (error) {
      input.error(`lockkeeper: ${options.junit}: ${messageOf(error)}\n`);
      return 2;
    }
  }
  return totalsOf(results).failed === 0 ? 0 : 1;
}

async function testFiles(directories: readonly string[], input: CommandInput): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const directory of directories) {
    if (testFile.test(directory)) found.add(directory);
    else {
      const listed = await input.list(directory);
      for (const file of listed) if (testFile.test(file)) found.add(join(directory, file));
    }
  }
  return [...found].sort();
}

async function run(file: string, input: CommandInput): Promise<FileResult> {
  try {
    const {bundle, cases} = await readSuite(file, input.readText);
    return {file, cases: cases.map((each) => ({name: each.test.name, failures: failuresOf(file, bundle, each)}))};
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return {file, cases: [], error: error.message};
  }
}

function failuresOf(
  file: string,
  bundle: Parameters<typeof verdictOn>[0],
  suiteCase: SuiteCase,
): CaseResult['failures'] {
  return differences(verdictOn(bundle, suiteCase), suiteCase).map(({field, message}) => {
    const line = suiteCase.lineOf(['expect', ...field]);
    return `${file}:${line}: ${pathText(field)}: ${message}`;
  });
}

function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message : String(error);
}
