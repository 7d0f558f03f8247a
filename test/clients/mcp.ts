import {readFileSync} from 'node:fs';
import {copyFile} from 'node:fs/promises';
import path from 'node:path';
import {cachedFrom, run} from './cache.ts';
import type {Client} from './client.ts';

const sources = path.join(import.meta.dirname, 'mcp');
const plain = ['HTTP'] as const;
const {dependencies} = JSON.parse(readFileSync(path.join(sources, 'package.json'), 'utf8')) as {
  dependencies: Readonly<Record<string, string>>;
};

export const mcpServer: Client = {
  name: '`kubernetes-mcp-server`',
  version: dependencies['kubernetes-mcp-server'] ?? '',
  setUp:
    'Nothing but the kubeconfig (`--kubeconfig`). Its tools neither watch nor take input for a command; `patch` is ' +
    'server-side apply.',
  does: {list: plain, create: plain, patch: plain, refusal: plain, logs: plain, exec: ['WebSocket']},
  install: async () => {
    const platform = `${process.platform}-${process.arch}`;
    const files = ['package.json', 'package-lock.json'].map((file) => path.join(sources, file));
    const directory = await cachedFrom('mcp', files, platform, async (into) => {
      for (const file of files) await copyFile(file, path.join(into, path.basename(file)));
      // Not `npm ci`: see the Makefile.
      await run('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'], into);
    });
    return path.join(directory, 'node_modules/.bin/kubernetes-mcp-server');
  },
  commandLine: (program, {access, ability, args}) => ({
    command: [process.execPath, path.join(sources, 'client.ts'), access.namespace, ability, ...args],
    env: {MCP_SERVER: program},
  }),
};
