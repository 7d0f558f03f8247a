import type {WatchEvent} from './client.ts';
import {KubeConnectionError} from './error.ts';

/** etcd holds objects of up to 1.5 MiB; managed fields and the envelope stay far below this. */
const maximumEventBytes = 32 * 1024 * 1024;

const types: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']);

/**
 * Decodes the body of a watch: one JSON object a line. Rejects where a line is no watch event or the body ends inside
 * one, so that a torn watch never looks like one that the server ended.
 */
export async function* decodeWatchEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of body) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, start);
      if (end === -1) break;
      held.push(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(held).toString('utf8');
      held = [];
      heldBytes = 0;
      if (line !== '') yield parseWatchEvent(line);
    }
    if (start < chunk.length) {
      held.push(chunk.subarray(start));
      heldBytes += chunk.length - start;
      if (heldBytes > maximumEventBytes) throw new KubeConnectionError('watch event larger than 32 MiB');
    }
  }
  if (heldBytes > 0) throw new KubeConnectionError('the watch ended inside an event');
}

function parseWatchEvent(line: string): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw new KubeConnectionError('the watch sent a line that is no JSON', {cause});
  }
  if (typeof event !== 'object' || event === null || !('type' in event) || !types.has(event.type)) {
    throw new KubeConnectionError('the watch sent a line that is no watch event');
  }
  return {type: event.type as WatchEvent['type'], object: 'object' in event ? event.object : undefined};
}
