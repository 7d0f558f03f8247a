import {type Meaning, meaningOf, type Separator} from '../../core/mask/characters.ts';
import {isCardGrouping, isTight} from '../../core/mask/grouping.ts';
import {isIdentifier} from '../../core/mask/identifier.ts';
import {maskedNumber, readNumber} from '../../core/mask/jsonnumber.ts';
import {isPanText, PAN_MAXIMUM_DIGITS, PAN_MINIMUM_DIGITS} from '../../core/mask/pan.ts';
import type {PanPlan} from '../../core/mask/plan.ts';

interface Token {
  readonly start: number;
  readonly length: number;
  readonly meaning: Meaning | {readonly kind: 'boundary'};
}

/** A digit as written: where, and which. */
interface Unit {
  readonly start: number;
  readonly end: number;
  readonly digit: string;
}

interface Group {
  /** What stands before it. */
  readonly separator: Separator;
  readonly digits: Unit[];
}

/** Groups of digits with one separator between each two. */
type Run = Group[];

interface Card {
  readonly units: readonly Unit[];
  /** The group that it is only a part of. */
  readonly within?: readonly Unit[];
}

/**
 * What the engine must do, on a whole document: slow, and as plain as can be. It shares with the engine only what is
 * known of a character, and decided about a number once it is found (issuers, groupings, identifiers, JSON numbers),
 * each tested by itself.
 */
export function reference(mediaType: 'json' | 'text', input: string, plan: PanPlan, identifiers = true): string {
  if (mediaType === 'text') return maskStretch(input, false, plan, identifiers);
  // Strings and what is between them.
  return input
    .split(/("(?:[^"\\]|\\.)*")/s)
    .map((part, index) => (index % 2 === 1 ? maskStretch(part, true, plan, identifiers) : maskNumbers(part, plan)))
    .join('');
}

function maskNumbers(outside: string, {show, longDigitRuns}: PanPlan): string {
  return outside.replace(/-?[0-9][-+.eE0-9]*/g, (token) => {
    const number = readNumber(token);
    const integer = /^-?([0-9]*)/.exec(token)?.[1] ?? '';
    if (
      longDigitRuns &&
      number.kind !== 'noNumber' &&
      placesInside(integer.length, (from, to) => integer.slice(from, to)).length > 0
    ) {
      return `"${'*'.repeat(token.length - 2)}"`;
    }
    return number.kind === 'pan' ? maskedNumber(token.length, number.pan, show) : token;
  });
}

function maskStretch(text: string, json: boolean, plan: PanPlan, identifiers: boolean): string {
  const out = [...text];
  const runs = [false, true].flatMap((decode) => runsOf(tokensOf(text, json, decode)));
  for (const {units, within = units} of runs.flatMap((run) => [
    ...cardsIn(run),
    ...(plan.longDigitRuns ? cardsInside(run) : []),
  ])) {
    if (identifiers && standsInIdentifier(text, units, within)) continue;
    for (const {start, end} of units.filter((_, digit) => isHidden(plan, digit, units.length))) {
      const hidden = hiddenDigit(text.slice(start, end));
      for (const [index, character] of [...hidden].entries()) out[start + index] = character;
    }
  }
  return out.join('');
}

/** An asterisk, or some, as the digit is written. */
function hiddenDigit(written: string): string {
  if (written.length === 1) return '*';
  if (written.startsWith('%')) return written.replace(/[0-9a-f]{2}/gi, '2a');
  const reference = /^(.*#)(x?)([0-9a-f]+);$/is.exec(written);
  if (reference !== null) {
    const [, before = '', x = '', digits = ''] = reference;
    return `${before}${x}${(x === '' ? '42' : '2a').padStart(digits.length, '0')};`;
  }
  return written.startsWith('\\') ? written.replace(/u.{4}/gs, 'u002a') : '*'.repeat(written.length);
}

function isHidden({show}: PanPlan, digit: number, digits: number): boolean {
  if (show === 'None') return true;
  return digit < digits - 4 && (show === 'LastFour' || digits < 15 || digit >= 6);
}

function standsInIdentifier(text: string, units: readonly Unit[], within: readonly Unit[]): boolean {
  const [first, last] = [units[0] as Unit, units.at(-1) as Unit];
  if (!/^[0-9-]*$/.test(text.slice(first.start, last.end))) return false;
  // Around a part of a group its other digits are looked at as far as they are written as digits.
  const [before, after] = [within.indexOf(first), within.indexOf(last)];
  const isPlain = ({start, end}: Unit) => end - start === 1;
  let begin = before;
  while (
    begin > 0 &&
    isPlain(within[begin - 1] as Unit) &&
    (within[begin - 1] as Unit).end === (within[begin] as Unit).start
  )
    begin--;
  let finish = after;
  while (
    finish < within.length - 1 &&
    isPlain(within[finish + 1] as Unit) &&
    (within[finish + 1] as Unit).start === (within[finish] as Unit).end
  )
    finish++;
  const [start, end] = [(within[begin] as Unit).start, (within[finish] as Unit).end];
  const from = start - (/[0-9A-Fa-f.+-]*$/.exec(text.slice(0, start))?.[0].length ?? 0);
  const to = end + (/^[0-9A-Fa-f.+-]*/.exec(text.slice(end))?.[0].length ?? 0);
  const word = {text: text.slice(from, to), before: text.slice(from - 1, from), after: text.slice(to, to + 1)};
  return isIdentifier(word, start - from, end - from);
}

function cardsIn(run: Run): Card[] {
  const found: Card[] = [];
  for (let from = 0; from < run.length; from++) {
    for (let to = from + 1; to <= run.length; to++) {
      const groups = run.slice(from, to);
      const sizes = groups.map(({digits}) => digits.length);
      const separators = groups.slice(1).map(({separator}) => separator);
      const isWhole = groups.length === run.length;
      const number = groups.flatMap(({digits}) => digits.map(({digit}) => digit));
      if (groups.length > 1 && isTight(sizes[0] ?? 0) && !isWhole) continue;
      if (isCardGrouping(sizes, separators) && isPanText(number.join('')))
        found.push({units: groups.flatMap(({digits}) => digits)});
    }
  }
  return found;
}

/** The cards inside of groups that are longer than any. */
function cardsInside(run: Run): Card[] {
  return run.flatMap(({digits}) =>
    placesInside(digits.length, (from, to) =>
      digits
        .slice(from, to)
        .map(({digit}) => digit)
        .join(''),
    ).map(([from, to]) => ({units: digits.slice(from, to), within: digits})),
  );
}

function placesInside(length: number, digits: (from: number, to: number) => string): [number, number][] {
  const found: [number, number][] = [];
  if (length <= PAN_MAXIMUM_DIGITS) return found;
  for (let from = 0; from < length; from++) {
    for (let to = from + PAN_MINIMUM_DIGITS; to <= Math.min(length, from + PAN_MAXIMUM_DIGITS); to++) {
      if (isPanText(digits(from, to))) found.push([from, to]);
    }
  }
  return found;
}

function runsOf(tokens: readonly Token[]): Run[] {
  const runs: Run[] = [];
  let run: Run = [];
  let separator: Separator | undefined = 'gap';
  const end = (): void => {
    if (run.length > 0) runs.push(run);
    run = [];
    separator = 'gap';
  };
  for (const {start, length, meaning} of tokens) {
    switch (meaning.kind) {
      case 'digit':
        if (separator !== undefined) run.push({separator, digits: []});
        separator = undefined;
        run.at(-1)?.digits.push({start, end: start + length, digit: String(meaning.value)});
        break;
      case 'separator': {
        const last = run.at(-1);
        if (separator === 'gap' && meaning.separator === 'wrap' && last !== undefined) separator = 'wrap';
        else if (separator !== undefined || last === undefined) end();
        else {
          // Dots make a row of their own.
          if (run.length > 1 && (last.separator === 'dot') !== (meaning.separator === 'dot')) {
            runs.push(run);
            run = [last];
          }
          separator = meaning.separator;
        }
        break;
      }
      case 'boundary':
        separator = 'gap';
        break;
      case 'other':
        end();
        break;
      case 'invisible':
    }
  }
  end();
  return runs;
}

/** Latin-1 text is read one character of UTF-8, escape, or, decoded, encoded character at a time. */
function tokensOf(text: string, json: boolean, decode: boolean): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const {length, codePoint, isWord} = characterAt(text, at, json);
    const decoded = decode ? decodedAt(text, at, length, codePoint, json) : undefined;
    if (decoded !== undefined) tokens.push({start: at, ...decoded});
    else if (isWord && !(decode && meaningOf(codePoint).kind !== 'other')) {
      tokens.push({start: at, length: 1, meaning: {kind: 'other'}});
      for (let index = at + length - 4; index < at + length; index++) {
        tokens.push({start: index, length: 1, meaning: {kind: 'digit', value: Number(text[index])}});
      }
      tokens.push({start: at + length, length: 0, meaning: {kind: 'boundary'}});
    } else tokens.push({start: at, length, meaning: meaningOf(codePoint)});
    at += decoded?.length ?? length;
  }
  return tokens;
}

const NO_CHARACTER = 0;

/** The code point at this place, and whether it may as well be a word before four digits. */
function characterAt(text: string, at: number, json: boolean): {length: number; codePoint: number; isWord: boolean} {
  const rest = text.slice(at, at + 26);
  const backslashes = /^\\*/.exec(rest)?.[0].length ?? 0;
  if (backslashes > 0) {
    const own = [8, 4, 2, 1].find((count) => count <= backslashes) ?? 1;
    const hex = /^u([0-9a-f]{4})/i.exec(rest.slice(backslashes))?.[1];
    if (own < backslashes || hex === undefined) return {length: own, codePoint: NO_CHARACTER, isWord: false};
    const codePoint = Number.parseInt(hex, 16);
    const pair = /^(\\+u(d[89ab]..))(\\+u(d[c-f]..))/i.exec(rest);
    if (pair?.[1] !== undefined && pair[3]?.length === pair[1].length) {
      const character = String.fromCharCode(codePoint, Number.parseInt(pair[4] ?? '', 16)).codePointAt(0) ?? 0;
      return {length: pair[0].length, codePoint: character, isWord: false};
    }
    const isWord = /^[0-9]{4}$/.test(hex) && codePoint > 0xff && !(json && backslashes === 1);
    return {length: backslashes + 5, codePoint, isWord};
  }
  for (const length of [1, 2, 3, 4]) {
    const codePoint = utf8(Buffer.from(rest.slice(0, length), 'latin1'));
    if (codePoint !== undefined) return {length, codePoint, isWord: false};
  }
  return {length: 1, codePoint: NO_CHARACTER, isWord: false};
}

/** The one character that these bytes are. */
function utf8(bytes: Buffer): number | undefined {
  const [character, ...others] = bytes.toString();
  return others.length === 0 && character !== undefined && Buffer.from(character).equals(bytes)
    ? character.codePointAt(0)
    : undefined;
}

/** What is encoded at this place, where the character there has this length and code point. */
function decodedAt(
  text: string,
  at: number,
  length: number,
  codePoint: number,
  json: boolean,
): Pick<Token, 'length' | 'meaning'> | undefined {
  const rest = text.slice(at + length, at + length + 30);
  switch (String.fromCodePoint(codePoint)) {
    case '%':
      return length === 1 ? percentAt(text.slice(at, at + 12)) : undefined;
    case '&':
      return referenceAt(rest, length);
    case '\u001b': {
      const sequence = /^\[(?:[0-9]{0,3}[;:])*[0-9]{0,3}[mK]/.exec(rest)?.[0];
      if (sequence === undefined || sequence.length > 22) return undefined;
      return {length: length + sequence.length, meaning: {kind: 'invisible'}};
    }
    case '\r':
      if (json || length > 1 || !rest.startsWith('\n')) return undefined;
      return {length: 2, meaning: {kind: 'separator', separator: 'wrap'}};
    default:
      return undefined;
  }
}

function percentAt(text: string): Pick<Token, 'length' | 'meaning'> | undefined {
  for (const length of [3, 6, 9, 12]) {
    const written = text.slice(0, length);
    if (written.length < length || !/^(?:%[0-9a-f]{2})+$/i.test(written)) break;
    const codePoint = utf8(Buffer.from(written.replaceAll('%', ''), 'hex'));
    if (codePoint !== undefined && meaningOf(codePoint).kind !== 'other')
      return {length, meaning: meaningOf(codePoint)};
  }
  return /^%[0-9a-f]{2}/i.test(text) ? {length: 3, meaning: {kind: 'other'}} : undefined;
}

function referenceAt(rest: string, before: number): Pick<Token, 'length' | 'meaning'> | undefined {
  const numeric = /^#(?:x([0-9a-f]{1,6})|([0-9]{1,6}));/i.exec(rest);
  if (numeric !== null) {
    const [whole, hex, decimal = ''] = numeric;
    const meaning = meaningOf(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
    return meaning.kind === 'other' ? undefined : {length: before + whole.length, meaning};
  }
  if (rest.startsWith('nbsp;')) return {length: before + 5, meaning: {kind: 'separator', separator: 'gap'}};
  return rest.startsWith('shy;') ? {length: before + 4, meaning: {kind: 'invisible'}} : undefined;
}
