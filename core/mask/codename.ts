import type {StreamWindow} from './window.ts';

/** A name is looked for in so many bytes before a value. */
export const REACH_BYTES = 128;

/** Card verification codes by the names that card schemes and programs give them; scan/assembly.ts finds parts of these. */
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

/** What the text before a value, which is of bounded length, names it. */
export function nameBefore(window: StreamWindow, start: number): 'code' | 'pinBlock' | undefined {
  const text = window.text(start - REACH_BYTES, start);
  if (BEFORE_CODE.test(text)) return 'code';
  return BEFORE_PIN_BLOCK.test(text) ? 'pinBlock' : undefined;
}
