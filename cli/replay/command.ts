import {Command, InvalidArgumentError} from 'commander';
import {connectionTable} from './connections.ts';
import {ReplayError} from './errors.ts';
import {type PlayOptions, play, screenReset} from './play.ts';
import {linesOf, parseHeader, type RecordedLine} from './recording.ts';
import {processTerminal, type Terminal} from './terminal.ts';

interface ReplayOptions {
  readonly speed: number;
  readonly idleLimit?: number;
  readonly input?: true;
}

/** As a shell reports a command that Ctrl-C ended. */
const interrupted = 130;

/** `lockkeeper replay`. */
export function replayCommand(terminal: Terminal = processTerminal()): Command {
  return new Command('replay')
    .description(
      'Play the recording of an exec or attach in the terminal, or print the connections of a port-forward as a table.',
    )
    .argument('<file>', 'the recording: asciicast v2, or a connection log')
    .option('--speed <factor>', 'how many times as fast as it was', parseFactor, 1)
    .option('--idle-limit <seconds>', 'cut longer pauses to this', parseSeconds)
    .option('--input', 'play what was sent to the command, not what it said; recorded where a policy asks for it')
    .addHelpText('after', '\nWhat a command wrote reaches the terminal as it is, control sequences included.')
    .action((file: string, options: ReplayOptions) => replay(file, options, terminal));
}

async function replay(
  file: string,
  {speed, idleLimit = Number.POSITIVE_INFINITY, input}: ReplayOptions,
  terminal: Terminal,
): Promise<void> {
  const lines = linesOf(file, readable(file, terminal));
  const first = await lines.next();
  if (first.done === true) throw new ReplayError(`${file} is empty`);
  const {value} = first;
  if ('torn' in value) throw new ReplayError(`${file} ends inside its first line`);
  const header = parseHeader(value.text, value.place);
  if (header.kind === 'PortForward') {
    for await (const entry of connectionTable(header.startedAtMilliseconds, lines)) {
      if ('row' in entry) await terminal.out(entry.row);
      else noteTorn(file, terminal);
    }
    return;
  }
  await watched(file, lines, {speed, idleLimitSeconds: idleLimit, code: input ? 'i' : 'o'}, terminal);
}

/** Plays on a terminal that is given back as it was, however it ends. */
async function watched(
  file: string,
  lines: AsyncIterable<RecordedLine>,
  options: PlayOptions,
  terminal: Terminal,
): Promise<void> {
  const watch = terminal.watch();
  try {
    const end = await play(lines, options, terminal, watch.signal);
    if (end === 'Stopped') terminal.exitCode(interrupted);
    if (end === 'Torn') noteTorn(file, terminal);
  } finally {
    if (terminal.isScreen) await terminal.out(screenReset);
    await watch.release();
  }
}

function noteTorn(file: string, terminal: Terminal): void {
  terminal.error(`lockkeeper: ${file} ends inside a line: the proxy was killed there, or is still recording\n`);
}

async function* readable(file: string, terminal: Terminal): AsyncGenerator<Uint8Array> {
  try {
    yield* terminal.read(file);
  } catch (cause) {
    throw new ReplayError(`${file} cannot be read: ${Error.isError(cause) ? cause.message : String(cause)}`, {cause});
  }
}

function parseFactor(text: string): number {
  const factor = Number(text);
  if (text.trim() === '' || !(factor > 0) || !Number.isFinite(factor)) {
    throw new InvalidArgumentError('Want a number above 0, such as 2 or 0.5.');
  }
  return factor;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds >= 0)) throw new InvalidArgumentError('Want seconds, such as 2 or 0.5.');
  return seconds;
}
