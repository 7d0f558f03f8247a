import {write} from 'node:fs';
import {type FileHandle, mkdir, open, unlink} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {RecordingFailed} from './errors.ts';

/** What a recording needs of its file. */
export interface AppendedFile {
  /** Writes at the end in one system call. @returns how many bytes were written, fewer than given where the disk is full. */
  append(bytes: Uint8Array): Promise<number>;
  /** Durable, its name in the folder too. */
  sync(): Promise<void>;
  close(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Makes the file of a recording (mode 0600), in a folder for its day (0700). A file that is there already is not
 * touched: it is evidence.
 *
 * @throws {RecordingFailed}
 */
export async function createRecordingFile(directory: string, name: string): Promise<AppendedFile> {
  const path = join(directory, name);
  try {
    await mkdir(dirname(path), {recursive: true, mode: 0o700});
    return appendedFile(await open(path, 'ax', 0o600), path);
  } catch (cause) {
    throw RecordingFailed.of(`the recording ${path} cannot be made`, cause);
  }
}

function appendedFile(handle: FileHandle, path: string): AppendedFile {
  return {
    // The callback form: a FileHandle's own write costs the main thread several times as much.
    append: (bytes) =>
      new Promise((resolve, reject) => {
        write(handle.fd, bytes, 0, bytes.length, null, (error, written) => {
          if (error === null) resolve(written);
          else reject(error);
        });
      }),
    async sync() {
      await handle.sync();
      const folder = await open(dirname(path), 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    },
    close: () => handle.close(),
    remove: () => unlink(path),
  };
}
