import {parseEvent, type RecordedLine} from './recording.ts';
import type {Terminal} from './terminal.ts';

export interface PlayOptions {
  /** 2 is twice as fast. */
  readonly speed: number;
  /** A pause that was longer is cut to this. */
  readonly idleLimitSeconds: number;
  /** What is played: what was shown, or what was sent to the command. */
  readonly code: 'o' | 'i';
}

export type PlayEnd = 'Whole' | 'Torn' | 'Stopped';

/**
 * Plays events as they happened. Nothing is taken out of what a command said: to be seen as it was seen is what a
 * recording is for.
 *
 * @throws {ReplayError} at a line that is no event; what came before it was played.
 */
export async function play(
  lines: AsyncIterable<RecordedLine>,
  {speed, idleLimitSeconds, code}: PlayOptions,
  terminal: Pick<Terminal, 'out' | 'now' | 'sleep'>,
  signal: AbortSignal,
): Promise<PlayEnd> {
  const startedAt = terminal.now();
  let recordedSeconds = 0;
  let dueSeconds = 0;
  for await (const line of lines) {
    if (signal.aborted) return 'Stopped';
    if ('torn' in line) return 'Torn';
    const event = parseEvent(line.text, line.place);
    if (event.code !== code) continue;
    const pause = Math.max(0, event.seconds - recordedSeconds);
    recordedSeconds += pause;
    dueSeconds += Math.min(pause, idleLimitSeconds) / speed;
    // Against the start, so that what writing costs does not add up.
    const wait = startedAt + dueSeconds * 1000 - terminal.now();
    if (wait > 0) await terminal.sleep(wait, signal);
    if (signal.aborted) return 'Stopped';
    await terminal.out(event.data);
  }
  return signal.aborted ? 'Stopped' : 'Whole';
}

/**
 * Brings back a screen that a recording left in any state: leaves the alternate screen, reports no mouse and no pasting,
 * plain characters (shift in), and the rest by a soft reset (DECSTR: cursor, colours, key modes); then a new line.
 */
export const screenReset =
  '\u001b[?1049l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?2004l\u000f\u001b[!p\u001b[0m\u001b[?25h\r\n';
