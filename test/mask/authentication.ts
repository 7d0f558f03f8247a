import {CARD_KINDS, cardPair} from './cards.ts';
import type {Random} from './random.ts';

/**
 * Sensitive authentication data, of which nothing may stay: the stripe of a card, its verification code, and PIN
 * blocks (PCI DSS 3.3.1). `one` and `other` have the same length and differ in what must be hidden alone.
 */
export interface AuthenticationData {
  readonly name: string;
  readonly detector: 'TrackData' | 'CardVerificationCode';
  readonly takes: 'text' | 'jsonString' | 'jsonMember';
  pair(random: Random): {readonly one: string; readonly other: string};
}

/** Two cards of no common digit but the last four, which the stripe hides too. */
function cards(random: Random): {readonly one: string; readonly other: string} {
  return cardPair(random, random.pick(CARD_KINDS.filter(({length}) => length === 16 || length === 15)));
}

function tracks(name: string, takes: AuthenticationData['takes'], write: (pan: string, rest: string) => string) {
  return {
    name,
    detector: 'TrackData',
    takes,
    pair: (random: Random) => {
      const {one, other} = cards(random);
      // The last four of the card, expiry, service code, discretionary data: all else is the same on both.
      const turned = (digits: string) => [...digits].map((digit) => String((Number(digit) + 3) % 10)).join('');
      const rest = `2912101${random.digits(10)}`;
      return {
        one: write(one, rest),
        other: write(`${other.slice(0, -4)}${one.slice(-4)}`, `2912101${turned(rest.slice(7))}`),
      };
    },
  } as const satisfies AuthenticationData;
}

function codes(
  name: string,
  takes: AuthenticationData['takes'],
  lengths: readonly number[],
  write: (code: string) => string,
) {
  return {
    name,
    detector: 'CardVerificationCode',
    takes,
    pair: (random: Random) => {
      const length = random.pick(lengths);
      const one = random.digits(length);
      return {one: write(one), other: write([...one].map((digit) => String((Number(digit) + 3) % 10)).join(''))};
    },
  } as const satisfies AuthenticationData;
}

const block = (digits: string): string => `04${digits}`.replaceAll('7', 'A').replaceAll('3', 'F').slice(0, 16);

export const AUTHENTICATION_DATA: readonly AuthenticationData[] = [
  tracks('track 1', 'text', (pan, rest) => `%B${pan}^DOE/JOHN^${rest}?`),
  tracks('track 1 in lower case', 'text', (pan, rest) => `%b${pan}^doe/john^${rest}?`),
  tracks('track 2', 'text', (pan, rest) => `;${pan}=${rest}?`),
  tracks('both tracks', 'text', (pan, rest) => `%B${pan}^DOE/JOHN^${rest}?;${pan}=${rest}?`),
  tracks('track 2 without sentinels', 'text', (pan, rest) => `${pan}=${rest}`),
  tracks('track 2 of a chip', 'text', (pan, rest) => `${pan}D${rest}F`),
  tracks('track 1, percent-encoded', 'text', (pan, rest) => `%25B${pan}%5EDOE%2FJOHN%5E${rest}%3F`),
  tracks('track 2, percent-encoded', 'text', (pan, rest) => `%3B${pan}%3D${rest}%3F`),
  tracks('track 1 with its escapes', 'jsonString', (pan, rest) => `%B${pan}\\u005eDOE\\/JOHN\\u005e${rest}?`),
  tracks('track 2 with its escapes', 'jsonString', (pan, rest) => `;${pan}\\u003d${rest}?`),
  codes('cvv=', 'text', [3], (code) => `cvv=${code}`),
  codes('cvv2: ', 'text', [3], (code) => `cvv2: ${code}`),
  codes('CVC', 'text', [3], (code) => `CVC: ${code}`),
  codes('security code', 'text', [3, 4], (code) => `security_code=${code}`),
  codes('card verification value', 'text', [3, 4], (code) => `cardVerificationValue=${code}`),
  codes('a member cvv', 'jsonMember', [3], (code) => `"cvv":"${code}"`),
  codes('a member CVV2 after a space', 'jsonMember', [3], (code) => `"CVV2": "${code}"`),
  codes('a member cvc', 'jsonMember', [3, 4], (code) => `"cvc":"${code}"`),
  codes('a member cardSecurityCode', 'jsonMember', [3, 4], (code) => `"cardSecurityCode":"${code}"`),
  codes('a member card_verification_value', 'jsonMember', [3, 4], (code) => `"card_verification_value":"${code}"`),
  codes('a member cvv that is a number', 'jsonMember', [3], (code) => `"cvv":${code.replace(/^0/, '1')}`),
  codes('a PIN block', 'text', [14], (code) => `pinblock=${block(code)}`),
  codes('a member pinBlock', 'jsonMember', [14], (code) => `"pinBlock":"${block(code)}"`),
  codes('a member pin_block', 'jsonMember', [14], (code) => `"pin_block":"${block(code)}"`),
];
