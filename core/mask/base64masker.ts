import {byteSet} from './bytes.ts';
import {CardMasker, type CardMaskerOptions} from './cardmasker.ts';
import {foundIn, unitedCounts} from './counts.ts';
import {type FindingLog, logOfEncoded} from './findinglog.ts';
import type {MaskCounts, Masker, MaskMediaType} from './masker.ts';
import {StreamWindow} from './window.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const IN_WORD = byteSet(ALPHABET);
const SEXTETS = new Uint8Array(256);
for (const [sextet, character] of [...ALPHABET].entries()) SEXTETS[character.charCodeAt(0)] = sextet;

/** The twelve digits of the shortest PAN in base64. */
const SHORTEST_WORD_CHARACTERS = 16;

/** The same of `cvc=123`. */
const SHORTEST_CODE_WORD_CHARACTERS = 10;

/** Three asterisks. */
const HIDDEN_GROUP = Buffer.from(Buffer.from('***').toString('base64'));

const NO_BYTES = Buffer.alloc(0);

/** Characters decoded at once. */
const BLOCK_CHARACTERS = 16 * 1024;

/**
 * Masks PANs inside base64 (RFC 4648 section 4): every word of its alphabet is decoded as it streams by, masked as
 * text, and where that changes a byte the characters that encode it are changed. So it finds the values of a Secret,
 * and the same in the copy of the Secret that kubectl keeps in an annotation as JSON in a string. All bytes, those of
 * the words included, then go to the next masker as they are.
 */
export class Base64Masker implements Masker {
  readonly counts: Readonly<MaskCounts>;
  readonly #next: Masker;
  readonly #mediaType: MaskMediaType;
  readonly #window = new StreamWindow();
  readonly #decoded: CardMasker;
  readonly #shortestWord: number;
  readonly #block = Buffer.alloc((BLOCK_CHARACTERS / 4) * 3);
  /** Where the word starts that is being decoded. */
  #wordStart: number | undefined;
  /** Bytes of that word that are decoded, and how many of them have come back masked. */
  #bytesDecoded = 0;
  #bytesMasked = 0;
  #foundBefore = 0;
  /** Characters before this index are out, though the bytes that they encode in part may have to be hidden yet. */
  #releasedTo = 0;
  /** Whether the word was flushed, so that digits may be hidden that are not counted. */
  #flushed = false;
  /** Whether the rest of the word is hidden, as it was flushed where its digits are. */
  #hidden = false;

  /** @param mediaType as in `next` */
  constructor(next: Masker, mediaType: MaskMediaType, options: CardMaskerOptions, log?: FindingLog) {
    this.#next = next;
    this.#mediaType = mediaType;
    const decoded = new CardMasker(
      'text',
      options,
      log && logOfEncoded(log, (start, end) => this.#placeOf(start, end)),
    );
    this.#shortestWord = options.codes ? SHORTEST_CODE_WORD_CHARACTERS : SHORTEST_WORD_CHARACTERS;
    this.#decoded = decoded;
    this.counts = unitedCounts(next.counts, decoded.counts);
  }

  get heldBytes(): number {
    return this.#window.bytesHeld + this.#next.heldBytes;
  }

  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#advance(chunk, false, emit);
  }

  /**
   * A word that is released where digits of its bytes are being hidden is hidden from there to its end, uncounted: the
   * characters of a byte that is out in part cannot be decoded any more when the other part is hidden.
   */
  flush(emit: (bytes: Buffer) => void): void {
    if (this.#mediaType === 'json') return;
    if (this.#window.bytesHeld > 0) this.#flushWord(emit);
    this.#next.flush(emit);
  }

  end(emit: (bytes: Buffer) => void): void {
    this.#advance(NO_BYTES, true, emit);
    this.#window.reset();
    this.#next.end(emit);
  }

  #flushWord(emit: (bytes: Buffer) => void): void {
    this.#window.open(NO_BYTES);
    this.#flushed = true;
    this.#decoded.flush((masked) => this.#encode(masked));
    const releasedTo = this.#releasedTo;
    this.#releasedTo = 0;
    if (this.#decoded.hidesNext) {
      this.#hidden = true;
      this.#hide(Math.max((this.#wordStart ?? 0) + firstCharacterOf(this.#bytesMasked), releasedTo), 0);
    }
    this.#window.close(0, (ready) => this.#next.push(ready, emit));
  }

  #advance(chunk: Buffer, final: boolean, emit: (bytes: Buffer) => void): void {
    this.#window.open(chunk);
    this.#scan(chunk, final);
    const start = this.#wordStart;
    const isOpen = start !== undefined && !this.#hidden;
    const holdFrom = isOpen ? Math.max(start + firstCharacterOf(this.#bytesMasked), this.#releasedTo) : chunk.length;
    const bytes = this.#window.close(holdFrom, (ready) => this.#next.push(ready, emit));
    if (start !== undefined) this.#wordStart = start - bytes;
    this.#releasedTo -= bytes;
  }

  #scan(chunk: Buffer, final: boolean): void {
    let at = 0;
    while (at < chunk.length || final) {
      const start = this.#wordStart ?? nextWord(chunk, at, this.#shortestWord);
      const end = wordEnd(chunk, Math.max(start, at), chunk.length);
      if (this.#hidden) this.#hide(at, end);
      else if (this.#wordStart !== undefined || start < end) this.#decodeWord(start, end);
      if (end === chunk.length && !final) return;
      this.#endWord(start, end);
      if (end === chunk.length) return;
      at = end;
    }
  }

  /** Decodes what is new of the word, as far as it is complete groups of four characters. */
  #decodeWord(start: number, end: number): void {
    if (this.#wordStart === undefined) {
      this.#wordStart = start;
      this.#bytesDecoded = 0;
      this.#bytesMasked = 0;
      this.#flushed = false;
      this.#foundBefore = foundIn(this.#decoded.counts);
    }
    const {chunk} = this.#window;
    let at = start + firstCharacterOf(this.#bytesDecoded);
    for (; at < 0 && at + 4 <= end; at += 4) {
      const group = this.#groupAt(at);
      this.#maskDecoded(this.#block.writeUIntBE(group, 0, 3));
    }
    while (at + 4 <= end) {
      const to = Math.min(at + BLOCK_CHARACTERS, end - ((end - at) % 4));
      this.#maskDecoded(this.#block.write(chunk.toString('latin1', at, to), 'base64'));
      at = to;
    }
  }

  /** The word, if one is being decoded, ends before `end`. */
  #endWord(start: number, end: number): void {
    if (this.#wordStart === undefined) return;
    if (this.#hidden) {
      this.#decoded.end(() => {});
      this.#hidden = false;
      this.#wordStart = undefined;
      return;
    }
    const at = start + firstCharacterOf(this.#bytesDecoded);
    const group = this.#groupAt(at);
    this.#block[0] = group >> 16;
    this.#block[1] = group >> 8;
    // Two characters left encode one byte, three encode two; one alone encodes none.
    this.#maskDecoded(Math.max(end - at - 1, 0));
    this.#decoded.end((masked) => this.#encode(masked));
    this.#wordStart = undefined;
  }

  #maskDecoded(bytes: number): void {
    if (bytes === 0) return;
    this.#bytesDecoded += bytes;
    this.#decoded.push(this.#block.subarray(0, bytes), (masked) => this.#encode(masked));
  }

  /** Takes back the next decoded bytes, and changes the characters of those that were masked. */
  #encode(masked: Buffer): void {
    if (this.#flushed || foundIn(this.#decoded.counts) > this.#foundBefore) {
      for (const [index, byte] of masked.entries()) this.#encodeByte(this.#bytesMasked + index, byte);
    }
    this.#bytesMasked += masked.length;
  }

  #encodeByte(index: number, byte: number): void {
    const at = (this.#wordStart ?? 0) + firstCharacterOf(index);
    const place = index % 3;
    const shift = 16 - 8 * place;
    const group = this.#groupAt(at);
    if (((group >> shift) & 0xff) === byte) return;
    const changed = (group & ~(0xff << shift)) | (byte << shift);
    // A byte is spread over two characters.
    for (const character of [place, place + 1]) {
      if (at + character < this.#releasedTo) continue;
      this.#window.overwrite(at + character, ALPHABET.charCodeAt((changed >> (18 - 6 * character)) & 0x3f));
    }
  }

  /** Hides the characters of [from, to) of the word, whatever they encode. */
  #hide(from: number, to: number): void {
    for (let at = from; at < to; at++) {
      const inGroup = (at - (this.#wordStart ?? 0)) % 4;
      this.#window.overwrite(at, HIDDEN_GROUP[inGroup] as number);
    }
  }

  /** Where in the stream the bytes [start, end) of the word are encoded. */
  #placeOf(start: number, end: number): [number, number] {
    const word = this.#window.offset + (this.#wordStart ?? 0);
    const last = end - 1;
    return [word + firstCharacterOf(start) + (start % 3), word + firstCharacterOf(last) + (last % 3) + 2];
  }

  #groupAt(at: number): number {
    const window = this.#window;
    const [first, second, third, fourth] = [0, 1, 2, 3].map((index) => SEXTETS[window.byteAt(at + index)] as number);
    return ((first as number) << 18) | ((second as number) << 12) | ((third as number) << 6) | (fourth as number);
  }
}

/** The first of the four characters that encode the byte. */
function firstCharacterOf(byteIndex: number): number {
  return Math.floor(byteIndex / 3) * 4;
}

/** Where the next word starts that is long enough or reaches the end of the chunk, the end if there is none. */
function nextWord(chunk: Buffer, from: number, shortest: number): number {
  let clear = from;
  for (;;) {
    const probe = Math.min(clear + shortest, chunk.length) - 1;
    let start = probe + 1;
    while (start > clear && IN_WORD[chunk[start - 1] as number] === 1) start--;
    if (probe === chunk.length - 1) return start;
    if (start <= probe) {
      const end = wordEnd(chunk, probe, Math.min(start + shortest, chunk.length));
      if (end === chunk.length || end - start >= shortest) return start;
      clear = end;
    } else clear = probe + 1;
  }
}

/** The end of the word that `from` stands in, or `limit` if it goes on. */
function wordEnd(chunk: Buffer, from: number, limit: number): number {
  let end = from;
  while (end < limit && IN_WORD[chunk[end] as number] === 1) end++;
  return end;
}
