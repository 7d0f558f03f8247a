import {ASTERISK, DOT, HYPHEN, isDigit, SPACE} from './bytes.ts';
import {maskedValues, sumOf} from './counts.ts';
import {MaskError} from './error.ts';
import type {FindingLog} from './findinglog.ts';
import {packedTo, unpacked} from './gzip.ts';
import {placeOfDocuments} from './jsonplace.ts';
import {JsonStream} from './jsonstream.ts';
import type {MaskCounts, Masker, MaskMediaType} from './masker.ts';

/** Bytes that a masker is given at once. */
const CHUNK_BYTES = 64 * 1024;

type NewMasker = (mediaType: MaskMediaType, log?: FindingLog) => Masker & {readonly changes: number};

/** Masks what cards have inside gzip, without a change of its length. */
export class GzipMasker {
  readonly counts: MaskCounts = {PAN: 0};
  /** Values of which nothing is left, though perhaps nothing was found. */
  valuesHidden = 0;
  readonly #newMasker: NewMasker;

  constructor(newMasker: NewMasker) {
    this.#newMasker = newMasker;
  }

  /**
   * @param packed gzip, which may be broken
   * @param log told of what is found in it, as if all of it stood in one place
   * @returns as many bytes, or undefined where nothing is to be masked
   */
  mask(packed: Buffer, log?: FindingLog): Buffer | undefined {
    const read = unpacked(packed);
    if (read.kind === 'tooLarge') return this.#hidden(packed.length);
    const {text, isWhole} = read;
    const before = Buffer.from(text);
    if (!this.#mask(text, isJSON(text) ? 'json' : 'text', log)) {
      // Names, comments, and what stands behind it.
      const bytes = Buffer.from(packed);
      return this.#mask(bytes, 'text', log) ? bytes : undefined;
    }
    // Of what only some can read the rest is not known.
    const masked = isWhole ? packedTo(packed.length, text, packed) : undefined;
    if (masked !== undefined || !isWhole) return masked ?? this.#hidden(packed.length);
    hideDigitsBehind(text, before);
    return packedTo(packed.length, text, packed) ?? this.#hidden(packed.length);
  }

  #hidden(bytes: number): Buffer {
    this.valuesHidden++;
    return Buffer.alloc(bytes, ASTERISK);
  }

  /** @returns whether something was found in the bytes, where it is overwritten then */
  #mask(bytes: Buffer, mediaType: MaskMediaType, log: FindingLog | undefined): boolean {
    const masker = this.#newMasker(mediaType, log);
    let written = 0;
    const emit = (part: Buffer): void => {
      written += part.copy(bytes, written);
    };
    for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
      masker.push(bytes.subarray(from, from + CHUNK_BYTES), emit);
    }
    masker.end(emit);
    if (masker.changes === 0) return false;
    Object.assign(this.counts, maskedValues(sumOf([this.counts, masker.counts])));
    return true;
  }
}

/**
 * Hides also the digits that were left of card numbers: rows of asterisks alone pack better, also than a number like
 * 4111111111111111, most of which is one row too.
 */
function hideDigitsBehind(text: Buffer, before: Buffer): void {
  let behind = false;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] as number;
    if (byte !== before[at]) behind = true;
    else if (behind && isDigit(byte)) text[at] = ASTERISK;
    else if (byte !== SPACE && byte !== HYPHEN && byte !== DOT) behind = false;
  }
}

const NO_SINK = {
  member() {},
  beginValue() {},
  endValue() {},
  open() {},
  close() {},
  comma() {},
  string: (_from: number, to: number) => to,
  name() {},
  scalar() {},
};

/** Whether it is an object or a list as JSON, or several. */
function isJSON(text: Buffer): boolean {
  if (!/^\s*[{[]/.test(text.toString('latin1', 0, 100))) return false;
  try {
    const stream = new JsonStream(placeOfDocuments([]), NO_SINK);
    return stream.push(text, true) === text.length;
  } catch (error) {
    if (error instanceof MaskError) return false;
    throw error;
  }
}
