import {isPanText, mayBecomePanText, PAN_MAXIMUM_DIGITS, PAN_MINIMUM_DIGITS} from './pan.ts';
import type {PanShow} from './plan.ts';
import {maskedPan} from './show.ts';

/** RFC 8259 section 6, but for exponents that could be a card. */
const NUMBER = /^-?(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,11}))?$/;
const OPEN_NUMBER = /^-?([0-9]*)(?:\.([0-9]*))?(?:[eE]\+?[0-9]{0,2})?$/;
const INTEGER = /^-?[0-9]*$/;
const LONG_NUMBER = /^-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]*)?$/;

/** Fewest digits of a fraction that an exponent makes a card of: encoders write one digit before the dot. */
const FRACTION_MINIMUM_DIGITS = PAN_MINIMUM_DIGITS - 1;

/** Digits of a mantissa beyond which no exponent is looked at; a double has 17. */
const MANTISSA_MAXIMUM_DIGITS = 24;

/** A longer number token is not waited for: what is hidden of it are digits. */
export const LONG_NUMBER_MAXIMUM_BYTES = 128;

/** What a JSON number token says about cards. */
export type NumberReading =
  | {readonly kind: 'pan'; readonly pan: string}
  | {readonly kind: 'number'}
  | {readonly kind: 'noNumber'};

/**
 * Reads a number token, as written (no float is made of it, so 19 digits stay exact): a PAN where its integer digits
 * are one, as they stand (4111111111111111.5) or moved by the exponent (4.111111111111111e15, 41111111111111110e-1). The
 * digits of a fraction alone are no PAN.
 */
export function readNumber(token: string): NumberReading {
  const match = NUMBER.exec(token);
  if (match === null) return {kind: 'noNumber'};
  const [, integer = '', fraction = '', exponent = '0'] = match;
  const length = integer.length + Number(exponent);
  const isMoved = fraction.length >= FRACTION_MINIMUM_DIGITS || Number(exponent) < 0;
  const isReadable = integer.length + fraction.length <= MANTISSA_MAXIMUM_DIGITS;
  if (isMoved && isReadable && length > 0 && length <= PAN_MAXIMUM_DIGITS) {
    const value = (integer + fraction).padEnd(length, '0').slice(0, length);
    if (isPanText(value)) return {kind: 'pan', pan: value};
  }
  if (isPanText(integer)) return {kind: 'pan', pan: integer};
  return {kind: 'number'};
}

/** Whether a number token that starts so can be read as a PAN in the end. */
export function mayBecomePanNumber(start: string): boolean {
  const match = OPEN_NUMBER.exec(start);
  if (match === null) return false;
  const [, integer = '', fraction = ''] = match;
  const mantissa = integer + fraction;
  // How many of its digits are those of the PAN is known with the exponent.
  return mantissa.length <= MANTISSA_MAXIMUM_DIGITS && mayBecomePanText(mantissa.slice(0, PAN_MINIMUM_DIGITS));
}

/** The string token of the same length that stands in the place of the number token of a PAN. */
export function maskedNumber(length: number, pan: string, show: PanShow): string {
  return `"${maskedPan(pan, length - 2, show)}"`;
}

/** The same for a number token in which a PAN stands among other digits. */
export function maskedLongNumber(length: number): string {
  return `"${'*'.repeat(length - 2)}"`;
}

/** Whether a number token that starts so can have an integer part of any length, with a PAN in it. */
export function mayHoldPan(start: string): boolean {
  return start.length <= LONG_NUMBER_MAXIMUM_BYTES && isInteger(start);
}

/** Whether a number token starts so with its integer part, or not at all yet. */
export function isInteger(start: string): boolean {
  return INTEGER.test(start);
}

/**
 * The start of a number token with every digit of its mantissa hidden, and still the start of a number: for a token
 * so long that it must be passed on before it ends. Undefined if it is no number.
 */
export function flattenedNumber(start: string): string | undefined {
  if (!LONG_NUMBER.test(start)) return undefined;
  const mantissa = start.search(/[eE]|$/);
  return start.slice(0, mantissa).replace(/[0-9]/g, '0').replace('0', '1') + start.slice(mantissa);
}
