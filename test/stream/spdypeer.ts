import {type ChildProcess, execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {promisify} from 'node:util';

/** A client and a server on Kubernetes' own implementation of SPDY, see spdypeer/main.go. */
export interface SpdyPeer {
  /** The port of a server that ends with this process. */
  serve(scenario: string): Promise<number>;
  /** Runs a client to its end and gives what it printed. */
  dial(port: number, scenario: string): Promise<unknown>;
  /** Ends the servers and removes the program. */
  close(): Promise<void>;
}

/** Builds the program with Go: at once where Go has its parts in its cache. */
export async function buildSpdyPeer(): Promise<SpdyPeer> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-spdypeer-'));
  const program = path.join(directory, 'spdypeer');
  await promisify(execFile)('go', ['build', '-o', program, '.'], {
    cwd: path.join(import.meta.dirname, 'spdypeer'),
    env: {...process.env, CGO_ENABLED: '0', GOWORK: 'off'},
  });
  const servers: ChildProcess[] = [];
  return {
    async serve(scenario) {
      const server = spawn(program, ['serve', scenario], {stdio: ['pipe', 'pipe', 'inherit']});
      servers.push(server);
      const [line] = (await once(createInterface(server.stdout), 'line')) as [string];
      return Number(line);
    },
    async dial(port, scenario) {
      const {stdout} = await promisify(execFile)(program, ['dial', String(port), scenario], {timeout: 30_000});
      return JSON.parse(stdout);
    },
    async close() {
      await Promise.all(
        servers.map(async (server) => {
          const exit = once(server, 'exit');
          server.stdin?.end();
          await exit;
        }),
      );
      await rm(directory, {recursive: true, force: true});
    },
  };
}
