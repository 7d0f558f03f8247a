/** One way to write the digits of a card number down. */
export interface Writing {
  readonly name: string;
  /**
   * What it is part of: any text, the text of a JSON string as it stands between the quotes (its escapes are part of
   * the way), the place of a JSON value, or what a terminal is sent.
   */
  readonly within: 'text' | 'jsonString' | 'jsonNumber' | 'terminal';
  write(digits: string): string;
}

/** The groups in which cards of that length are printed. */
function printed(digits: string): string[] {
  const sizes: Record<number, readonly number[]> = {14: [4, 6, 4], 15: [4, 6, 5]};
  return groups(digits, sizes[digits.length] ?? [4, 4, 4, 4, 4]);
}

function groups(digits: string, sizes: readonly number[]): string[] {
  const found: string[] = [];
  let from = 0;
  for (const size of sizes) {
    if (from < digits.length) found.push(digits.slice(from, from + size));
    from += size;
  }
  return found;
}

const each =
  (write: (digit: string) => string) =>
  (digits: string): string =>
    [...digits].map(write).join('');

const separated =
  (separator: string, write: (digits: string) => string = (digits) => digits) =>
  (digits: string): string =>
    printed(digits).map(write).join(separator);

/** Digits of another script, whose zero this is. */
const script = (zero: number): ((digits: string) => string) =>
  each((digit) => String.fromCodePoint(zero + Number(digit)));

const hex = (character: string): string => character.charCodeAt(0).toString(16).padStart(4, '0');

const SEPARATORS: readonly (readonly [string, string])[] = [
  ['spaces', ' '],
  ['hyphens', '-'],
  ['no-break spaces', '\u00a0'],
  ['thin spaces', '\u2009'],
  ['narrow no-break spaces', '\u202f'],
  ['figure spaces', '\u2007'],
  ['hair spaces', '\u200a'],
  ['ideographic spaces', '\u3000'],
  ['no-break hyphens', '\u2011'],
  ['en dashes', '\u2013'],
  ['minus signs', '\u2212'],
  ['zero-width spaces', '\u200b'],
  ['zero-width joiners', '\u200d'],
  ['word joiners', '\u2060'],
  ['soft hyphens', '\u00ad'],
  ['a byte order mark', '\ufeff'],
  ['marks of direction', '\u200e'],
  ['spaces that are zero wide too', ' \u200b'],
  ['colours', '\u001b[0m\u001b[36m'],
  ['coloured spaces', '\u001b[0m \u001b[36m'],
  ['HTML spaces', '&nbsp;'],
  ['HTML spaces by number', '&#160;'],
  ['HTML thin spaces', '&thinsp;'],
  ['HTML hyphens in hex', '&#x2d;'],
  ['percent-encoded spaces', '%20'],
  ['percent-encoded hyphens', '%2D'],
  ['percent-encoded no-break spaces', '%C2%A0'],
  ['the plus of forms', '+'],
];

const TEXT: readonly (readonly [string, (digits: string) => string])[] = [
  ['plain', (digits) => digits],
  ...SEPARATORS.map(([name, separator]) => [`with ${name}`, separated(separator)] as const),
  ['with dots', (digits) => groups(digits, [4, 4, 4, 4, 4]).join('.')],
  ['six and the rest', (digits) => groups(digits, [6, 13]).join(' ')],
  ['four and the rest', (digits) => groups(digits, [4, 15]).join(' ')],
  ['digit by digit', (digits) => [...digits].join(' ')],
  ['full-width', script(0xff10)],
  ['full-width in groups', separated('\u3000', script(0xff10))],
  ['Arabic-Indic', script(0x660)],
  ['Persian', script(0x6f0)],
  ['Devanagari', script(0x966)],
  ['Bengali', script(0x9e6)],
  ['mathematical', script(0x1d7ce)],
  ['mixed scripts', (digits) => script(0xff10)(digits.slice(0, 6)) + digits.slice(6)],
  ['HTML by number', each((digit) => `&#${digit.charCodeAt(0)};`)],
  ['HTML in hex', each((digit) => `&#x${digit.charCodeAt(0).toString(16)};`)],
  ['percent-encoded', each((digit) => `%${digit.charCodeAt(0).toString(16)}`)],
  ['percent-encoded in part', (digits) => `%3${digits[0]}${digits.slice(1)}`],
  ['JSON escapes in text', each((digit) => `\\u${hex(digit)}`)],
  ['a zero-width space after each digit', each((digit) => `${digit}\u200b`)],
  ['each group coloured', separated(' ', (group) => `\u001b[1;31m${group}\u001b[0m`)],
  ['highlighted by grep', (digits) => `\u001b[01;31m\u001b[K${digits}\u001b[m\u001b[K`],
  [
    'highlighted in part',
    (digits) => `${digits.slice(0, 6)}\u001b[7m${digits.slice(6, 10)}\u001b[27m${digits.slice(10)}`,
  ],
];

const TERMINAL: readonly (readonly [string, (digits: string) => string])[] = [
  ['wrapped between groups', (digits) => separated(' ')(digits).replace(/ ([0-9]+)$/, '\r\n$1')],
  ['wrapped after a space', (digits) => separated(' ')(digits).replace(/ ([0-9]+)$/, ' \r\n$1')],
  ['wrapped by the editor of a shell', (digits) => `${digits.slice(0, 9)} \r${digits.slice(9)}`],
];

/** Of JSON's own escapes, as other encoders than Go's write them. */
const JSON_STRING: readonly (readonly [string, (digits: string) => string])[] = [
  ['escapes', each((digit) => `\\u${hex(digit)}`)],
  ['escapes in capitals', each((digit) => `\\u${hex(digit).toUpperCase()}`)],
  [
    'escapes here and there',
    (digits) => [...digits].map((digit, at) => (at % 3 ? digit : `\\u${hex(digit)}`)).join(''),
  ],
  ['escaped spaces', separated('\\u0020')],
  ['escaped hyphens', separated('\\u002D')],
  ['escaped no-break spaces', separated('\\u00a0')],
  ['escaped thin spaces', separated('\\u2009')],
  ['escaped zero-width spaces', separated('\\u200b')],
  ['escaped full-width', each((digit) => `\\uff1${digit}`)],
  ['escaped surrogates', each((digit) => `\\ud835\\udf${(0xce + Number(digit)).toString(16)}`)],
  ['ampersands as Go escapes them', each((digit) => `\\u0026#${digit.charCodeAt(0)};`)],
  ['escapes in nested JSON', each((digit) => `\\\\u${hex(digit)}`)],
  ['escapes in JSON nested twice', each((digit) => `\\\\\\\\u${hex(digit)}`)],
  ['escaped colours', separated('\\u001b[0m \\u001b[36m')],
];

const JSON_NUMBER: readonly (readonly [string, (digits: string) => string])[] = [
  ['a number', (digits) => digits],
  ['a negative number', (digits) => `-${digits}`],
  ['a number with a fraction of nothing', (digits) => `${digits}.0`],
  ['a number with a fraction', (digits) => `${digits}.50`],
  ['a number with an exponent', (digits) => `${digits[0]}.${digits.slice(1)}e+${digits.length - 1}`],
  ['a number with a bare exponent', (digits) => `${digits[0]}.${digits.slice(1)}e${digits.length - 1}`],
  ['a number with a capital exponent', (digits) => `${digits[0]}.${digits.slice(1)}E+${digits.length - 1}`],
  ['a number with a negative exponent', (digits) => `${digits}0e-1`],
  ['a number with an exponent of nothing', (digits) => `${digits}e0`],
];

export const WRITINGS: readonly Writing[] = [
  ...TEXT.map(([name, write]): Writing => ({name, within: 'text', write})),
  ...JSON_STRING.map(([name, write]): Writing => ({name, within: 'jsonString', write})),
  ...TERMINAL.map(([name, write]): Writing => ({name, within: 'terminal', write})),
  ...JSON_NUMBER.map(([name, write]): Writing => ({name, within: 'jsonNumber', write})),
];
