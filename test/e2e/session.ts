import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import type {Cluster} from '../cluster/cluster.ts';

/** How kubectl reaches into pods: a WebSocket, or what clients did before Kubernetes 1.30. */
export type PodStreamTransport = 'WebSocket' | 'SPDY';
export const podStreamTransports: readonly PodStreamTransport[] = ['WebSocket', 'SPDY'];

export interface SessionEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SessionOptions {
  /** false: the output is too long to be kept. */
  readonly keep?: boolean;
  /** Runs kubectl on a terminal of its own, where its errors come on the standard output too. */
  readonly terminal?: boolean;
}

/** A kubectl that streams: what it printed so far, and its end. */
export class Session {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<SessionEnd>;
  /** Over all that it printed on its standard output. */
  readonly hash = createHash('sha256');
  bytes = 0;
  stdout = '';
  stderr = '';

  constructor(
    cluster: Cluster,
    options: {readonly kubeconfig: string; readonly transport: PodStreamTransport; readonly args: readonly string[]},
    {keep = true, terminal = false}: SessionOptions = {},
  ) {
    const webSockets = String(options.transport === 'WebSocket');
    const command = [cluster.kubectlPath, ...options.args];
    // bsdutils' script(1) is a terminal emulator without a screen.
    const [program, ...args] = terminal ? ['script', '-qefc', command.map(quoted).join(' '), '/dev/null'] : command;
    this.child = spawn(program as string, args, {
      env: {
        ...cluster.kubectlEnvironment(options.kubeconfig),
        KUBECTL_REMOTE_COMMAND_WEBSOCKETS: webSockets,
        KUBECTL_PORT_FORWARD_WEBSOCKETS: webSockets,
      },
    });
    this.child.stdin.on('error', () => {});
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.hash.update(chunk);
      if (keep) this.stdout += chunk.toString();
    });
    this.child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
