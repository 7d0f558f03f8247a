import path from 'node:path';
import {isExecutableFile} from '../binaries.ts';
import {ClusterError} from '../error.ts';

/** Where Debian has them, besides what `PATH` says: the one of many users lacks the directories of sbin. */
const systemDirectories = ['/usr/sbin', '/sbin'];

/**
 * The absolute path of a program of this machine.
 *
 * @throws {ClusterError} where there is none.
 */
export async function findTool(name: string): Promise<string> {
  for (const directory of [...(process.env.PATH ?? '').split(path.delimiter), ...systemDirectories]) {
    const file = path.join(directory, name);
    if (path.isAbsolute(file) && (await isExecutableFile(file))) return file;
  }
  throw new ClusterError('NodeUnavailable', `${name} was not found in PATH (${process.env.PATH}).`);
}
