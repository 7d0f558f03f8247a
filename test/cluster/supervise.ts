import {type ChildProcess, fork} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, openSync} from 'node:fs';
import path from 'node:path';

/** What the supervisor is told. */
export type SupervisorCommand =
  | {
      readonly type: 'start';
      readonly name: string;
      readonly file: string;
      readonly args: readonly string[];
      readonly logPath: string;
      /** It cleans up when its standard input closes, and must not be killed. */
      readonly endsWithInput: boolean;
    }
  | {readonly type: 'stop'};

/** What the supervisor tells. */
export interface SupervisorReport {
  readonly type: 'exited';
  readonly name: string;
  readonly reason: string;
}

/** The processes of one cluster, which end with this process at the latest. */
export class Supervisor {
  readonly #child: ChildProcess;
  readonly #logDirectory: string;
  readonly #exited = new Map<string, string>();

  /** The supervisor owns `dataDirectory` from now on: it removes it in the end. */
  constructor(dataDirectory: string, logDirectory: string) {
    this.#logDirectory = logDirectory;
    const log = openSync(path.join(logDirectory, 'supervisor.log'), 'a');
    this.#child = fork(path.join(import.meta.dirname, 'supervisor.ts'), [dataDirectory], {
      // A process group of its own: what kills a whole group (Ctrl-C, a CI runner) must leave the one that cleans up.
      detached: true,
      cwd: '/',
      execArgv: [],
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.#child.on('message', (report: SupervisorReport) => this.#exited.set(report.name, report.reason));
    this.#child.on('exit', (code, signal) => this.#exited.set('supervisor', signal ?? `exit code ${code}`));
    this.#child.on('error', (error) => this.#exited.set('supervisor', error.message));
    // A forgotten cluster must not keep the process alive that started it.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** Starts a process; its output goes to `<name>.log`. */
  start(name: string, file: string, args: readonly string[], {endsWithInput = false} = {}): void {
    this.#exited.delete(name);
    const logPath = this.logPath(name);
    this.#child.send({type: 'start', name, file, args, logPath, endsWithInput} satisfies SupervisorCommand);
  }

  logPath(name: string): string {
    return path.join(this.#logDirectory, `${name}.log`);
  }

  /** The name and reason of a process that ended although nobody stopped it. */
  firstExited(): {readonly name: string; readonly reason: string} | undefined {
    const [first] = this.#exited;
    return first && {name: first[0], reason: first[1]};
  }

  /** Ends every process, waits until they are gone and their directory is removed. May be called again. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return;
    this.#child.ref();
    const exit = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.send({type: 'stop'} satisfies SupervisorCommand);
    await exit;
  }
}
