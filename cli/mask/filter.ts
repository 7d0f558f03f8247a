import type {Readable, Writable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import type {Masker} from '../../core/mask/masker.ts';

/**
 * Passes bytes through the masker, as fast as they are taken. What is held back at any time is one chunk and what the
 * masker holds.
 *
 * @throws where the masker does or a stream fails: then some of the bytes are out, masked, and the others are not
 */
export async function filter(source: Readable, masker: Masker, target: Writable): Promise<void> {
  const masked = async function* (chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    let ready: Buffer[] = [];
    const emit = (bytes: Buffer): void => {
      if (bytes.length > 0) ready.push(bytes);
    };
    for await (const chunk of chunks) {
      masker.push(chunk, emit);
      yield* ready;
      ready = [];
    }
    masker.end(emit);
    yield* ready;
  };
  // Standard output is not ours to end.
  await pipeline(source, masked, target, {end: false});
}
