import type {IncomingHttpHeaders} from 'node:http';
import {mayHaveDigits} from '../../core/mask/characters.ts';
import {CODE_MINIMUM_DIGITS} from '../../core/mask/codemasker.ts';
import {PAN_MINIMUM_DIGITS} from '../../core/mask/pan.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import type {MaskedSoFar} from './call.ts';
import type {Maskers} from './maskers.ts';

/** A pattern of a policy may match anything, and without these nobody could read the body. */
const ofBody: ReadonlySet<string> = new Set(['content-encoding', 'content-length', 'content-type']);

/** What every answer has, UUIDs and the date (RFC 9110, 5.6.7): a masker for each would cost more than the rest of it. */
const everyday =
  /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT)$/;

/**
 * The response headers as the agent gets them, where these are others than the API server's: card numbers stand in a
 * Location and in what is said of errors too, and a body from which members are removed is shorter than was said.
 *
 * @param found where it is counted what was masked
 * @returns undefined where they stay as they are
 */
export function maskedHeaders(
  headers: IncomingHttpHeaders,
  plan: MaskPlan,
  maskers: Maskers,
  found: MaskedSoFar[],
): IncomingHttpHeaders | undefined {
  let changed: IncomingHttpHeaders | undefined;
  for (const name in headers) {
    const value = headers[name];
    // `:status`, which HTTP/2 has among them, is a number.
    if (value === undefined || name.startsWith(':')) continue;
    const isList = typeof value !== 'string';
    if (isList ? value.every((one) => isClear(name, one, plan)) : isClear(name, value, plan)) continue;
    const mask = (one: string) => maskedValue(one, plan, maskers, found);
    changed = {...(changed ?? headers), [name]: isList ? value.map(mask) : mask(value)};
  }
  if (!plan.fields.some(({action}) => action === 'Remove')) return changed;
  const {'content-length': length, ...shortened} = changed ?? headers;
  return length === '0' ? changed : shortened;
}

function isClear(name: string, value: string, {regexes, cardVerificationCode}: MaskPlan): boolean {
  if (regexes.length > 0 && !ofBody.has(name)) return false;
  const digits = cardVerificationCode ? CODE_MINIMUM_DIGITS : PAN_MINIMUM_DIGITS;
  return name === 'content-length' || !mayHaveDigits(value, digits) || everyday.test(value);
}

function maskedValue(value: string, plan: MaskPlan, maskers: Maskers, found: MaskedSoFar[]): string {
  const out: Buffer[] = [];
  const emit = (bytes: Buffer) => void out.push(bytes);
  const masker = maskers.take('text', plan, false);
  // Node reads headers as latin1, and writes them so.
  masker.push(Buffer.from(value, 'latin1'), emit);
  masker.end(emit);
  found.push(masker);
  return Buffer.concat(out).toString('latin1');
}
