import {readdir, readFile} from 'node:fs/promises';

/** Command lines of the processes of a process group or session, and of those that name a text on their command line. */
export async function runningUnder(group: number, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
      if (commandLine === '') continue;
      // After the command's name, which may hold spaces: state, parent, process group, session.
      const [, , processGroup, session] = (
        (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1) ?? ''
      ).split(' ');
      const belongs = Number(processGroup) === group || Number(session) === group;
      if (belongs || commandLine.includes(text)) found.push(commandLine);
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** Bytes of memory that a process holds now. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
