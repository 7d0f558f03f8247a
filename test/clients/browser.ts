import {readFileSync} from 'node:fs';
import path from 'node:path';
import type {Client} from './client.ts';

const plain = ['HTTP'] as const;
const {
  devDependencies: {node},
} = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as {
  devDependencies: Readonly<Record<string, string>>;
};
const streams = ['WebSocket'] as const;

export const browser: Client = {
  name: '`fetch` and `WebSocket`, as in browsers',
  version: `Node ${node?.split('.')[0]}`,
  setUp:
    "The gateway's URL and a token; a WebSocket takes no headers, so the token goes in `Sec-WebSocket-Protocol` " +
    '(`base64url.bearer.authorization.k8s.io.<token>`). The gateway answers no preflight requests: pages of another ' +
    'origin need a server of theirs in between.',
  does: {
    ...{list: plain, watch: plain, create: plain, patch: plain, refusal: plain, logs: plain, follow: plain},
    ...{exec: streams, input: streams, attach: streams},
  },
  install: async () => path.join(import.meta.dirname, 'browser/client.ts'),
  commandLine: (program, {access, ability, args}) => ({
    command: [process.execPath, program, access.namespace, ability, ...args],
    env: {SERVER: access.server, TOKEN: access.token, NODE_EXTRA_CA_CERTS: access.authority},
  }),
};
