import {DatabaseSync} from 'node:sqlite';
import {AuditLogError} from './errors.ts';

/** SQLITE_BUSY: somebody else holds the lock. */
const sqliteBusy = 5;

/**
 * Keeps every other process away from a log, until `release` or the end of this process however it ends.
 *
 * A file with a pid in it would be no lock: in containers each proxy is process 1 of its own pid namespace, so a dead
 * holder cannot be told from a living one. SQLite holds a lock of the kernel (fcntl) on an empty file beside the log,
 * which a killed process drops and no pid takes part in. Node has no other way to such a lock.
 */
export function lockFile(path: string): {release(): void} {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, {timeout: 0});
    database.exec('BEGIN EXCLUSIVE');
    const held = database;
    return {release: () => held.close()};
  } catch (cause) {
    database?.close();
    const busy = (cause as {errcode?: unknown}).errcode === sqliteBusy;
    throw new AuditLogError(
      busy ? 'AuditLogLocked' : 'AuditLogUnusable',
      busy
        ? `audit log: another process holds ${path}: give each proxy a log of its own, or stop the other one`
        : `audit log: cannot lock ${path}: the folder must exist and be writable`,
      {cause},
    );
  }
}
