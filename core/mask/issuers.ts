/** One block of issuer identification numbers and the PAN lengths that its network issues in it. */
export interface IssuerRange {
  readonly network: string;
  /** Leading digits, the same number of digits in both; every prefix from `low` to `high` belongs to the range. */
  readonly low: string;
  readonly high: string;
  /** PAN lengths in digits, check digit included. */
  readonly lengths: readonly number[];
}

function issuer(network: string, lengths: readonly number[], prefixes: readonly string[]): readonly IssuerRange[] {
  return prefixes.map((prefix) => {
    const [low = '', high = low] = prefix.split('-');
    return {network, low, high, lengths};
  });
}

const FROM_12 = [12, 13, 14, 15, 16, 17, 18, 19];
const FROM_14 = [14, 15, 16, 17, 18, 19];
const FROM_16 = [16, 17, 18, 19];

/**
 * Who issues which numbers, at which lengths.
 *
 * Sources: Wikipedia, "Payment card number", section "Issuer identification number" (networks, ranges and lengths),
 * and braintree/credit-card-type, `src/lib/card-types.ts` (Elo, Hiper, Hipercard, Visa's 18 digits, UnionPay's 14 and
 * JCB's old ranges, of 15 digits). Where the two differ the wider of them stands: a range too many can mask a number
 * that is no card, a range too few shows a card. A later entry may lie inside an earlier one (Elo inside Visa); the
 * union counts.
 */
export const ISSUER_RANGES: readonly IssuerRange[] = [
  ...issuer('Visa', [13, 16, 18, 19], ['4']),
  ...issuer('Mastercard', [16], ['51-55', '2221-2720']),
  ...issuer('American Express', [15], ['34', '37']),
  ...issuer('Diners Club', FROM_14, ['300-305', '309', '36', '38-39']),
  ...issuer('Discover', FROM_16, ['6011', '622126-622925', '644-649', '65']),
  ...issuer('JCB', FROM_16, ['3528-3589']),
  ...issuer('JCB', [15], ['1800', '2131']),
  ...issuer('UnionPay', FROM_14, ['62', '81']),
  ...issuer('Maestro', FROM_12, ['493698', '50', '56-69']),
  ...issuer('Mir', FROM_16, ['2200-2204']),
  ...issuer('Troy', [16], ['65', '9792']),
  ...issuer(
    'Elo',
    [16],
    ['401178-401179', '431274', '438935', '451416', '457393', '457631-457632', '504175', '506699-506778']
      .concat(['509000-509999', '627780', '636297', '636368', '650031-650033', '650035-650051', '650405-650439'])
      .concat(['650485-650538', '650541-650598', '650700-650718', '650720-650727', '650901-650978'])
      .concat(['651652-651679', '655000-655019', '655021-655058']),
  ),
  ...issuer('Verve', [16, 18, 19], ['506099-506198', '507865-507964', '650002-650027']),
  ...issuer('Hiper', [16], ['637095', '63737423', '63743358', '637568', '637599', '637609', '637612']),
  ...issuer('Hipercard', [16], ['606282']),
  ...issuer('BORICA', [16], ['2205']),
  ...issuer('Humo', [16], ['9860']),
  ...issuer('UzCard', [16], ['8600']),
  ...issuer('Napas', [16, 19], ['9704']),
  ...issuer('RuPay', [16], ['353', '356', '508', '60', '65', '81-82']),
];
