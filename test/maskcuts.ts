import {expect} from '@jest/globals';
import {createMasker, type MaskerOptions} from '../core/mask/createmasker.ts';

/** What comes out for these bytes, pushed in chunks that end at these offsets. */
export function maskedInChunks(options: MaskerOptions, bytes: Buffer, cuts: readonly number[] = []): string {
  const masker = createMasker(options);
  const out: Buffer[] = [];
  const emit = (chunk: Buffer): void => {
    out.push(Buffer.from(chunk));
  };
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    masker.push(Buffer.from(bytes.subarray(from, to)), emit);
    from = to;
  }
  masker.end(emit);
  return Buffer.concat(out).toString();
}

/** Expects this to come out where the input is whole, cut in two at every offset, and byte by byte. */
export function cutEverywhere(options: MaskerOptions, input: string, expected: string): void {
  const bytes = Buffer.from(input);
  expect(maskedInChunks(options, bytes)).toBe(expected);
  for (let cut = 1; cut < bytes.length; cut++) {
    const out = maskedInChunks(options, bytes, [cut]);
    if (out !== expected) throw new Error(`cut at ${cut}: ${out}`);
  }
  const everyByte = Array.from({length: bytes.length - 1}, (_, index) => index + 1);
  expect(maskedInChunks(options, bytes, everyByte)).toBe(expected);
}

/** What comes out of each part, with a flush after each but the last, and how many PANs are counted. */
export function flushed(options: MaskerOptions, parts: readonly string[]): {out: string[]; found: number} {
  const masker = createMasker(options);
  const out = parts.map((part, index) => {
    const emitted: Buffer[] = [];
    const emit = (bytes: Buffer): void => {
      emitted.push(Buffer.from(bytes));
    };
    masker.push(Buffer.from(part), emit);
    if (index < parts.length - 1) masker.flush(emit);
    else masker.end(emit);
    return Buffer.concat(emitted).toString('latin1');
  });
  return {out, found: masker.counts.PAN};
}
