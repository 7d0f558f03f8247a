import {byteSet} from './bytes.ts';

/** RFC 4648 section 4. */
export const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const IN_WORD = byteSet(ALPHABET);

/** The first of the four characters that encode the byte. */
export function firstCharacterOf(byteIndex: number): number {
  return Math.floor(byteIndex / 3) * 4;
}

/** Where the next word starts that is long enough or reaches `limit`, which is given if there is none. */
export function nextWord(chunk: Buffer, from: number, limit: number, shortest: number): number {
  let clear = from;
  for (;;) {
    const probe = Math.min(clear + shortest, limit) - 1;
    let start = probe + 1;
    while (start > clear && IN_WORD[chunk[start - 1] as number] === 1) start--;
    if (probe === limit - 1) return start;
    if (start <= probe) {
      const end = wordEnd(chunk, probe, Math.min(start + shortest, limit));
      if (end === limit || end - start >= shortest) return start;
      clear = end;
    } else clear = probe + 1;
  }
}

/** The end of the word that `from` stands in, or `limit` if it goes on. */
export function wordEnd(chunk: Buffer, from: number, limit: number): number {
  let end = from;
  while (end + 8 <= limit && areInWord(chunk, end) && areInWord(chunk, end + 4)) end += 8;
  while (end < limit && IN_WORD[chunk[end] as number] === 1) end++;
  return end;
}

/** Whether four bytes are in a word: their table is asked at once, as most of what is long is long. */
function areInWord(chunk: Buffer, at: number): boolean {
  const first = (IN_WORD[chunk[at] as number] as number) & (IN_WORD[chunk[at + 1] as number] as number);
  return (first & (IN_WORD[chunk[at + 2] as number] as number) & (IN_WORD[chunk[at + 3] as number] as number)) === 1;
}
