const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Hex digits of MD5 and trace ids, SHA-1 and git, SHA-224, SHA-256, SHA-384, SHA-512. */
const DIGEST_LENGTHS = new Set([32, 40, 56, 64, 96, 128]);

const FRACTION = /^[+-]?[0-9]{1,11}\.$/;
const DIGITS = /^[0-9]+$/;
const FRACTION_REST = /^(?:[eE][+-]?[0-9]+)?$/;
const HEX = /[0-9A-Fa-f]/;
const HEX_LETTER = /[A-Fa-f]/;
const LETTER_OR_UNDERSCORE = /[0-9A-Za-z_]/;

/** Some digits and the word of hex digits, hyphens, dots and signs that they stand in. */
export interface Word {
  readonly text: string;
  /** The characters before and after the word, NUL where there is none. */
  readonly before: string;
  readonly after: string;
}

/**
 * Whether the digits at [start, end) of the word are part of something that only machines write and that is no card
 * number whatever its digits: a UUID, a digest in hex (of one of the usual lengths, with at least one letter), or the
 * fraction of a decimal number. What else only looks unlike a card is masked.
 */
export function isIdentifier(word: Word, start: number, end: number): boolean {
  const {text} = word;
  if (LETTER_OR_UNDERSCORE.test(word.before) || LETTER_OR_UNDERSCORE.test(word.after)) return false;
  if (UUID.test(text)) return true;
  if (
    FRACTION.test(text.slice(0, start)) &&
    FRACTION_REST.test(text.slice(end)) &&
    DIGITS.test(text.slice(start, end))
  ) {
    return true;
  }
  return isDigestPart(text, start, end);
}

function isDigestPart(text: string, start: number, end: number): boolean {
  let from = start;
  while (from > 0 && HEX.test(text.charAt(from - 1))) from--;
  let to = start;
  while (to < text.length && HEX.test(text.charAt(to))) to++;
  return end <= to && DIGEST_LENGTHS.has(to - from) && HEX_LETTER.test(text.slice(from, to));
}
