import {constants, gunzipSync} from 'node:zlib';
import {isCardNumber} from './cards.ts';

/** From `from` on, before `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The places that masking changed and that hold no card number, not even by chance: each as the text around it.
 *
 * @param mayBeCard false where even the digits of a card are none
 * @param planted where something is that must be hidden
 */
export function harmDone(
  document: Buffer,
  masked: Buffer,
  {mayBeCard = true, planted}: {readonly mayBeCard?: boolean; readonly planted?: Span} = {},
): string[] {
  if (document.equals(masked)) return [];
  const text = document.toString('latin1');
  if (masked.length !== document.length) return [`${document.length} bytes became ${masked.length}`];
  const allowed = mayBeCard ? [...numbers(text), ...encodedNumbers(text)] : [];
  if (planted !== undefined) allowed.push(planted);
  return changes(document, masked)
    .filter(({from, to}) => !allowed.some((span) => span.from <= from && to <= span.to))
    .map(({from, to}) => `...${text.slice(Math.max(0, from - 40), to + 20)}... at ${from}`);
}

function changes(before: Buffer, after: Buffer): Span[] {
  const found: Span[] = [];
  for (let at = 0; at < before.length; at++) {
    if (before[at] === after[at]) continue;
    const last = found.at(-1);
    if (last !== undefined && last.to === at) found[found.length - 1] = {from: last.from, to: at + 1};
    else found.push({from: at, to: at + 1});
  }
  return found;
}

/** Where digits stand that are a card number by chance, with the signs and the fraction of a number around them. */
function numbers(text: string): Span[] {
  const found: Span[] = [];
  for (const run of text.matchAll(/[0-9](?:[ .-]?[0-9])*/g)) {
    const groups = [...run[0].matchAll(/[0-9]+/g)];
    for (const [first, start] of groups.entries()) {
      for (const end of groups.slice(first)) {
        const to = end.index + end[0].length;
        if (isCardNumber(run[0].slice(start.index, to).replace(/[^0-9]/g, ''))) {
          found.push(widened(text, run.index + start.index, run.index + to));
        }
      }
    }
  }
  return found;
}

/** A JSON number is replaced as a whole. */
function widened(text: string, from: number, to: number): Span {
  const before = /[-+.0-9eE]*$/.exec(text.slice(Math.max(0, from - 40), from))?.[0].length ?? 0;
  const after = /^[-+.0-9eE]*/.exec(text.slice(to, to + 40))?.[0].length ?? 0;
  return {from: from - before, to: to + after};
}

/** Words of base64 that encode one, in gzip or in base64 once more too. */
function encodedNumbers(text: string, layers = 2): Span[] {
  return [...text.matchAll(/[A-Za-z0-9+/]{16,}/g)]
    .filter(([word]) => {
      const decoded = unpacked(Buffer.from(word, 'base64')).toString('latin1');
      return numbers(decoded).length > 0 || (layers > 1 && encodedNumbers(decoded, layers - 1).length > 0);
    })
    .map(({0: word, index}) => ({from: index, to: index + word.length}));
}

/** What can be read of gzip, although it is cut off; anything else as it is. */
function unpacked(bytes: Buffer): Buffer {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, {finishFlush: constants.Z_SYNC_FLUSH});
  } catch {
    return bytes;
  }
}
