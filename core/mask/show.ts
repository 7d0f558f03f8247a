import type {PanPlan, PanShow} from './plan.ts';

/** What holds where nobody says otherwise. */
export const DEFAULT_PAN: PanPlan = {show: 'LastFour', longDigitRuns: false};

const LAST_DIGITS = 4;
const FIRST_DIGITS = 6;

/**
 * Fewest digits of a PAN of which the first six stay too: five are hidden then, as the PCI SSC asks of American Express
 * (FAQ 1091). Of a shorter one so few would be hidden that, with the check digit, they could be guessed.
 */
const FIRST_SIX_MINIMUM_DIGITS = 15;

/** Digits of a PAN that are hidden, counted from the first: [from, to). */
export interface HiddenDigits {
  readonly from: number;
  readonly to: number;
}

/** Which digits of a PAN of `digits` digits are hidden: the same wherever it stands, so that no two views add up. */
export function hiddenDigits(show: PanShow, digits: number): HiddenDigits {
  switch (show) {
    case 'None':
      return {from: 0, to: digits};
    case 'LastFour':
      return {from: 0, to: digits - LAST_DIGITS};
    case 'FirstSixLastFour':
      return {from: digits < FIRST_SIX_MINIMUM_DIGITS ? 0 : FIRST_DIGITS, to: digits - LAST_DIGITS};
  }
}

/**
 * Leading digits that may be seen of what is released before it is known whether it is a PAN: whoever types a port or
 * a year waits for the echo. Six say which bank issued the card and no more (PCI DSS 3.5.1); where no digit of a PAN is
 * to be seen it is the four of a year, which do not even say that. The last four are hidden then.
 */
export function leadingDigitsShown(show: PanShow): number {
  return show === 'None' ? 4 : FIRST_DIGITS;
}

/** The PAN in `length` characters, as many of them hidden as are left by the digits that stay. */
export function maskedPan(pan: string, length: number, show: PanShow): string {
  const {from, to} = hiddenDigits(show, pan.length);
  const last = pan.slice(to);
  return pan.slice(0, from).padEnd(length - last.length, '*') + last;
}
