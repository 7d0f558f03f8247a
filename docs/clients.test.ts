import {readFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from '@jest/globals';
import {callsOf} from '../test/clients/client.ts';
import {clients} from '../test/clients/clients.ts';
import {clientsPage, keyOf} from './clients.ts';

const everything = new Set(clients.flatMap((client) => callsOf(client).map((call) => keyOf(client, call))));

test('docs/clients.md names every client with its version, and each does all that it is tried at', () => {
  const page = readFileSync(path.join(import.meta.dirname, 'clients.md'), 'utf8');
  // Stale? `npm run clients` runs them and writes it.
  expect(page).toBe(clientsPage(clients, everything));
});

test('what did not work is not said to work', () => {
  const [client] = clients;
  if (client === undefined) throw new Error('no client');
  const shown = new Set([...everything].filter((key) => key !== `${client.name}: exec over SPDY`));
  expect(clientsPage(clients, shown)).toMatch(/^\| kubectl 1\.36 .* \*\*fails\*\* /m);
});
