import {holdsAsterisk, holdsMaskedPan} from './maskedpan.ts';

/** Whose traces to look for. */
export interface MaskTraces {
  readonly pan: boolean;
  /** Card numbers are masked without a digit that stays. */
  readonly panWithoutDigits: boolean;
  /** Card numbers are masked inside of digit runs longer than any. */
  readonly panInLongRuns: boolean;
  /** Something else may be masked in the middle of a text. */
  readonly runs: boolean;
  readonly cardVerificationCode: boolean;
}

/** Of a text that is nothing but asterisks; fewer are wildcards. */
const ASTERISKS_MINIMUM = 3;
/** Of asterisks in the middle of a text; fewer are emphasis and rules of Markdown. */
const RUN_MINIMUM = 6;
/** The same of a card number without a digit that stays. */
const PAN_RUN_MINIMUM = 12;

/**
 * Whether a text holds what maskers leave behind, so that it would overwrite the data that was masked. Asterisks of
 * wildcards, cron schedules, Markdown and comments are not that; `**** **** 2024` is, as a card number looks so.
 */
export function holdsMask(text: string, traces: MaskTraces): boolean {
  if (!holdsAsterisk(text)) return false;
  if (isAsterisks(text, ASTERISKS_MINIMUM)) return true;
  return (
    (traces.pan && holdsMaskedPan(text, traces.panWithoutDigits, traces.panInLongRuns)) ||
    (traces.panWithoutDigits && holdsRun(text, PAN_RUN_MINIMUM)) ||
    (traces.runs && holdsRun(text, RUN_MINIMUM)) ||
    (traces.cardVerificationCode && holdsMaskedCode(text))
  );
}

/** Whether a text is nothing but so many asterisks or more. */
export function isAsterisks(text: string, atLeast: number): boolean {
  return text.length >= atLeast && endOf(text, 0, '*') === text.length;
}

/** Whether so many asterisks stand in a line with something else than what lines are drawn with. */
function holdsRun(text: string, atLeast: number): boolean {
  return text.split('\n').some((line) => line.includes('*'.repeat(atLeast)) && /[^\s*/#=;+|_-]/.test(line));
}

/** Whether three or four asterisks stand where the value of something stands. */
function holdsMaskedCode(text: string): boolean {
  for (let at = text.indexOf('***'); at >= 0; at = text.indexOf('***', at)) {
    const end = endOf(text, at, '*');
    const before = text.slice(Math.max(at - 4, 0), at);
    if (end - at <= 4 && /[:=]\s?["'\\]{0,2}$/.test(before) && !/^\w/.test(text.slice(end, end + 1))) return true;
    at = end;
  }
  return false;
}

/** Where a row of the same characters ends. */
function endOf(text: string, from: number, character: string): number {
  let at = from;
  while (at < text.length && text[at] === character) at++;
  return at;
}
