import {readFileSync} from 'node:fs';
import {readdir} from 'node:fs/promises';
import path from 'node:path';
import {findTool} from '../cluster/node/tools.ts';
import {cachedFrom, run} from './cache.ts';
import type {Client} from './client.ts';

const sources = path.join(import.meta.dirname, 'go');
const plain = ['HTTP'] as const;
const streams = ['WebSocket', 'SPDY'] as const;

export const clientGo: Client = {
  name: 'client-go',
  version: /k8s\.io\/client-go v(\S+)/.exec(readFileSync(path.join(sources, 'go.mod'), 'utf8'))?.[1] ?? '',
  setUp: 'Nothing but the kubeconfig.',
  does: {
    ...{
      list: plain,
      watch: plain,
      create: plain,
      patch: plain,
      refusal: plain,
      logs: plain,
      follow: plain,
      informers: plain,
      'many informers': plain,
    },
    ...{exec: streams, input: streams, attach: streams, 'port-forward': streams},
  },
  unavailable: withoutGo,
  install: async () => {
    const version = await run('go', ['version'], '/');
    const files = (await readdir(sources)).sort().map((file) => path.join(sources, file));
    const directory = await cachedFrom('client-go', files, version, async (into) => {
      await run('go', ['build', '-o', path.join(into, 'client'), '.'], sources, {CGO_ENABLED: '0', GOWORK: 'off'});
    });
    return path.join(directory, 'client');
  },
  commandLine: (program, {access, ability, transport, args}) => {
    const transports = transport === 'HTTP' ? [] : [transport];
    return {command: [program, access.namespace, ability, ...transports, ...args]};
  },
};

export async function withoutGo(): Promise<string | undefined> {
  return findTool('go').then(
    () => undefined,
    () => 'It is built with Go (https://go.dev/dl).',
  );
}
