import {browser} from './browser.ts';
import type {Client} from './client.ts';
import {clientGo} from './clientgo.ts';
import {javascriptClient} from './javascript.ts';
import {kubectl, olderKubectl} from './kubectl.ts';
import {mcpServer} from './mcp.ts';
import {pythonClient} from './python.ts';

/** Every client that is tried, in the order of the page. */
export const clients: readonly Client[] = [
  kubectl,
  olderKubectl,
  clientGo,
  pythonClient,
  javascriptClient,
  browser,
  mcpServer,
];
