import {execFile} from 'node:child_process';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {promisify} from 'node:util';
import {cachedFrom, run} from './cache.ts';
import type {Client} from './client.ts';

const sources = path.join(import.meta.dirname, 'python');
const requirements = path.join(sources, 'requirements.txt');
const plain = ['HTTP'] as const;
const streams = ['WebSocket (v5)', 'WebSocket (v4)'] as const;

/** The virtual environment is of this Python. */
const recentPython = 'import ensurepip, sys; assert sys.version_info >= (3, 10); print(sys.version, sys.prefix)';

export const pythonClient: Client = {
  name: 'Python: `kubernetes`',
  version: /^kubernetes==(\S+)$/m.exec(readFileSync(requirements, 'utf8'))?.[1] ?? '',
  setUp:
    'Nothing but the kubeconfig. Releases before 36 speak version 4 of the WebSocket protocol alone, in which no client ' +
    'can say that its input ended.',
  does: {
    ...{list: plain, watch: plain, create: plain, patch: plain, refusal: plain, logs: plain, follow: plain},
    ...{exec: streams, input: ['WebSocket (v5)'], attach: streams, 'port-forward': ['WebSocket']},
  },
  unavailable: () =>
    promisify(execFile)('python3', ['-c', recentPython]).then(
      () => undefined,
      () => 'It needs Python 3.10 or newer with venv: on Debian, `apt-get install python3-venv`.',
    ),
  install: async () => {
    const python = await run('python3', ['-c', recentPython], '/');
    const directory = await cachedFrom('python', [requirements], python, async (into) => {
      await run('python3', ['-m', 'venv', into], '/');
      const quiet = ['--quiet', '--disable-pip-version-check', '--no-deps'];
      await run(path.join(into, 'bin/python'), ['-m', 'pip', 'install', ...quiet, '-r', requirements], '/');
    });
    return path.join(directory, 'bin/python');
  },
  commandLine: (program, {access, ability, transport, args}) => {
    const protocol = {'WebSocket (v5)': ['v5'], 'WebSocket (v4)': ['v4']}[transport as string] ?? [];
    const command = [path.join(sources, 'client.py'), access.namespace, ability, ...protocol, ...args];
    return {command: [program, ...command]};
  },
};
