import {readdirSync, readlinkSync} from 'node:fs';

/** How many processes run in `directory` or did before it was removed (Linux). */
export function processesIn(directory: string): number {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(directory);
      } catch {
        // Ended since the listing, or somebody else's.
        return false;
      }
    }).length;
}
