import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, openSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

const root = path.resolve(import.meta.dirname, '../..');
const readySeconds = 60;
const stopSeconds = 15;

/** The operator, the proxy or the issuer as a process of its own, started as it is started in production. */
export class LockkeeperProcess {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  readonly #child: ChildProcess;

  private constructor(name: string, child: ChildProcess, logPath: string) {
    this.name = name;
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.logPath = logPath;
  }

  /**
   * @param main path from the project's root, for example `proxy/main.ts`. Output is appended to the log file.
   * @param nodeFlags for who profiles the process
   */
  static start(
    name: string,
    main: string,
    args: readonly string[],
    logPath: string,
    nodeFlags: readonly string[] = [],
  ): LockkeeperProcess {
    const log = openSync(logPath, 'a', 0o600);
    const preload = path.join(import.meta.dirname, 'end-with-parent.mjs');
    const child = spawn(process.execPath, [...nodeFlags, '--import', preload, path.join(root, main), ...args], {
      cwd: root,
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    child.unref();
    child.channel?.unref();
    return new LockkeeperProcess(name, child, logPath);
  }

  get exited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** null while it runs, and where a signal ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Waits for `/readyz` at the port; gives up when the process ends or a minute has passed. */
  ready(port: number): Promise<void> {
    return this.#answers(() => get(http, {host: '127.0.0.1', port, path: '/readyz'}));
  }

  /** Waits until the URL is answered with 200. */
  answersAt(url: string, ca: string): Promise<void> {
    const {hostname, port, pathname} = new URL(url);
    return this.#answers(() => get(https, {host: hostname, port, path: pathname, ca}));
  }

  async #answers(ask: () => Promise<{ready: boolean; text: string}>): Promise<void> {
    const deadline = performance.now() + readySeconds * 1000;
    let obstacle = 'it does not listen yet';
    for (;;) {
      const answer = await ask().catch((error: Error) => ({ready: false, text: error.message}));
      if (answer.ready) return;
      obstacle = answer.text.trim() || obstacle;
      if (this.exited) throw new Error(`the ${this.name} ended: ${await this.lastWords()}`);
      if (performance.now() > deadline) throw new Error(`the ${this.name} is not ready: ${obstacle}`);
      await sleep(50);
    }
  }

  /** Asks it to end and waits; a process that does not end in time is killed. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.exited) return;
    this.#child.ref();
    const exit = once(this.#child, 'exit');
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopSeconds * 1000);
    await exit;
    clearTimeout(timer);
  }

  async lastWords(): Promise<string> {
    return (await readFile(this.logPath, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join('\n');
  }
}

function get(transport: typeof http | typeof https, options: https.RequestOptions) {
  return new Promise<{ready: boolean; text: string}>((resolve, reject) => {
    const request = transport.get({...options, agent: false}, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ready: response.statusCode === 200, text}));
    });
    request.on('error', reject);
  });
}
