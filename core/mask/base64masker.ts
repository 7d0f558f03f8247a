import {ALPHABET, firstCharacterOf, nextWord, wordEnd} from './base64word.ts';
import {BinaryData} from './binarydata.ts';
import {BACKSLASH, byteSet, hexValue} from './bytes.ts';
import {CardMasker, type CardMaskerOptions} from './cardmasker.ts';
import {foundIn, UnitedCounts} from './counts.ts';
import {type FindingLog, logOfEncoded, logOfWhole} from './findinglog.ts';
import {isGzip} from './gzip.ts';
import {GzipMasker} from './gzipmasker.ts';
import type {Masker, MaskMediaType} from './masker.ts';
import {ChunkScan} from './scan/chunkscan.ts';
import {BEFORE_BYTES} from './scan/scanner.ts';
import {StreamWindow} from './window.ts';

const SEXTETS = new Uint8Array(256);
for (const [sextet, character] of [...ALPHABET].entries()) SEXTETS[character.charCodeAt(0)] = sextet;

/** The twelve digits of the shortest PAN in base64. */
const SHORTEST_WORD_CHARACTERS = 16;

/** The same of `cvc=123`. */
const SHORTEST_CODE_WORD_CHARACTERS = 10;

/** Three asterisks. */
const HIDDEN_GROUP = Buffer.from(Buffer.from('***').toString('base64'));

const LOWER_U = 0x75;
const ESCAPE_LETTER = byteSet('bfnrt');

const NO_BYTES = Buffer.alloc(0);

/** Characters decoded at once. */
const BLOCK_CHARACTERS = 16 * 1024;

/**
 * Characters of a word that is gzip, which is held until it ends. The API server takes Secrets and ConfigMaps of 1 MiB,
 * which are 1.4 MiB in base64.
 */
export const GZIP_MAXIMUM_CHARACTERS = 2 * 1024 * 1024;

/** Held besides: what is undecided of a word that is text, and of a word within it. */
const TEXT_MAXIMUM_CHARACTERS = 8 * 1024;

export interface Base64Place {
  /** Of JSON: in all of it, or in `binaryData` alone. */
  readonly words: 'all' | 'binaryData';
  /** How often base64 may lie over base64, this one included. */
  readonly layers: number;
  /** Whether gzip in it is unpacked. */
  readonly gzip: boolean;
}

/** What is in words of base64; told apart by their first three bytes. */
type WordKind = 'unknown' | 'text' | 'gzip';

/**
 * Masks what cards have inside base64 (RFC 4648 section 4): every word of its alphabet is decoded as it streams by,
 * masked as text, and where that changes a byte the characters that encode it are changed. So it finds the values of a
 * Secret, and the same in the copy of the Secret that kubectl keeps in an annotation as JSON in a string. In the decoded
 * text words of base64 are decoded once more. All bytes, those of the words included, then go to the next masker as they
 * are.
 *
 * A word that is gzip is held until it ends, unpacked, and packed again to the same length where something is found in
 * it. Where that cannot be done it is hidden whole, as base64 of asterisks.
 */
export class Base64Masker implements Masker {
  readonly counts: UnitedCounts;
  readonly #next: CardMasker;
  readonly #mediaType: MaskMediaType;
  readonly #options: CardMaskerOptions;
  readonly #place: Base64Place;
  readonly #log: FindingLog | undefined;
  readonly #window: StreamWindow;
  readonly #gzipMaximumCharacters: number;
  readonly #binaryData: BinaryData | undefined;
  readonly #shortestWord: number;
  readonly #gzip: GzipMasker;
  /** These are made for the first word. */
  #decoded: CardMasker | Base64Masker | undefined;
  #block = NO_BYTES;
  /** Where the word starts that is being decoded. */
  #wordStart: number | undefined;
  #wordKind: WordKind = 'unknown';
  /** Bytes of that word that are decoded, and how many of them have come back masked. */
  #bytesDecoded = 0;
  #bytesMasked = 0;
  #changesBefore = 0;
  /** Characters before this index are out, though the bytes that they encode in part may have to be hidden yet. */
  #releasedTo = 0;
  /** Whether the word was flushed, so that digits may be hidden that are not counted. */
  #flushed = false;
  /** Whether the rest of the word is hidden, as it was flushed where its digits are, or is gzip that cannot be masked. */
  #hidden = false;
  /** Words that are hidden although nothing is known to be found in them. */
  #wordsHidden = 0;

  /** @param mediaType as in `next` */
  constructor(
    next: CardMasker,
    mediaType: MaskMediaType,
    options: CardMaskerOptions,
    place: Base64Place,
    log?: FindingLog,
  ) {
    this.#next = next;
    this.#mediaType = mediaType;
    this.#options = options;
    this.#place = place;
    this.#log = log;
    // A word in a word has as many fewer characters.
    this.#gzipMaximumCharacters = place.layers > 1 ? GZIP_MAXIMUM_CHARACTERS : (GZIP_MAXIMUM_CHARACTERS / 4) * 3;
    this.#window = new StreamWindow(this.#gzipMaximumCharacters + TEXT_MAXIMUM_CHARACTERS);
    this.#binaryData = place.words === 'binaryData' ? new BinaryData(this.#window) : undefined;
    this.#shortestWord = options.codes ? SHORTEST_CODE_WORD_CHARACTERS : SHORTEST_WORD_CHARACTERS;
    this.#gzip = new GzipMasker((mediaType, log) => {
      const cards = new CardMasker(mediaType, options, log);
      return new Base64Masker(cards, mediaType, options, {words: 'all', layers: 1, gzip: false}, log);
    });
    this.counts = new UnitedCounts([next.counts, this.#gzip.counts]);
  }

  get heldBytes(): number {
    return this.#window.bytesHeld + this.#next.heldBytes;
  }

  /** Whether what comes next is hidden though nothing is known to be found, after a flush. */
  get hidesNext(): boolean {
    return this.#hidden || this.#next.hidesNext;
  }

  /** Grows with every change of a byte. */
  get changes(): number {
    return foundIn(this.counts) + this.#wordsHidden + this.#gzip.valuesHidden;
  }

  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#advance(chunk, false, emit);
  }

  /**
   * A word that is released where digits of its bytes are being hidden is hidden from there to its end, uncounted: the
   * characters of a byte that is out in part cannot be decoded any more when the other part is hidden. A word that is
   * gzip is hidden from where it begins, as its end decides about all of it.
   */
  flush(emit: (bytes: Buffer) => void): void {
    if (this.#mediaType === 'json') return;
    if (this.#window.bytesHeld > 0) this.#flushWord(emit);
    this.#next.flush(emit);
  }

  end(emit: (bytes: Buffer) => void): void {
    this.#advance(NO_BYTES, true, emit);
    this.#window.reset();
    this.#binaryData?.reset();
    this.#next.end(emit);
  }

  #flushWord(emit: (bytes: Buffer) => void): void {
    this.#window.open(NO_BYTES);
    this.#flushed = true;
    this.#decoded?.flush((masked) => this.#encode(masked));
    const releasedTo = this.#releasedTo;
    this.#releasedTo = 0;
    if (this.#wordKind === 'gzip' || this.#decoded?.hidesNext === true) {
      this.#hideWord(Math.max((this.#wordStart ?? 0) + firstCharacterOf(this.#bytesMasked), releasedTo), 0);
    }
    this.#window.close(0, (ready) => this.#next.push(ready, emit));
  }

  #advance(chunk: Buffer, final: boolean, emit: (bytes: Buffer) => void): void {
    this.#window.open(chunk);
    const scanned = this.#scan(chunk, final);
    const start = this.#wordStart;
    const isOpen = start !== undefined && !this.#hidden;
    const holdFrom = isOpen ? Math.max(start + firstCharacterOf(this.#bytesMasked), this.#releasedTo) : chunk.length;
    const bytes = this.#window.close(holdFrom, (ready) => {
      this.#next.push(ready, emit, this.#window.isChanged ? undefined : scanned?.of(ready));
    });
    if (start !== undefined) this.#wordStart = start - bytes;
    this.#releasedTo -= bytes;
  }

  /** Gives what is known of the chunk then, if it was looked through. */
  #scan(chunk: Buffer, final: boolean): ChunkScan | undefined {
    const places = this.#binaryData;
    if (places === undefined) {
      this.#scanWords(chunk, 0, chunk.length, final);
      return undefined;
    }
    const scanned = new ChunkScan(chunk, this.#window.past(BEFORE_BYTES), this.#mediaType === 'text');
    for (let at = 0; at < chunk.length; ) {
      const from = places.enter(scanned, at);
      at = places.leave(chunk, from);
      if (from < at || this.#wordStart !== undefined) this.#scanWords(chunk, from, at, false);
    }
    if (final) this.#scanWords(chunk, chunk.length, chunk.length, true);
    return scanned;
  }

  /** A word that reaches `to` goes on if the chunk ends there and is not the last. */
  #scanWords(chunk: Buffer, from: number, to: number, final: boolean): void {
    let at = from;
    while (at < to || final || this.#wordStart !== undefined) {
      const start = this.#wordStart ?? nextWord(chunk, at, to, this.#shortestWord);
      const end = wordEnd(chunk, Math.max(start, at), to);
      if (this.#hidden) this.#hide(at, end);
      else if (this.#wordStart !== undefined || start < end) this.#readWord(start, end);
      if (end === chunk.length && !final) return;
      this.#endWord(end);
      if (end === to) return;
      at = end;
    }
  }

  /** Takes what is new of the word. */
  #readWord(from: number, end: number): void {
    if (this.#wordStart === undefined) {
      this.#wordStart = from;
      this.#wordKind = 'unknown';
      this.#bytesDecoded = 0;
      this.#bytesMasked = 0;
      this.#flushed = false;
    }
    if (this.#wordKind === 'unknown') this.#beginWord(this.#wordStart, end);
    const start = this.#wordStart;
    if (this.#wordKind === 'text') this.#decodeWord(start, end);
    else if (this.#wordKind === 'gzip' && (end - start > this.#gzipMaximumCharacters || this.#releasedTo > start)) {
      this.#hideWord(Math.max(start, this.#releasedTo), end);
    }
  }

  #beginWord(from: number, end: number): void {
    const start = from + this.#escapeLetters(from, end);
    if (start + 4 > end) return;
    this.#wordStart = start;
    if (this.#block.length === 0) this.#block = Buffer.alloc((BLOCK_CHARACTERS / 4) * 3);
    this.#block.writeUIntBE(this.#groupAt(start), 0, 3);
    // What is left alone needs not be held: nothing will be hidden in it.
    this.#wordKind = this.#place.gzip && isGzip(this.#block) && !this.#isExempt(start) ? 'gzip' : 'text';
    if (this.#decoded === undefined) {
      this.#decoded = this.#newDecoded();
      this.counts.add(this.#decoded.counts);
    }
    this.#changesBefore = this.#decoded.changes;
  }

  /** How many of the characters belong to an escape that stands before the word, as that of a line break in JSON. */
  #escapeLetters(from: number, end: number): number {
    const window = this.#window;
    if (window.byteAt(from - 1) !== BACKSLASH) return 0;
    if (window.byteAt(from) !== LOWER_U) return ESCAPE_LETTER[window.byteAt(from)] as number;
    const hexEnd = from + 5;
    for (let at = from + 1; at < Math.min(hexEnd, end); at++) if (hexValue(window.byteAt(at)) < 0) return 0;
    return hexEnd - from;
  }

  #newDecoded(): CardMasker | Base64Masker {
    const log = this.#log && logOfEncoded(this.#log, (start, end) => this.#placeOf(start, end));
    const cards = new CardMasker('text', this.#options, log);
    const layers = this.#place.layers - 1;
    if (layers === 0) return cards;
    return new Base64Masker(cards, 'text', this.#options, {words: 'all', layers, gzip: this.#place.gzip}, log);
  }

  /** Whether all that is looked for is left alone in the member that this stands in. */
  #isExempt(at: number): boolean {
    const log = this.#log;
    if (log === undefined) return false;
    const {pan, tracks, codes} = this.#options;
    const start = this.#window.offset + at;
    return (
      (!pan || log.leaves('PAN', start)) &&
      (!tracks || log.leaves('TrackData', start)) &&
      (!codes || log.leaves('CardVerificationCode', start))
    );
  }

  /** Where in the stream the bytes [start, end) of the word are encoded. */
  #placeOf(start: number, end: number): [number, number] {
    const word = this.#window.offset + (this.#wordStart ?? 0);
    const last = end - 1;
    return [word + firstCharacterOf(start) + (start % 3), word + firstCharacterOf(last) + (last % 3) + 2];
  }

  /** Decodes what is new of the word, as far as it is complete groups of four characters. */
  #decodeWord(start: number, end: number): void {
    const {chunk} = this.#window;
    let at = start + firstCharacterOf(this.#bytesDecoded);
    for (; at < 0 && at + 4 <= end; at += 4) {
      this.#maskDecoded(this.#block.writeUIntBE(this.#groupAt(at), 0, 3));
    }
    while (at + 4 <= end) {
      const to = Math.min(at + BLOCK_CHARACTERS, end - ((end - at) % 4));
      this.#maskDecoded(this.#block.write(chunk.toString('latin1', at, to), 'base64'));
      at = to;
    }
  }

  /** The word, if one is being decoded, ends before `end`. */
  #endWord(end: number): void {
    const start = this.#wordStart;
    if (start === undefined) return;
    if (this.#hidden) this.#decoded?.end(() => {});
    else if (this.#wordKind === 'gzip') this.#endGzip(start, end);
    else if (this.#wordKind === 'text') this.#endText(start, end);
    this.#hidden = false;
    this.#wordStart = undefined;
  }

  #endText(start: number, end: number): void {
    const at = start + firstCharacterOf(this.#bytesDecoded);
    const group = this.#groupAt(at);
    this.#block[0] = group >> 16;
    this.#block[1] = group >> 8;
    // Two characters left encode one byte, three encode two; one alone encodes none.
    this.#maskDecoded(Math.max(end - at - 1, 0));
    this.#decoded?.end((masked) => this.#encode(masked));
  }

  #endGzip(start: number, end: number): void {
    const word = this.#window.copyOf(start, end).toString('latin1');
    const {offset} = this.#window;
    const log = this.#log && logOfWhole(this.#log, offset + start, offset + end);
    const masked = this.#gzip.mask(Buffer.from(word, 'base64'), log);
    // One character alone, behind the last group, encodes none.
    if (masked !== undefined) this.#window.write(start, encodedIn(masked, word.length));
  }

  #maskDecoded(bytes: number): void {
    if (bytes === 0) return;
    this.#bytesDecoded += bytes;
    this.#decoded?.push(this.#block.subarray(0, bytes), (masked) => this.#encode(masked));
  }

  /** Takes back the next decoded bytes, and changes the characters of those that were masked. */
  #encode(masked: Buffer): void {
    const decoded = this.#decoded;
    if (decoded === undefined || (!this.#flushed && decoded.changes === this.#changesBefore)) {
      this.#bytesMasked += masked.length;
      return;
    }
    const start = this.#wordStart ?? 0;
    let index = 0;
    while (index < masked.length) {
      const at = start + firstCharacterOf(this.#bytesMasked);
      const groups = Math.floor((masked.length - index) / 3);
      if (this.#bytesMasked % 3 === 0 && groups > 0 && at >= this.#releasedTo) {
        const bytes = masked.subarray(index, index + 3 * groups);
        this.#window.write(at, encodedIn(bytes, 4 * groups));
        this.#bytesMasked += bytes.length;
        index += bytes.length;
      } else this.#encodeByte(at, this.#bytesMasked++ % 3, masked[index++] as number);
    }
  }

  /** @param at where the group starts @param place of the byte in it */
  #encodeByte(at: number, place: number, byte: number): void {
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

  /** Hides [from, to) of the word and all that comes of it. */
  #hideWord(from: number, to: number): void {
    this.#hidden = true;
    this.#wordsHidden++;
    this.#hide(from, to);
  }

  /** Hides the characters of [from, to) of the word, whatever they encode. */
  #hide(from: number, to: number): void {
    for (let at = from; at < to; at++) {
      const inGroup = (at - (this.#wordStart ?? 0)) % 4;
      this.#window.overwrite(at, HIDDEN_GROUP[inGroup] as number);
    }
  }

  #groupAt(at: number): number {
    let group = 0;
    for (let index = at; index < at + 4; index++) {
      group = (group << 6) | (SEXTETS[this.#window.byteAt(index)] as number);
    }
    return group;
  }
}

/** The characters that encode these bytes, no more than `length`, without padding. */
function encodedIn(bytes: Buffer, length: number): Buffer {
  return Buffer.from(bytes.toString('base64'), 'latin1').subarray(
    0,
    Math.min(length, Math.ceil((bytes.length * 4) / 3)),
  );
}
