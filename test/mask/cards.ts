import type {PanShow} from '../../core/mask/plan.ts';
import type {Random} from './random.ts';

/** What a network issues: prefixes from `from` to `to`, of the same number of digits, and lengths. */
interface Range {
  readonly brand: string;
  readonly from: string;
  readonly to: string;
  readonly lengths: readonly number[];
}

const upTo19 = (shortest: number): number[] => Array.from({length: 20 - shortest}, (_, index) => shortest + index);

/**
 * Written down apart from the engine's own table, after the networks' publications and the overview in Wikipedia's
 * "Payment card number", so that a range that is missing there is missed here.
 */
const RANGES: readonly Range[] = [
  range('Visa', '4', '4', [13, 16, 18, 19]),
  range('Mastercard', '51', '55', [16]),
  range('Mastercard', '2221', '2720', [16]),
  range('American Express', '34', '34', [15]),
  range('American Express', '37', '37', [15]),
  range('Diners Club', '300', '305', upTo19(14)),
  range('Diners Club', '309', '309', upTo19(14)),
  range('Diners Club', '36', '36', upTo19(14)),
  range('Diners Club', '38', '39', upTo19(14)),
  range('Discover', '6011', '6011', upTo19(16)),
  range('Discover', '622126', '622925', upTo19(16)),
  range('Discover', '644', '649', upTo19(16)),
  range('Discover', '65', '65', upTo19(16)),
  range('JCB', '3528', '3589', upTo19(16)),
  range('UnionPay', '62', '62', upTo19(16)),
  range('UnionPay', '81', '81', upTo19(16)),
  range('Maestro', '5018', '5018', upTo19(12)),
  range('Maestro', '5020', '5020', upTo19(12)),
  range('Maestro', '5038', '5038', upTo19(12)),
  range('Maestro', '5893', '5893', upTo19(12)),
  range('Maestro', '6304', '6304', upTo19(12)),
  range('Maestro', '6759', '6759', upTo19(12)),
  range('Maestro', '6761', '6763', upTo19(12)),
  range('Mir', '2200', '2204', upTo19(16)),
  range('Troy', '9792', '9792', [16]),
  range('Elo', '438935', '438935', [16]),
  range('Elo', '504175', '504175', [16]),
  range('Elo', '506699', '506778', [16]),
  range('Elo', '509000', '509999', [16]),
  range('Elo', '636368', '636368', [16]),
  range('Elo', '650485', '650538', [16]),
  range('Verve', '506099', '506198', [16, 18, 19]),
  range('Verve', '650002', '650027', [16, 18, 19]),
  range('Hiper', '637095', '637095', [16]),
  range('Hiper', '637568', '637568', [16]),
  range('RuPay', '60', '60', [16]),
  range('RuPay', '6521', '6522', [16]),
  range('RuPay', '82', '82', [16]),
  range('RuPay', '508', '508', [16]),
  range('RuPay', '353', '353', [16]),
];

/** Numbers that some network issues or once did: an engine that takes one of them for a card is not wrong. */
const PLAUSIBLE: readonly Range[] = [
  ...RANGES,
  range('Maestro', '50', '50', upTo19(12)),
  range('Maestro', '56', '69', upTo19(12)),
  range('UnionPay', '62', '62', upTo19(14)),
  range('UnionPay', '81', '81', upTo19(14)),
  range('JCB', '1800', '1800', [15]),
  range('JCB', '2131', '2131', [15]),
  range('BORICA', '2205', '2205', [16]),
  range('RuPay', '356', '356', [16]),
  range('Humo', '9860', '9860', [16]),
  range('UzCard', '8600', '8600', [16]),
  range('Napas', '9704', '9704', [16, 19]),
];

function range(brand: string, from: string, to: string, lengths: readonly number[]): Range {
  return {brand, from, to, lengths};
}

/** A brand at a length that it issues. */
export interface CardKind {
  readonly brand: string;
  readonly length: number;
}

/** Each brand at each of its lengths, once. */
export const CARD_KINDS: readonly CardKind[] = [
  ...new Map(
    RANGES.flatMap(({brand, lengths}) => lengths.map((length) => [`${brand} ${length}`, {brand, length}])),
  ).values(),
];

/** Two numbers of the same length that nobody issued to anybody as far as their digits can say. */
export interface CardPair {
  readonly one: string;
  /** Has the same digits where they are shown, and another in every other place where the prefixes allow it. */
  readonly other: string;
}

/** A card of this kind, and another whose masked form must be the same. */
export function cardPair(random: Random, {brand, length}: CardKind, show: PanShow = 'LastFour'): CardPair {
  if (show !== 'LastFour') return cardPairShown(random, {brand, length}, show);
  for (;;) {
    const one = cardOf(random, brand, length);
    for (let attempt = 0; attempt < 50; attempt++) {
      const other = cardOf(random, brand, length, one.slice(-4));
      const same = [...other.slice(0, -4)].filter((digit, index) => digit === one[index]).length;
      if (same <= 4) return {one, other};
    }
  }
}

/** Fewest digits of a card that shows its first six. */
const FIRST_SIX_MINIMUM = 15;

function cardPairShown(random: Random, {brand, length}: CardKind, show: PanShow): CardPair {
  const last = show === 'None' ? 0 : 4;
  const first = show === 'FirstSixLastFour' && length >= FIRST_SIX_MINIMUM ? 6 : 0;
  for (;;) {
    const one = cardOf(random, brand, length);
    // Of a card that has another in it by chance less is shown.
    if (hasCardInside(one)) continue;
    const ending = last === 0 ? '' : one.slice(-last);
    for (let attempt = 0; attempt < 50; attempt++) {
      const drawn = first > 0 ? one.slice(0, first) + random.digits(length - first - last) + ending : undefined;
      const other = drawn ?? cardOf(random, brand, length, ending);
      const same = [...other.slice(first, length - last)].filter((digit, index) => digit === one[first + index]).length;
      if (isCardNumber(other) && !hasCardInside(other) && same <= (first > 0 ? 1 : 4)) return {one, other};
    }
  }
}

function hasCardInside(digits: string): boolean {
  for (let from = 0; from < digits.length; from++) {
    for (let to = from + 12; to <= digits.length; to++) {
      if (to - from < digits.length && isCardNumber(digits.slice(from, to))) return true;
    }
  }
  return false;
}

/** @param ending digits to end with; others are drawn until the check digit fits. */
function cardOf(random: Random, brand: string, length: number, ending = ''): string {
  const {from, to} = random.pick(RANGES.filter((each) => each.brand === brand && each.lengths.includes(length)));
  for (;;) {
    const prefix = String(random.integer(Number(from), Number(to))).padStart(from.length, '0');
    const digits = prefix + random.digits(length - prefix.length - ending.length) + ending;
    if (ending === '') return withCheckDigit(digits.slice(0, -1));
    if (luhnSum(digits) % 10 === 0) return digits;
  }
}

function withCheckDigit(digits: string): string {
  return digits + ((10 - (luhnSum(`${digits}0`) % 10)) % 10);
}

/** Whether these digits are a card number as far as digits can say: the check that decides what is harm. */
export function isCardNumber(digits: string): boolean {
  const inRange = PLAUSIBLE.some(({from, to, lengths}) => {
    const prefix = digits.slice(0, from.length);
    return lengths.includes(digits.length) && prefix >= from && prefix <= to;
  });
  return inRange && luhnSum(digits) % 10 === 0;
}

function luhnSum(digits: string): number {
  const doubled = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
  return [...digits].reduce((sum, digit, index) => {
    const everySecond = (digits.length - index) % 2 === 0;
    return sum + (everySecond ? (doubled[Number(digit)] as number) : Number(digit));
  }, 0);
}
