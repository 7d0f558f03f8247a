import {createReadStream} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';

/** What replaying needs of the process, so that a test can stand in for it. */
export interface Terminal {
  read(path: string): AsyncIterable<Uint8Array>;
  /** Resolves once more can be taken. */
  out(text: string): Promise<void>;
  error(text: string): void;
  /** What the process ends with once all is done. */
  exitCode(code: number): void;
  /** Whether standard output is a screen, and no file or pipe. */
  readonly isScreen: boolean;
  /** Takes the keyboard, and watches for reasons to stop, until it is released. */
  watch(): Watch;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Ends early, without an error, where the signal is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export interface Watch {
  /** Aborted by Ctrl-C, by a signal to end, and where nobody reads standard output any more. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

const controlC = 0x03;

/** How long a screen may take to answer what a recording asked it (where is the cursor, what are you). */
const answerMilliseconds = 50;

export function processTerminal(): Terminal {
  const {stdout} = process;
  return {
    read: (path) => createReadStream(path, {highWaterMark: 64 * 1024}),
    async out(text) {
      if (stdout.write(text)) return;
      const waiting = Promise.withResolvers<void>();
      stdout.once('drain', waiting.resolve);
      // Nobody reads any more: `watch` sees to the rest.
      stdout.once('close', waiting.resolve);
      await waiting.promise;
    },
    error: (text) => void process.stderr.write(text),
    exitCode: (code) => {
      process.exitCode = code;
    },
    isScreen: stdout.isTTY === true,
    watch() {
      const {stdin} = process;
      const stop = new AbortController();
      const abort = () => stop.abort();
      const onKey = (keys: Buffer) => {
        if (keys.includes(controlC)) stop.abort();
      };
      const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
      for (const signal of signals) process.on(signal, abort);
      stdout.on('error', abort);
      // Raw, so that neither what is typed nor what the screen answers is echoed or left for the shell to run.
      const keyboard = stdin.isTTY && stdout.isTTY;
      if (keyboard) stdin.setRawMode(true).on('data', onKey);
      return {
        signal: stop.signal,
        async release() {
          if (keyboard) {
            await sleep(answerMilliseconds);
            stdin.setRawMode(false).off('data', onKey).pause();
          }
          for (const signal of signals) process.off(signal, abort);
        },
      };
    },
    now: () => performance.now(),
    sleep: (milliseconds, signal) => sleep(milliseconds, undefined, {signal}).catch(() => {}),
  };
}
