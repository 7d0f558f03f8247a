import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {once} from 'node:events';

/** A client that runs: what it printed so far, and its end. */
export class Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<number | null>;
  stdout = '';
  stderr = '';

  constructor(command: readonly [string, ...string[]], env: NodeJS.ProcessEnv) {
    const [program, ...args] = command;
    this.child = spawn(program, args, {env});
    // A client may end without reading its input.
    this.child.stdin.on('error', () => {});
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk;
    });
    this.child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk;
    });
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
  }

  /** The lines of its output that hold a word. */
  linesWith(word: string): readonly string[] {
    return this.stdout.split('\n').filter((line) => line.includes(word));
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
