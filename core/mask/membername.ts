import {
  BACKSLASH,
  byteSet,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './bytes.ts';

/** Before a value its name, or that of the array or object that it stands in, is looked for in so many bytes. */
export const REACH_BYTES = 4096;

/** The keys of Kubernetes have 253 characters and a prefix. */
const NAME_MAXIMUM_BYTES = 512;

/** From the value of JSON in a string to its name. */
const INNER_REACH_BYTES = 256;

const SPACE = byteSet(' \t\n\r');

/** The part of a stream that is in sight. */
interface Bytes {
  /** The byte at this offset, 0 where it is out of sight. */
  byteAt(offset: number): number;
  /** The last quote before an offset that is not escaped, -1 if there is none from `floor` on. */
  quoteBefore(offset: number, floor: number): number;
}

/** Where a value was whose siblings have the same name, as they are elements of one array. */
export interface Sibling {
  readonly value: number;
  readonly name: string | undefined;
  /** The first byte that was looked at for it. */
  readonly from: number;
}

/**
 * The name of the member that a value of JSON is, or else of the nearest that it stands in, as far as it is near; of
 * what stands in a member's name, that of the object. It depends on the bytes before the value alone.
 *
 * @param value the offset of its first byte
 * @param seen what is known of a value before, to look at no byte twice; takes what is found out
 */
export function nameOfValue(bytes: Bytes, value: number, seen?: {sibling: Sibling | undefined}): string | undefined {
  const floor = value - REACH_BYTES;
  let at = value;
  let isMember = true;
  let found: Omit<Sibling, 'value'> | undefined;
  while (found === undefined) {
    const before = skipSpace(bytes, at - 1, floor);
    const byte = bytes.byteAt(before);
    if (byte === COLON) {
      const quote = skipSpace(bytes, before - 1, floor);
      const from = quote < floor ? -1 : bytes.quoteBefore(quote, Math.max(quote - NAME_MAXIMUM_BYTES, floor, 0));
      found = {name: from < 0 ? undefined : nameBetween(bytes, from + 1, quote), from};
    } else if (before < floor || (byte !== COMMA && byte !== OPEN_BRACKET && byte !== OPEN_BRACE)) {
      found = {name: undefined, from: floor};
    } else {
      isMember = false;
      const sibling = seen?.sibling;
      const bracket = bracketBefore(bytes, before, floor, sibling?.value ?? -1);
      if (bracket === sibling?.value && sibling !== undefined) {
        found = sibling.from < floor ? {name: undefined, from: floor} : sibling;
      } else if (bracket < 0) found = {name: undefined, from: floor};
      else at = bracket;
    }
  }
  if (!isMember && seen !== undefined) seen.sibling = {value, name: found.name, from: found.from};
  return found.name;
}

/**
 * The same of a value of JSON that stands in a string of JSON.
 *
 * @param start the offset of a byte in the value
 * @returns undefined where it is not simply seen that there is such a value
 */
export function nameInString(bytes: Bytes, start: number): string | undefined {
  const reach = start - INNER_REACH_BYTES;
  let at = skipSpace(bytes, start - 1, reach);
  if (bytes.byteAt(at) !== COLON) {
    while (at >= reach && bytes.byteAt(at) !== QUOTE) at--;
    const backslashes = backslashesBefore(bytes, at, reach);
    if (at < reach || backslashes % 2 === 0) return undefined;
    at = skipSpace(bytes, at - backslashes - 1, reach);
    if (bytes.byteAt(at) !== COLON) return undefined;
  }
  at = skipSpace(bytes, at - 1, reach);
  if (at < reach || bytes.byteAt(at) !== QUOTE) return undefined;
  const level = backslashesBefore(bytes, at, reach);
  if (level % 2 === 0) return undefined;
  const end = at - level;
  const floor = end - NAME_MAXIMUM_BYTES;
  let from = end - 1;
  while (from >= floor && bytes.byteAt(from) !== QUOTE) from--;
  if (from < floor || backslashesBefore(bytes, from, floor) !== level) return undefined;
  return nameBetween(bytes, from + 1, end);
}

/** The bracket or brace that is open before `at`, or the sibling where that comes first; -1 where both are too far. */
function bracketBefore(bytes: Bytes, from: number, floor: number, sibling: number): number {
  let depth = 0;
  for (let at = from; at >= Math.max(floor, 0); at--) {
    switch (bytes.byteAt(at)) {
      case QUOTE:
        at = bytes.quoteBefore(at, Math.max(floor, 0));
        if (at < 0) return -1;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth++;
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        if (depth === 0) return at;
        depth--;
    }
    if (depth === 0 && at === sibling) return at;
  }
  return -1;
}

function skipSpace(bytes: Bytes, from: number, floor: number): number {
  let at = from;
  while (at >= floor && SPACE[bytes.byteAt(at)] === 1) at--;
  return at;
}

function backslashesBefore(bytes: Bytes, end: number, floor: number): number {
  let at = end - 1;
  while (at >= floor && bytes.byteAt(at) === BACKSLASH) at--;
  return end - 1 - at;
}

/** Without its escapes, as far as it is a string of JSON. */
function nameBetween(bytes: Bytes, from: number, to: number): string {
  const raw = Buffer.allocUnsafe(to - from);
  for (let at = from; at < to; at++) raw[at - from] = bytes.byteAt(at);
  const text = raw.toString();
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}
