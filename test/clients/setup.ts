import {nodeUnavailable} from '../cluster/node/available.ts';
import {clients} from './clients.ts';

/**
 * Builds and installs the clients once before any test runs, of whatever project: minutes with every core busy would be
 * minutes in which the others miss their deadlines. What fails here fails again in the tests, which tell of it.
 */
export default async function setup(): Promise<void> {
  if ((await nodeUnavailable()) !== undefined) return;
  for (const client of clients) {
    if ((await client.unavailable?.()) === undefined) await client.install().catch(() => {});
  }
}
