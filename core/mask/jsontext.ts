import {BACKSLASH, hexValue} from './bytes.ts';

const LOWER_U = 0x75;

/** What the letters of the short escapes mean. */
const SHORT = new Map(
  Object.entries({b: '\b', f: '\f', n: '\n', r: '\r', t: '\t'}).map(([letter, character]) => [
    letter.charCodeAt(0),
    character.charCodeAt(0),
  ]),
);

export interface Unescaped {
  readonly bytes: Buffer;
  /** Where the byte at an index came from; at the end, where the text ends. */
  readonly indexOf: (index: number) => number;
}

/**
 * Takes one level of escapes off what stands in a JSON string, where that is JSON itself. Escapes of characters beyond
 * ASCII stay: to the JSON inside they mean the same.
 *
 * @param bytes valid between `from` and `to`, where no escape is cut
 */
export function unescaped(bytes: Buffer, from: number, to: number): Unescaped {
  const text = bytes.subarray(from, to);
  if (!text.includes(BACKSLASH)) return {bytes: text, indexOf: (index) => from + index};
  const out = Buffer.allocUnsafe(to - from);
  const origins = new Uint32Array(to - from + 1);
  let length = 0;
  for (let at = from; at < to; length++) {
    origins[length] = at;
    const byte = bytes[at] as number;
    if (byte !== BACKSLASH) {
      out[length] = byte;
      at++;
      continue;
    }
    const letter = bytes[at + 1] as number;
    const codePoint = letter === LOWER_U ? hexOf(bytes, at + 2) : (SHORT.get(letter) ?? letter);
    const width = letter === LOWER_U ? 6 : 2;
    if (codePoint < 0x80) out[length] = codePoint;
    else {
      for (let index = 0; index < width; index++) {
        out[length + index] = bytes[at + index] as number;
        origins[length + index] = at + index;
      }
      length += width - 1;
    }
    at += width;
  }
  origins[length] = to;
  return {bytes: out.subarray(0, length), indexOf: (index) => origins[index] as number};
}

function hexOf(bytes: Buffer, at: number): number {
  let value = 0;
  for (let index = at; index < at + 4; index++) value = value * 16 + hexValue(bytes[index] as number);
  return value;
}
