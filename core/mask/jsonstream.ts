import {
  BACKSLASH,
  byteSet,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  DIGIT_0,
  DOT,
  HYPHEN,
  hexValue,
  isDigit,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './bytes.ts';
import {MaskError} from './error.ts';
import type {Place} from './jsonplace.ts';

/** Containers inside each other. Kubernetes' objects stay under 30, schemas of CustomResourceDefinitions under 100. */
export const MAXIMUM_DEPTH = 256;

/** Bytes of a number; a double never takes more than 25. */
const SCALAR_MAXIMUM_BYTES = 1024;

/** Bytes of a name that paths name, written with all its characters escaped. Longer names are none of theirs. */
const NAME_MAXIMUM_BYTES = 4096;

const LOWER_U = 0x75;
const LOWER_E = 0x65;

const SPACE = byteSet(' \t\n\r');
const SCALAR = byteSet('0123456789+-.eEtrufalsn');
const ESCAPABLE = byteSet('"\\/bfnrtu');
/** What stands in a string for itself. */
const PLAIN = new Uint8Array(256).fill(1, 0x20);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

const LITERALS = ['true', 'false', 'null'].map((literal) => Buffer.from(literal));

/**
 * Told what a stream of JSON consists of. Indices are of the bytes at hand; `at` is where something is, or behind the
 * last byte of what has ended. `depth` of the stream is the number of containers that are open around it.
 */
export interface JsonSink {
  /** A member's name has ended, or an element begins. What comes next is its value, at this place. */
  member(at: number, place: Place): void;
  /** A value begins, a whole document included. */
  beginValue(at: number, place: Place): void;
  endValue(at: number): void;
  /** The brace or bracket of a container at this place; its members are one deeper. */
  open(at: number, place: Place): void;
  /** The closing brace or bracket, before the container's `endValue`. */
  close(at: number): void;
  /** The comma between two members or elements of a container at this place. */
  comma(at: number, place: Place): void;
  /**
   * What stands between the quotes of a string, in one piece or several, none of which ends inside an escape.
   *
   * @param isLast the closing quote is at `to`
   * @returns the index up to which it was taken. What is left over comes again with what follows; `isLast` takes all.
   */
  string(from: number, to: number, isLast: boolean): number;
  /** The same of a member's name, of which each piece is taken. */
  name(from: number, to: number, isLast: boolean): void;
  /** A number, or true, false or null. */
  scalar(from: number, to: number): void;
}

/** What may come next. */
const DOCUMENT = 0;
const VALUE = 1;
const FIRST_ELEMENT = 2;
const FIRST_NAME = 3;
const NAME = 4;
const NAME_END = 5;
const VALUE_END = 6;
const IN_NAME = 7;
const IN_STRING = 8;

/**
 * Takes a stream of JSON (RFC 8259) apart, one document after the other, and knows of each value at which place of its
 * document it is. Every byte is checked: what is no JSON, or nested too deep, throws.
 */
export class JsonStream {
  readonly #root: Place;
  readonly #sink: JsonSink;
  #state = DOCUMENT;
  /** Of the containers that are open, from the outside. */
  readonly #places: Place[] = [];
  readonly #isObject = new Uint8Array(MAXIMUM_DEPTH);
  #depth = 0;
  /** Of the value that comes next. */
  #place: Place;
  /** What came before of the name that is being read. */
  #name: Buffer[] = [];
  #nameBytes = 0;
  /** Where the bytes are no JSON, once they were found not to be. */
  failedAt = 0;

  constructor(root: Place, sink: JsonSink) {
    this.#root = root;
    this.#place = root;
    this.#sink = sink;
  }

  get depth(): number {
    return this.#depth;
  }

  /**
   * Reads the next bytes.
   *
   * @param final whether the stream ends with them
   * @returns how many were read; the others have to come again, in front of those that follow
   * @throws {MaskError}
   */
  push(bytes: Buffer, final: boolean): number {
    let at = 0;
    while (at < bytes.length) {
      const next = this.#state >= IN_NAME ? this.#readString(bytes, at) : this.#readStructure(bytes, at, final);
      if (next < 0) return ~next;
      at = next;
    }
    if (final && this.#state !== DOCUMENT) throw this.#notJSON(at, 'it ends too early');
    return at;
  }

  /** Reads on to the next string, or as far as it goes. Gives the complement of an index that it must stop at. */
  #readStructure(bytes: Buffer, from: number, final: boolean): number {
    let at = from;
    for (; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (SPACE[byte] === 1) continue;
      switch (this.#state) {
        case VALUE_END:
          this.#afterValue(byte, at);
          break;
        case NAME_END:
          if (byte !== COLON) throw this.#notJSON(at, 'a colon is missing');
          this.#state = VALUE;
          break;
        case FIRST_NAME:
        case NAME:
          if (byte === QUOTE) {
            this.#state = IN_NAME;
            return at + 1;
          }
          if (byte !== CLOSE_BRACE || this.#state === NAME) throw this.#notJSON(at, 'a name is missing');
          this.#close(at);
          break;
        default: {
          if (byte === CLOSE_BRACKET && this.#state === FIRST_ELEMENT) {
            this.#close(at);
            break;
          }
          const next = this.#readValue(bytes, at, final);
          if (next < 0 || this.#state === IN_STRING) return next;
          at = next - 1;
        }
      }
    }
    return at;
  }

  #readValue(bytes: Buffer, at: number, final: boolean): number {
    const byte = bytes[at] as number;
    const isScalar = SCALAR[byte] === 1;
    // Whole, before anybody is told of it.
    const end = isScalar ? scalarEnd(bytes, at) : at + 1;
    if (isScalar && end === bytes.length && !final && end - at <= SCALAR_MAXIMUM_BYTES) return ~at;
    const depth = this.#depth;
    if (depth > 0 && this.#isObject[depth - 1] === 0) {
      this.#place = (this.#places[depth - 1] as Place).other;
      this.#sink.member(at, this.#place);
    }
    const place = this.#place;
    if (byte === QUOTE) {
      this.#sink.beginValue(at, place);
      this.#state = IN_STRING;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === MAXIMUM_DEPTH) throw this.#notJSON(at, `it is nested more than ${MAXIMUM_DEPTH} deep`);
      this.#sink.beginValue(at, place);
      this.#places[depth] = place;
      this.#isObject[depth] = byte === OPEN_BRACE ? 1 : 0;
      this.#depth = depth + 1;
      this.#state = byte === OPEN_BRACE ? FIRST_NAME : FIRST_ELEMENT;
      this.#sink.open(at, place);
    } else {
      if (!isScalar || !isScalarToken(bytes, at, end)) throw this.#notJSON(at, 'a value is missing');
      this.#sink.beginValue(at, place);
      this.#sink.scalar(at, end);
      this.#endValue(end);
    }
    return end;
  }

  #afterValue(byte: number, at: number): void {
    const index = this.#depth - 1;
    const isObject = this.#isObject[index] === 1;
    if (byte === COMMA) {
      this.#sink.comma(at, this.#places[index] as Place);
      this.#state = isObject ? NAME : VALUE;
    } else if (byte === (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
      this.#close(at);
    } else throw this.#notJSON(at, 'a comma is missing');
  }

  #close(at: number): void {
    this.#sink.close(at);
    this.#depth--;
    this.#endValue(at + 1);
  }

  #endValue(at: number): void {
    this.#sink.endValue(at);
    this.#state = this.#depth === 0 ? DOCUMENT : VALUE_END;
    if (this.#depth === 0) this.#place = this.#root;
  }

  /** Reads a string, or a part of it, from behind its opening quote. */
  #readString(bytes: Buffer, from: number): number {
    const {length} = bytes;
    let at = from;
    let isPlain = true;
    for (;;) {
      while (at < length && PLAIN[bytes[at] as number] === 1) at++;
      if (at === length) return this.#takePiece(bytes, from, length);
      const byte = bytes[at] as number;
      if (byte === QUOTE) break;
      if (byte !== BACKSLASH) throw this.#notJSON(at, 'a string holds a control character');
      isPlain = false;
      const end = this.#escapeEnd(bytes, at);
      if (end === 0) return this.#takePiece(bytes, from, at);
      at = end;
    }
    if (this.#state === IN_STRING) {
      this.#sink.string(from, at, true);
      this.#endValue(at + 1);
    } else {
      const place = this.#places[this.#depth - 1] as Place;
      this.#place = place.hasNames ? this.#namedPlace(place, bytes, from, at, isPlain) : place.other;
      // Now that it is read, it may be overwritten.
      this.#sink.name(from, at, true);
      this.#state = NAME_END;
      this.#sink.member(at + 1, this.#place);
    }
    return at + 1;
  }

  /** The bytes at hand end inside the string. */
  #takePiece(bytes: Buffer, from: number, to: number): number {
    if (from === to) return ~to;
    if (this.#state === IN_STRING) return ~this.#sink.string(from, to, false);
    if ((this.#places[this.#depth - 1] as Place).hasNames && this.#nameBytes <= NAME_MAXIMUM_BYTES) {
      this.#name.push(Buffer.from(bytes.subarray(from, to)));
      this.#nameBytes += to - from;
    }
    this.#sink.name(from, to, false);
    return ~to;
  }

  /** @param isPlain whether no escapes are in what is at hand of the name */
  #namedPlace(place: Place, bytes: Buffer, from: number, to: number, isPlain: boolean): Place {
    if (isPlain && this.#nameBytes === 0) return place.member(bytes, from, to);
    const name = Buffer.concat([...this.#name, bytes.subarray(from, to)]);
    this.#name = [];
    this.#nameBytes = 0;
    if (name.length > NAME_MAXIMUM_BYTES) return place.other;
    const text = Buffer.from(JSON.parse(`"${name.toString()}"`) as string);
    return place.member(text, 0, text.length);
  }

  /** Where the escape ends that begins at `at`; 0 if that has not come yet. */
  #escapeEnd(bytes: Buffer, at: number): number {
    if (at + 1 === bytes.length) return 0;
    const letter = bytes[at + 1] as number;
    if (ESCAPABLE[letter] === 0) throw this.#notJSON(at, 'a string holds an unknown escape');
    if (letter !== LOWER_U) return at + 2;
    for (let digit = at + 2; digit < at + 6; digit++) {
      if (digit >= bytes.length) return 0;
      if (hexValue(bytes[digit] as number) < 0) throw this.#notJSON(at, 'a string holds an unknown escape');
    }
    return at + 6;
  }

  #notJSON(at: number, problem: string): MaskError {
    this.failedAt = at;
    return new MaskError('NotMaskable', `what should be JSON cannot be read: ${problem}`);
  }
}

function scalarEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && SCALAR[bytes[at] as number] === 1) at++;
  return at;
}

function isScalarToken(bytes: Buffer, from: number, to: number): boolean {
  const first = bytes[from] as number;
  if (first === HYPHEN || isDigit(first)) return to - from <= SCALAR_MAXIMUM_BYTES && isNumber(bytes, from, to);
  return LITERALS.some((literal) => literal.compare(bytes, from, to) === 0);
}

/** RFC 8259 section 6. */
function isNumber(bytes: Buffer, from: number, to: number): boolean {
  const integer = bytes[from] === HYPHEN ? from + 1 : from;
  let at = digitsEnd(bytes, integer, to);
  if (at === integer || (at > integer + 1 && bytes[integer] === DIGIT_0)) return false;
  if (at < to && bytes[at] === DOT) {
    const fraction = at + 1;
    at = digitsEnd(bytes, fraction, to);
    if (at === fraction) return false;
  }
  if (at < to && ((bytes[at] as number) | 0x20) === LOWER_E) {
    const sign = bytes[at + 1];
    const exponent = sign === HYPHEN || sign === 0x2b ? at + 2 : at + 1;
    at = digitsEnd(bytes, exponent, to);
    if (at === exponent) return false;
  }
  return at === to;
}

function digitsEnd(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && isDigit(bytes[at] as number)) at++;
  return at;
}
