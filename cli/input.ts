import {createReadStream} from 'node:fs';
import {readdir, readFile, writeFile} from 'node:fs/promises';
import {join, relative} from 'node:path';

/** What a command reads and where it speaks, so that a test can stand in for the process. */
export interface CommandInput {
  /** @param path A file, or `-` for standard input. */
  read(path: string): AsyncIterable<Uint8Array>;
  readText(path: string): Promise<string>;
  writeText(path: string, text: string): Promise<void>;
  /** All that is no directory, below a directory, by its path from there. */
  list(directory: string): Promise<readonly string[]>;
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
    writeText: (path, text) => writeFile(path, text),
    async list(directory) {
      const entries = await readdir(directory, {recursive: true, withFileTypes: true});
      return entries
        .filter((entry) => !entry.isDirectory())
        .map(({parentPath, name}) => relative(directory, join(parentPath, name)));
    },
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    exitCode: (code) => {
      process.exitCode = code;
    },
    exit: (code) => process.exit(code),
  };
}
