import {readFileSync} from 'node:fs';
import path from 'node:path';
import type {Client} from './client.ts';

const plain = ['HTTP'] as const;
const streams = ['WebSocket'] as const;
const {dependencies} = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as {
  dependencies: Readonly<Record<string, string>>;
};

export const javascriptClient: Client = {
  name: 'JavaScript: `@kubernetes/client-node`',
  version: dependencies['@kubernetes/client-node'] ?? '',
  setUp:
    'Nothing but the kubeconfig. Its watches end after 30 seconds without an event, and its informers after an error: ' +
    'the program has to start them again, with the gateway as without.',
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
    },
    ...{exec: streams, input: streams, attach: streams, 'port-forward': streams},
  },
  install: async () => path.join(import.meta.dirname, 'javascript/client.ts'),
  commandLine: (program, {access, ability, args}) => ({
    command: [process.execPath, program, access.namespace, ability, ...args],
  }),
};
