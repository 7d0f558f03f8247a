import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import type {WatchEvent} from './client.ts';
import {decodeWatchEvents} from './watchstream.ts';

async function* chunks(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function decode(...parts: (string | Uint8Array)[]): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  for await (const event of decodeWatchEvents(chunks(...parts.map((part) => Buffer.from(part))))) events.push(event);
  return events;
}

const added = {type: 'ADDED', object: {metadata: {name: 'größe €🔒'}}};
const marked = {type: 'BOOKMARK', object: {metadata: {resourceVersion: '7'}}};
const text = Buffer.from(`${JSON.stringify(added)}\n${JSON.stringify(marked)}\n`);

describe('decoding a watch', () => {
  test('gives the same events wherever the body is split', async () => {
    for (let at = 0; at <= text.length; at += 1) {
      expect(await decode(text.subarray(0, at), text.subarray(at))).toEqual([added, marked]);
    }
    expect(await decode(...Array.from(text, (_byte, at) => text.subarray(at, at + 1)))).toEqual([added, marked]);
  });

  test('gives each event as soon as its line is complete', async () => {
    const end = text.indexOf(0x0a) + 1;
    const events = decodeWatchEvents(chunks(text.subarray(0, end), text.subarray(end, end + 5)));
    expect((await events.next()).value).toEqual(added);
    await expect(events.next()).rejects.toThrow('ended inside an event');
  });

  test.each([
    ['a body that ends inside an event', text.subarray(0, text.length - 1), 'ended inside an event'],
    ['a line that is no JSON', '<html>\n', 'no JSON'],
    ['a line that is no object', '[]\n', 'no watch event'],
    ['null', 'null\n', 'no watch event'],
    ['an unknown type', '{"type":"PATCHED","object":{}}\n', 'no watch event'],
  ])('rejects %s', async (_what, body, message) => {
    await expect(decode(body)).rejects.toThrow(message);
  });

  test('rejects a line without end', async () => {
    const piece = Buffer.alloc(1024 * 1024, 0x61);
    await expect(decode(...Array.from({length: 34}, () => piece))).rejects.toThrow('larger than 32 MiB');
  });

  test('never gives anything but watch events', async () => {
    const line = fc.oneof(fc.json(), fc.string(), fc.constant(JSON.stringify(added)));
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.integer({min: 1, max: 9}), async (lines, size) => {
        const body = Buffer.from(lines.map((each) => `${each}\n`).join(''));
        const parts = Array.from({length: Math.ceil(body.length / size)}, (_, at) =>
          body.subarray(at * size, (at + 1) * size),
        );
        const events = await decode(...parts).catch((error: {code?: unknown}) => error.code);
        if (events === 'KubeConnection') return;
        for (const {type} of events as WatchEvent[]) expect(type).toBe('ADDED');
      }),
      {numRuns: 200},
    );
  });
});
