import {byteSet} from './bytes.ts';
import type {StreamWindow} from './window.ts';

/** A name is looked for in so many bytes before a value. */
const REACH_BYTES = 128;

/** Card verification codes by the names that card schemes and programs give them. */
const CODE = 'cvv2?|cvc2?|cvn2?|cav2?|(?:verification|security)[ _-]?(?:value|code|number)';
/** Names that others use too: only alone, or with a card before them. */
const SHORT_CODE = 'cid|csc';
const PIN_BLOCK = 'pin[ _-]?block';

/** Words before a name that say whose it is; others make another name of it, as in minCvv. */
const CARD = '(?:(?:card|credit|debit|cc|payment|encrypted|customer)[ _.-]?){0,3}';
const OWNER = `(?:(?!(?:min|max|has|is|no|require)[_.-])[a-z0-9]{1,20}[_.-]){0,4}${CARD}`;

/** What ends before a name begins; the letter of an escape is no part of the name. */
const BOUNDARY = String.raw`(?:^|[^a-z0-9_.-]|\\[nrt]|\\u[0-9a-f]{4}|%[0-9a-f]{2})`;

const QUOTE = String.raw`(?:\\{0,8}["']|%2[27])`;
const GAP = '[ \\t]{0,4}';

/** Between a name and its value: an equals sign, a colon, or the end of a tag, with quotes and spaces around. */
const ASSIGNMENT = String.raw`${QUOTE}?\]?${GAP}(?:=>|:=|[=:>]|%3[ad]|\\{1,8}u003[de])${GAP}${QUOTE}?`;

/** As in a list of environment variables, `"name":"CVV","value":"123"`, and the same in YAML. */
const NAMED_VALUE = String.raw`${QUOTE}?(?:,|\n|\\{1,8}n)\s{0,40}${QUOTE}?value${QUOTE}?:${GAP}${QUOTE}?`;

const named = (names: string): RegExp => new RegExp(`${BOUNDARY}(?:${names})(?:${ASSIGNMENT}|${NAMED_VALUE})$`, 'i');
const BEFORE_CODE = named(`${OWNER}(?:${CODE})|${CARD}(?:${SHORT_CODE})`);
const BEFORE_PIN_BLOCK = named(`${OWNER}${PIN_BLOCK}`);

/** The last two letters, in lower case, of all names, and of the member that has the value of a variable. */
const LAST_LETTERS = pairs('vv v2 vc c2 vn n2 av id sc ue de er ck');
/** And of what stands for an equals sign, a colon or a quote where that is encoded. */
const ENCODED = pairs('3d 3a 3e 22 27');
const MODE = pairOf(0x64, 0x65);
const LOWER_M = 0x6d;
const ASSIGNS = byteSet(':=>');
const BETWEEN = byteSet('"\'\\ \t:=>]');

function pairs(texts: string): Uint8Array {
  const table = new Uint8Array(0x10000);
  for (const pair of texts.split(' ')) table[pairOf(pair.charCodeAt(0), pair.charCodeAt(1))] = 1;
  return table;
}

function pairOf(first: number, second: number): number {
  return ((first | 0x20) << 8) | (second | 0x20);
}

/**
 * Whether a name can end before the value that begins at `start`, by its last letters; where something is encoded
 * between, or stands before the chunk, it can.
 */
export function mayBeNamed(chunk: Buffer, start: number): boolean {
  let at = start - 1;
  let isAssigned = false;
  for (; at > 0 && BETWEEN[chunk[at] as number] === 1; at--) isAssigned ||= ASSIGNS[chunk[at] as number] === 1;
  if (at < 1) return true;
  const last = pairOf(chunk[at - 1] as number, chunk[at] as number);
  if (!isAssigned) return ENCODED[last] === 1;
  // Many members are modes, which are numbers of three digits.
  return LAST_LETTERS[last] === 1 && !(last === MODE && at > 2 && ((chunk[at - 3] as number) | 0x20) === LOWER_M);
}

/** What the text before a value, which is of bounded length, names it. */
export function nameBefore(window: StreamWindow, start: number): 'code' | 'pinBlock' | undefined {
  const text = window.text(start - REACH_BYTES, start);
  if (BEFORE_CODE.test(text)) return 'code';
  return BEFORE_PIN_BLOCK.test(text) ? 'pinBlock' : undefined;
}
