/**
 * Runs the processes of one cluster for a parent that may die at any moment. It is a process of its own (node
 * supervisor.ts <data directory>), told what to run over the IPC channel; when the channel closes, for whatever reason,
 * or on `stop`, it ends them all, removes the data directory and exits. The kernel closes the channel even when the
 * parent is killed with SIGKILL, which no handler inside the parent could notice.
 */
import {type ChildProcess, spawn} from 'node:child_process';
import {closeSync, openSync, rmSync} from 'node:fs';
import type {SupervisorCommand, SupervisorReport} from './supervise.ts';

const [dataDirectory] = process.argv.slice(2);
if (dataDirectory === undefined || process.send === undefined) {
  throw new Error('supervisor.ts is started by supervise.ts, with the data directory and an IPC channel.');
}

const running = new Set<ChildProcess>();
let stopping = false;

function report(message: SupervisorReport): void {
  // The parent may be gone already: 'disconnect' then follows and ends everything.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function start(command: Extract<SupervisorCommand, {type: 'start'}>): void {
  const log = openSync(command.logPath, 'a');
  const input = command.endsWithInput ? 'pipe' : 'ignore';
  const child = spawn(command.file, command.args, {cwd: dataDirectory, stdio: [input, log, log]});
  closeSync(log);
  running.add(child);
  child.once('error', (error) => ended(child, command.name, error.message));
  child.once('exit', (code, signal) => ended(child, command.name, signal ?? `exit code ${code}`));
}

function ended(child: ChildProcess, name: string, reason: string): void {
  running.delete(child);
  report({type: 'exited', name, reason});
  if (stopping) finishWhenAllEnded();
}

function stop(): void {
  if (stopping) return;
  stopping = true;
  // Nothing of this cluster is kept, so nothing is gained by a graceful end.
  for (const child of running) {
    // A node, whose cgroups and link it removes itself.
    if (child.stdin) child.stdin.end();
    else child.kill('SIGKILL');
  }
  finishWhenAllEnded();
}

function finishWhenAllEnded(): void {
  if (running.size > 0) return;
  rmSync(dataDirectory as string, {recursive: true, force: true, maxRetries: 5});
  process.exit(0);
}

process.on('message', (command: SupervisorCommand) => {
  switch (command.type) {
    case 'start':
      if (!stopping) start(command);
      break;
    case 'stop':
      stop();
      break;
    default:
      command satisfies never;
  }
});
process.on('disconnect', stop);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
