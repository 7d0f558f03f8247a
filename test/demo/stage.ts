import {spawn} from 'node:child_process';
import path from 'node:path';
import type {ClusterAccess} from '../environment/access.ts';
import {root} from '../environment/environment.ts';

/** What a step must have shown; a demo that shows anything else fails. */
export interface Expected {
  readonly code?: number;
  readonly shows?: readonly string[];
  readonly hides?: readonly string[];
}

export interface Shown {
  readonly code: number;
  readonly output: string;
}

/** A person or an agent at a shell with a kubeconfig of their own. */
export class Actor {
  readonly name: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #say: (line: string) => void;

  constructor(name: string, kubeconfig: string, cluster: ClusterAccess, say: (line: string) => void) {
    this.name = name;
    this.#say = say;
    const tools = path.isAbsolute(cluster.kubectlPath) ? [path.dirname(cluster.kubectlPath)] : [];
    const directories = [path.join(path.dirname(kubeconfig), 'bin'), ...tools, process.env.PATH];
    this.#environment = {
      ...process.env,
      PATH: directories.join(path.delimiter),
      KUBECONFIG: kubeconfig,
      KUBECACHEDIR: `${kubeconfig}.cache`,
    };
  }

  /** Runs a command line as typed, shows it with its output, and checks what it showed. */
  async types(command: string, expected: Expected = {}): Promise<Shown> {
    const shown = await this.runs(command);
    this.#say(`\n${this.name}$ ${command}`);
    for (const line of shown.output.trimEnd().split('\n')) this.#say(line);
    check(command, shown, expected);
    return shown;
  }

  /** Runs a command line without showing it. */
  async runs(command: string): Promise<Shown> {
    const child = this.starts(command);
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk;
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode) => resolve(exitCode ?? 1));
    });
    return {code, output};
  }

  /** Starts a command line that goes on until it is ended. */
  starts(command: string) {
    return spawn('sh', ['-c', `exec ${command}`], {
      cwd: root,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

function check(command: string, {code, output}: Shown, expected: Expected): void {
  const faults: string[] = [];
  const wantedCode = expected.code ?? 0;
  if (code !== wantedCode) faults.push(`exit code ${code}, not ${wantedCode}`);
  for (const text of expected.shows ?? []) if (!output.includes(text)) faults.push(`does not show ${text}`);
  for (const text of expected.hides ?? []) if (output.includes(text)) faults.push(`shows ${text}`);
  if (faults.length > 0) throw new Error(`${command}: ${faults.join('; ')}\n${output}`);
}
