import {write} from 'node:fs';
import {constants, type FileHandle, open} from 'node:fs/promises';
import {dirname} from 'node:path';
import {type ChainPosition, computeHash, maximumLineBytes, positionAfter, readSeal} from '../../core/audit/chain.ts';
import {AuditLogError} from './errors.ts';

/** What the log needs of a file; every operation is durable when it resolves. */
export interface AuditFile {
  /** Writes at the end in one system call. @returns how many bytes were written, fewer than given where the disk is full. */
  append(bytes: Uint8Array): Promise<number>;
  size(): Promise<number>;
  truncate(byteLength: number): Promise<void>;
  close(): Promise<void>;
}

export interface OpenedAuditFile {
  readonly file: AuditFile;
  /** After the last whole line. */
  readonly byteLength: number;
  /** Where the chain goes on; undefined in an empty file. */
  readonly position: ChainPosition | undefined;
  /** Bytes of an unfinished line, now cut off. It was never acknowledged: its call was not forwarded. */
  readonly tornBytes: number;
}

/**
 * Opens a log to be continued, or makes it (mode 0600). With O_DSYNC one write is durable when it returns; with
 * O_APPEND it goes to the end whatever else happened to the file.
 *
 * @throws {AuditLogError} where the file cannot be opened or its last line is not what a proxy wrote.
 */
export async function openAuditFile(path: string): Promise<OpenedAuditFile> {
  const {O_RDWR, O_CREAT, O_APPEND, O_DSYNC} = constants;
  let handle: FileHandle;
  try {
    handle = await open(path, O_RDWR | O_CREAT | O_APPEND | O_DSYNC, 0o600);
  } catch (cause) {
    throw new AuditLogError('AuditLogUnusable', `audit log: cannot open ${path} for reading and writing`, {cause});
  }
  try {
    await syncFolder(dirname(path));
    const {size} = await handle.stat();
    const byteLength = (await lastNewline(handle, size)) + 1;
    const position = byteLength === 0 ? undefined : positionAfter(await readLastLine(handle, byteLength, path));
    if (byteLength < size) await truncate(handle, byteLength);
    return {file: auditFile(handle), byteLength, position, tornBytes: size - byteLength};
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function auditFile(handle: FileHandle): AuditFile {
  return {
    // The callback form: a FileHandle's own write costs the main thread several times as much.
    append: (bytes) =>
      new Promise((resolve, reject) => {
        write(handle.fd, bytes, 0, bytes.length, null, (error, written) => {
          if (error === null) resolve(written);
          else reject(error);
        });
      }),
    size: async () => (await handle.stat()).size,
    truncate: (byteLength) => truncate(handle, byteLength),
    close: () => handle.close(),
  };
}

async function truncate(handle: FileHandle, byteLength: number): Promise<void> {
  await handle.truncate(byteLength);
  await handle.datasync();
}

/** A new file survives a power cut only once its folder is on disk too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readLastLine(handle: FileHandle, end: number, path: string) {
  const start = (await lastNewline(handle, end - 1)) + 1;
  const line = Buffer.alloc(Math.min(end - 1 - start, maximumLineBytes));
  await readFully(handle, line, end - 1 - line.length);
  const seal = readSeal(line);
  if (seal === undefined || computeHash(line) !== seal.hash) {
    throw new AuditLogError(
      'AuditLogDamaged',
      `audit log: the last line of ${path} is not what a proxy wrote, so its chain cannot be continued: ` +
        `run "lockkeeper audit verify ${path}", keep the file as evidence, move it away and start again`,
    );
  }
  return seal;
}

const chunkBytes = 64 * 1024;

/** @returns the offset of the last newline before `end`, -1 where there is none. */
async function lastNewline(handle: FileHandle, end: number): Promise<number> {
  const chunk = Buffer.alloc(Math.min(chunkBytes, end));
  for (let stop = end; stop > 0; ) {
    const start = Math.max(0, stop - chunk.length);
    const part = chunk.subarray(0, stop - start);
    await readFully(handle, part, start);
    const found = part.lastIndexOf(10);
    if (found >= 0) return start + found;
    stop = start;
  }
  return -1;
}

async function readFully(handle: FileHandle, into: Buffer, position: number): Promise<void> {
  for (let filled = 0; filled < into.length; ) {
    const {bytesRead} = await handle.read(into, filled, into.length - filled, position + filled);
    if (bytesRead === 0) throw new AuditLogError('AuditLogUnusable', 'audit log: the file shrank while it was read');
    filled += bytesRead;
  }
}
