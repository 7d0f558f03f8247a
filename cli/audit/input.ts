import {createReadStream} from 'node:fs';
import {readFile} from 'node:fs/promises';

/** What a command reads and where it speaks, so that a test can stand in for the process. */
export interface CommandInput {
  /** @param path A file, or `-` for standard input. */
  read(path: string): AsyncIterable<Uint8Array>;
  readText(path: string): Promise<string>;
  out(text: string): void;
  error(text: string): void;
  /** What the process ends with once all is done. */
  exitCode(code: number): void;
  /** Ends the process at once. */
  exit(code: number): never;
}

export function processInput(): CommandInput {
  return {
    read: (path) => (path === '-' ? process.stdin : createReadStream(path, {highWaterMark: 1024 * 1024})),
    readText: (path) => readFile(path, 'utf8'),
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    exitCode: (code) => {
      process.exitCode = code;
    },
    exit: (code) => process.exit(code),
  };
}
