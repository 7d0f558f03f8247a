import {describe, expect, test} from '@jest/globals';
import {cutEverywhere, maskedInChunks} from '../../test/maskcuts.ts';
import {maskedValues} from './counts.ts';
import {createMasker, type MaskerOptions, maskText} from './createmasker.ts';

const TEXT: MaskerOptions = {mediaType: 'text'};
const JSON_: MaskerOptions = {mediaType: 'json'};
const SECRET: MaskerOptions = {mediaType: 'json', base64: true};

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('in text', () => {
  test.each([
    ['Visa', '4111111111111111', '************1111'],
    ['Visa of 13 digits', '4222222222222', '*********2222'],
    ['Visa of 19 digits', '4000000000000000006', '***************0006'],
    ['Mastercard', '5555555555554444', '************4444'],
    ['Mastercard in the 2 series', '2223003122003222', '************3222'],
    ['American Express', '378282246310005', '***********0005'],
    ['Diners Club', '30569309025904', '**********5904'],
    ['Discover', '6011111111111117', '************1117'],
    ['JCB', '3530111333300000', '************0000'],
    ['UnionPay', '6200000000000005', '************0005'],
    ['UnionPay in 81', '8171999927660000', '************0000'],
    ['Maestro of 12 digits', '501800000009', '********0009'],
    ['Mir', '2200000000000004', '************0004'],
    ['Troy', '9792000000000003', '************0003'],
    ['Elo', '6362970000457013', '************7013'],
    ['Verve', '5060990580000217499', '***************7499'],
    ['Hiper', '6370950000000005', '************0005'],
    ['RuPay', '8200000000000001', '************0001'],
    ['spaces', '4111 1111 1111 1111', '**** **** **** 1111'],
    ['hyphens', '4111-1111-1111-1111', '****-****-****-1111'],
    ['both', '4111 1111-1111 1111', '**** ****-**** 1111'],
    ['4-6-5', '3782 822463 10005', '**** ****** *0005'],
    ['4-6-4', '3056 930902 5904', '**** ****** 5904'],
    ['4-4-4-4-3', '4000 0000 0000 0000 006', '**** **** **** ***0 006'],
    ['6-13', '400000 0000000000006', '****** *********0006'],
    ['dots', '4111.1111.1111.1111', '****.****.****.1111'],
    ['dots at the end of a sentence', 'It is 4111.1111.1111.1111. Thanks.', 'It is ****.****.****.1111. Thanks.'],
    ['dots in 4-6-5', '3782.822463.10005', '****.******.*0005'],
    ['no-break spaces', '4111\u00a01111\u00a01111\u00a01111', '****\u00a0****\u00a0****\u00a01111'],
    ['thin spaces', '4111\u20091111\u20091111\u20091111', '****\u2009****\u2009****\u20091111'],
    ['narrow no-break spaces', '4111\u202f1111\u202f1111\u202f1111', '****\u202f****\u202f****\u202f1111'],
    ['the plus of forms', 'pan=4111+1111+1111+1111&x=1', 'pan=****+****+****+1111&x=1'],
    ['hyphens of Unicode', '4111\u20101111\u20111111\u22121111', '****\u2010****\u2011****\u22121111'],
    ['full-width separators', '4111\uff0d1111\uff0d1111\uff0d1111', '****\uff0d****\uff0d****\uff0d1111'],
    ['every digit apart', '4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1', '* * * * * * * * * * * * 1 1 1 1'],
    ['pairs', '41 11 11 11 11 11 11 11', '** ** ** ** ** ** 11 11'],
    ['beside letters', 'pan4111111111111111x', 'pan************1111x'],
    ['beside underscores', 'id_4111111111111111_v', 'id_************1111_v'],
    ['between other numbers', '42 4111 1111 1111 1111 12', '42 **** **** **** 1111 12'],
    ['after a date', '2026-07-30 4111111111111111', '2026-07-30 ************1111'],
    ['two in a row', '4111111111111111 5555555555554444', '************1111 ************4444'],
    ['two in groups', '4111-1111-1111-1111 5555-5555-5555-4444', '****-****-****-1111 ****-****-****-4444'],
    ['after a longer number', '12345678901234567890 4111111111111111', '12345678901234567890 ************1111'],
    ['at the end of a line', 'a 4111111111111111\r\nb', 'a ************1111\r\nb'],
    ['in a JSON line', '{"pan":"4111111111111111"}\n', '{"pan":"************1111"}\n'],
    ['escaped in a JSON line', '{"pan":"\\u0034111111111111111"}', '{"pan":"\\u002a***********1111"}'],
    ['after an escaped letter', '"\\u5361\\u53f74111111111111111"', '"\\u5361\\u53f7************1111"'],
    ['after an escape of decimal digits', '"\\u20104111111111111111"', '"\\u2010************1111"'],
    ['after a user name', 'CORP\\u4111111111111111', 'CORP\\u************1111'],
    ['not ASCII around', 'é4111111111111111é', 'é************1111é'],
    ['integer part', '4111111111111111.25', '************1111.25'],
    ['in a word of hex digits', 'deadbeef4111111111111111', 'deadbeef************1111'],
    ['after text like a UUID', '550e8400-e29b-41d4-a716-4111111111111111', '550e8400-e29b-41d4-a716-************1111'],
  ])('masks %s', (_, input, expected) => {
    cutEverywhere(TEXT, input, expected);
  });

  const star = (count: number, written: string): string => written.repeat(count);
  const each = (write: (digit: string) => string): string => [...'4111111111111111'].map(write).join('');
  const wide = each((digit) => String.fromCharCode(0xff10 + Number(digit)));
  const arabic = each((digit) => String.fromCharCode(0x660 + Number(digit)));
  const bold = each((digit) => String.fromCodePoint(0x1d7ce + Number(digit)));

  test.each([
    ['full-width digits', wide, star(36, '*') + wide.slice(12)],
    ['Arabic digits', arabic, star(24, '*') + arabic.slice(12)],
    ['mathematical digits', bold, star(48, '*') + bold.slice(24)],
    ['digits of two scripts', `\u06f4${'1'.repeat(15)}`, '*************1111'],
    ['zero-width spaces between groups', '4111\u200b1111\u200b1111\u200b1111', '****\u200b****\u200b****\u200b1111'],
    ['a zero-width joiner beside a space', '4111\u200d 1111 1111 1111', '****\u200d **** **** 1111'],
    ['soft hyphens', '4111\u00ad1111\u00ad1111\u00ad1111', '****\u00ad****\u00ad****\u00ad1111'],
    ['after a byte order mark', '\ufeff4111111111111111', '\ufeff************1111'],
    ['keycaps', each((digit) => `${digit}\ufe0f\u20e3`), star(12, '*\ufe0f\u20e3') + star(4, '1\ufe0f\u20e3')],
    [
      'a colour for each group',
      '\u001b[31m4111\u001b[0m \u001b[1;31m1111\u001b[0m 1111 \u001b[38;5;196m1111\u001b[0m',
      '\u001b[31m****\u001b[0m \u001b[1;31m****\u001b[0m **** \u001b[38;5;196m1111\u001b[0m',
    ],
    ['a colour for one digit', '4\u001b[7m1\u001b[m11111111111111', '*\u001b[7m*\u001b[m**********1111'],
    ['erasing', '4111 1111\u001b[K 1111 1111', '**** ****\u001b[K **** 1111'],
    ['as the parameter of a sequence', '\u001b[4111111111111111m', '\u001b[************1111m'],
    ['a line that a terminal wraps after a space', '4111 1111 \r\n1111 1111', '**** **** \r\n**** 1111'],
    ['a line that a terminal wraps', '4111 1111\r\n1111 1111\r\n', '**** ****\r\n**** 1111\r\n'],
    ['encoded for a URL', each((digit) => `%3${digit}`), star(12, '%2a') + star(4, '%31')],
    ['separators encoded for a URL', '4111%201111%2d1111%2D1111', '****%20****%2d****%2D1111'],
    ['no-break spaces encoded for a URL', '4111%C2%A01111%c2%a01111%C2%A01111', '****%C2%A0****%c2%a0****%C2%A01111'],
    ['JSON in a URL', '%7B%22pan%22%3A%224111111111111111%22%7D', '%7B%22pan%22%3A%22************1111%22%7D'],
    ['a line break before, in a URL', 'a%204000000000000000006%20b', 'a%20***************0006%20b'],
    ['the beginning of a track', '%B4111111111111111^DOE/J', '%B************1111^DOE/J'],
    ['after a percent sign', "LIKE '%4111111111111111%'", "LIKE '%************1111%'"],
    ['after a percent sign, as if encoded', "LIKE '%378282246310005%'", "LIKE '%***********0005%'"],
    ['one encoded digit', '%34111111111111111', '%2a***********1111'],
    ['full-width digits in a URL', each((digit) => `%EF%BC%9${digit}`), star(36, '%2a') + star(4, '%EF%BC%91')],
    ['character references', each((digit) => `&#${48 + Number(digit)};`), star(12, '&#42;') + star(4, '&#49;')],
    ['references in hex', each((digit) => `&#x003${digit};`), star(12, '&#x002a;') + star(4, '&#x0031;')],
    ['references of separators', '4111&nbsp;1111&#160;1111&#x2009;1111', '****&nbsp;****&#160;****&#x2009;1111'],
    ['invisible references', '4111&shy;1111&#8203;1111&zwnj;1111', '****&shy;****&#8203;****&zwnj;1111'],
    ['as a reference', '&#4111111111111111;', '&#************1111;'],
    ['escaped separators of Unicode', '4111\\u20091111\\u00a01111\\u200b1111', '****\\u2009****\\u00a0****\\u200b1111'],
    ['escaped full-width digits', each((digit) => `\\uff1${digit}`), star(12, '\\u002a') + star(4, '\\uff11')],
  ])('masks %s', (_, input, expected) => {
    cutEverywhere(TEXT, input, expected);
  });

  test.each([
    ['a wrong check digit', '4111111111111112'],
    ['an unknown issuer', '1111111111111117'],
    ['a length that the issuer does not use', '41111111111111111111'],
    ['a card inside a longer run of digits', '941111111111111111110'],
    ['two separators', '4111  1111  1111  1111'],
    ['a line break', '4111 1111\n1111 1111'],
    ['numbers in lines', '4111\r\n1111\r\n1111\r\n1111\r\n'],
    ['two numbers in lines', '41111111\r\n11111111\r\n'],
    ['one dot', '4111.111111111111 41111111.11111111'],
    ['dots and spaces', '4111.1111 1111.1111'],
    ['dots after fewer digits than four', '411.111.111.111.111.1 500.180.000.009'],
    ['versions and addresses', '1.50180.0000.0009 192.168.100.200:50180 64.233.160.100 2026.0730.1200.0000'],
    ['another place on the screen', '4111 1111\u001b[2;10H 1111 1111'],
    ['an escape of another character', '4111%411111%411111%411111'],
    ['a reference of another character', '4111&#65;1111&amp;1111&lt;1111'],
    ['groups that nobody writes', '41 1111111 1111111'],
    ['numbers in a row', '4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 22 333 4444'],
    ['a UUID', '5018c400-e29b-41d4-a716-501800000009'],
    ['a digest', `sha256:${'a'.repeat(40)}4111111111111111${'b'.repeat(8)}`],
    ['a git commit', `${'a'.repeat(12)}4111111111111111${'b'.repeat(12)}`],
    ['a trace parent', `00-${'a'.repeat(8)}4111111111111111${'b'.repeat(8)}-00f067aa0ba902b7-01`],
    ['a fraction', 'ratio=0.4111111111111111 -12.4111111111111111e-05'],
    ['epochs', '1753862400 1753862400000 1753862400000000 1753862400000000000'],
    ['a timestamp', '2026-07-30 12:00:00.123456789 +0000'],
    ['an AWS account in an ARN', 'arn:aws:iam::501800000009:role/reader arn:aws-cn:s3:eu-1:501800000009:x'],
    ['an AWS account in the host of a registry', '501800000009.dkr.ecr.eu-west-1.amazonaws.com/app:1.2'],
    ['an AWS account in the path of a queue', 'https://sqs.eu-west-1.amazonaws.com/501800000009/orders'],
    ['a Google project', 'projects/501800000009/secrets/x'],
  ])('leaves %s', (_, input) => {
    cutEverywhere(TEXT, input, input);
  });
});

describe('in JSON', () => {
  test.each([
    ['a string', '{"pan":"4111111111111111"}', '{"pan":"************1111"}'],
    ['a key', '{"4111111111111111":1}', '{"************1111":1}'],
    ['a number', '{"pan":4111111111111111}', '{"pan":"**********1111"}'],
    ['a number of 12 digits', '[501800000009]', '["******0009"]'],
    ['a number of 19 digits', '[4000000000000000006]', '["*************0006"]'],
    ['a negative number', '[-4111111111111111]', '["***********1111"]'],
    ['a number with a fraction', '[4111111111111111.00]', '["*************1111"]'],
    ['a number with an exponent', '[4.111111111111111e15]', '["**************1111"]'],
    ['a number with a signed exponent', '[4.111111111111111E+15]', '["***************1111"]'],
    ['an exponent of nothing', '[4111111111111111e0]', '["************1111"]'],
    ['a number with a negative exponent', '[41111111111111110e-1]', '["**************1111"]'],
    ['a mantissa longer than a card', '[-400000000000000000600.0e-2]', '["*********************0006"]'],
    ['a mantissa longer than the card', '[5.5555555555544445e15]', '["***************4444"]'],
    ['a fraction beyond the exponent', '[4.1111111111111115e15]', '["***************1111"]'],
    [
      'what only has the name of a resourceVersion',
      '{"data":{"pan":"1","resourceVersion":"4111111111111111"}}',
      '{"data":{"pan":"1","resourceVersion":"************1111"}}',
    ],
    ['a resourceVersion of more', '{"resourceVersion":"4111111111111111x"}', '{"resourceVersion":"************1111x"}'],
    [
      'an account that is elsewhere',
      '["aws:501800000009:x","501800000009.de"]',
      '["aws:********0009:x","********0009.de"]',
    ],
    ['a number alone', '4111111111111111', '"**********1111"'],
    ['a number at a line end', '4111111111111111\n', '"**********1111"\n'],
    ['numbers in a row', '[4111111111111111,5555555555554444]', '["**********1111","**********4444"]'],
    ['numbers between spaces', '[ 4111111111111111 , 1 ]', '[ "**********1111" , 1 ]'],
    ['a string like numbers', '[", 4111111111111111 ,"]', '[", ************1111 ,"]'],
    [
      'strings like structure',
      '["[",":",4111111111111111,":4111111111111111,"]',
      '["[",":","**********1111",":************1111,"]',
    ],
    [
      'after an escaped quote',
      '["\\"",4111111111111111,"\\\\",4111111111111111]',
      '["\\"","**********1111","\\\\","**********1111"]',
    ],
    ['escapes', '["\\u0034\\u0031\\u0031\\u0031111111111111"]', '["\\u002a\\u002a\\u002a\\u002a********1111"]'],
    ['escaped separators', '["4111\\u00201111\\u002D1111\\u00201111"]', '["****\\u0020****\\u002D****\\u00201111"]'],
    ['after an escape', '["\\u00264111111111111111"]', '["\\u0026************1111"]'],
    ['after an escape of decimal digits', '["\\u41114111111111111111"]', '["\\u4111************1111"]'],
    ['after an escaped line break', '["a\\n4111111111111111\\t"]', '["a\\n************1111\\t"]'],
    ['JSON in a string', '{"a":"{\\"b\\":\\"4111 1111 1111 1111\\"}"}', '{"a":"{\\"b\\":\\"**** **** **** 1111\\"}"}'],
    [
      'a card in three levels of JSON',
      '["[\\"[\\\\\\"\\\\\\\\u0034111111111111111\\\\\\"]\\"]"]',
      '["[\\"[\\\\\\"\\\\\\\\u002a***********1111\\\\\\"]\\"]"]',
    ],
    [
      'full-width escapes',
      '["\\uff14\\uff11\\uff11\\uff11111111111111"]',
      '["\\u002a\\u002a\\u002a\\u002a********1111"]',
    ],
    [
      'escaped no-break spaces',
      '["4111\\u00a01111\\u00A01111\\u00a01111"]',
      '["****\\u00a0****\\u00A0****\\u00a01111"]',
    ],
    ['colours', '["\\u001b[31m4111 1111\\u001b[0m 1111 1111"]', '["\\u001b[31m**** ****\\u001b[0m **** 1111"]'],
    [
      'character references, their ampersands escaped',
      '["4111\\u0026nbsp;1111\\u0026#160;1111 \\u0026#49;111"]',
      '["****\\u0026nbsp;****\\u0026#160;**** \\u0026#49;111"]',
    ],
    [
      'escapes of characters that are two in UTF-16',
      '["\\ud835\\udfd2\\ud835\\udfcf11111111111111"]',
      '["\\u002a\\u002a\\u002a\\u002a**********1111"]',
    ],
    ['references of digits', '["\\u0026#52;111111111111111"]', '["\\u0026#42;***********1111"]'],
    [
      'a URL',
      '["https://example.com/?pan=4111%201111%201111%201111"]',
      '["https://example.com/?pan=****%20****%20****%201111"]',
    ],
    ['a number of JSON in a string', '{"a":"{\\"b\\":4111111111111111}"}', '{"a":"{\\"b\\":************1111}"}'],
    [
      'an escape of JSON in a string',
      '["{\\"a\\":\\"\\\\u0034111111111111111\\"}"]',
      '["{\\"a\\":\\"\\\\u002a***********1111\\"}"]',
    ],
    ['after an escape of JSON in a string', '["\\\\u00264111111111111111"]', '["\\\\u0026************1111"]'],
    [
      'objects in a row',
      '{"a":4111111111111111}\n{"a":"4111111111111111"}\n',
      '{"a":"**********1111"}\n{"a":"************1111"}\n',
    ],
    [
      'groups that are no JSON',
      '[4111 1111 1111 1111, 4111-1111-1111-1111]',
      '[**** **** **** 1111, ****-****-****-1111]',
    ],
  ])('masks %s', (_, input, expected) => {
    cutEverywhere(JSON_, input, expected);
  });

  test.each([
    [
      'the resourceVersion of an object',
      '{"metadata":{"name":"a","uid":"9e3779b1-5f1c-4c7e-9a53-09e552417d13","resourceVersion":"4111111111111111"}}',
    ],
    ['the resourceVersion of a custom object', '{"metadata":{"namespace":"a","resourceVersion":"4111111111111111"}}'],
    ['the resourceVersion of a list', '{"kind":"PodList","metadata":{"resourceVersion":"4111111111111111"}}'],
    [
      'the resourceVersion of a list that goes on',
      '{"metadata":{"continue":"eyJ2IjoibWV0YS5rOHMuaW8vdjEi","remainingItemCount":5,"resourceVersion":"4111111111111111"}}',
    ],
    ['the resourceVersion of a reference', '{"apiVersion":"v1","resourceVersion":"4111111111111111"}'],
    [
      'one that is laid out for people',
      '{\n  "metadata": {\n    "uid": "1",\n    "resourceVersion": "4111111111111111"\n',
    ],
    ['counters of the kubelet', '{"usageCoreNanoSeconds":4111111111111111,"availableBytes": 4222222222222}'],
    ['an ARN', '{"eks.amazonaws.com/role-arn":"arn:aws:iam::501800000009:role/reader"}'],
    ['an escape that is a letter', '["\\u4111111111111111"]'],
    ['the fraction of a number', '[0.4111111111111111,12.5018000000090,1.4111111111111111e3]'],
    ['numbers side by side', '[4111,1111,1111,1111]'],
    ['a UUID', '{"uid":"5018c400-e29b-41d4-a716-501800000009"}'],
  ])('leaves %s', (_, input) => {
    cutEverywhere(JSON_, input, input);
  });

  test('keeps a number valid that is too long to wait for its end', () => {
    const zeros = '0'.repeat(200);
    const expected = `[1000000000000000.${zeros},"**********1111"]`;
    cutEverywhere(JSON_, `[4111111111111111.${zeros},4111111111111111]`, expected);
    expect(JSON.parse(expected)).toEqual([1e15, '**********1111']);
  });

  test('masks a card in a word that is too long to wait for its end', () => {
    const letters = 'a'.repeat(300);
    cutEverywhere(JSON_, `["4111111111111111${letters}"]`, `["************1111${letters}"]`);
  });
});

describe('in base64', () => {
  test.each([
    ['a number', '4111111111111111', '************1111'],
    ['no-break spaces', 'card: 4111\u00a01111\u00a01111\u00a01111;', 'card: ****\u00a0****\u00a0****\u00a01111;'],
    ['a URL', 'a=4111%201111%201111%201111', 'a=****%20****%20****%201111'],
    ['groups', 'card: 4111-1111-1111-1111;', 'card: ****-****-****-1111;'],
    ['one byte before', 'x4111111111111111', 'x************1111'],
    ['two bytes before', 'xx4111111111111111', 'xx************1111'],
    ['JSON', '{"pan":"\\u0034111111111111111"}', '{"pan":"\\u002a***********1111"}'],
    ['two', '4111111111111111 and 5555555555554444.', '************1111 and ************4444.'],
  ])('masks %s', (_, plain, expected) => {
    const secret = (value: string): string =>
      JSON.stringify({kind: 'Secret', data: {value: base64(value), other: 'Zm9v'}});
    cutEverywhere(SECRET, secret(plain), secret(expected));
  });

  test('masks a value in the annotation that kubectl keeps', () => {
    const annotation = (value: string): string =>
      JSON.stringify({last: JSON.stringify({data: {value: base64(value)}})});
    cutEverywhere(SECRET, annotation('4111111111111111'), annotation('************1111'));
  });

  test('leaves the resourceVersion in the token with which a list goes on', () => {
    const token = base64('{"v":"meta.k8s.io/v1","rv":4111111111111111,"start":"4111111111111111"}');
    const expected = base64('{"v":"meta.k8s.io/v1","rv":4111111111111111,"start":"************1111"}');
    cutEverywhere(SECRET, `{"metadata":{"continue":"${token}"}}`, `{"metadata":{"continue":"${expected}"}}`);
  });

  test('masks what is not in base64 too', () => {
    cutEverywhere(
      SECRET,
      '{"a":"4111111111111111","b":4111111111111111}',
      '{"a":"************1111","b":"**********1111"}',
    );
  });

  test('leaves the bits that padding leaves unused as they are', () => {
    cutEverywhere(SECRET, '["NDExMTExMTExMTExMTExMR=="]', '["KioqKioqKioqKioqMTExMR=="]');
  });

  test('masks in a value of a megabyte, cut anywhere', () => {
    const filler = Buffer.alloc(500_000, 'The quick brown fox.\n').toString();
    const secret = (card: string): string =>
      JSON.stringify({data: {value: base64(`${filler}${card}${filler}${card}`)}});
    const cuts = Array.from({length: 60}, (_, index) => (index + 1) * 16_411);
    expect(
      maskedInChunks(SECRET, Buffer.from(secret('4111 1111 1111 1111')), cuts) === secret('**** **** **** 1111'),
    ).toBe(true);
  });

  test('is left alone where it was not asked for', () => {
    const input = JSON.stringify({data: base64('4111111111111111')});
    cutEverywhere(JSON_, input, input);
  });
});

describe('holding back', () => {
  /** The bytes emitted after a push of these chunks, without an end. */
  function emitted(options: MaskerOptions, chunks: readonly string[]): string {
    const masker = createMasker(options);
    let out = '';
    for (const chunk of chunks) {
      masker.push(Buffer.from(chunk), (bytes) => {
        out += bytes.toString();
      });
    }
    return out;
  }

  test.each([
    ['nothing of words', ['hello'], 'hello'],
    ['digits that can be a card', ['a 4111'], 'a '],
    ['not what no issuer begins with', ['a 1234'], 'a 1234'],
    ['until a byte that no card has', ['a 4111', 'x'], 'a 4111x'],
    ['over a separator', ['a 4111 ', '11'], 'a '],
    ['until two separators', ['a 4111 ', ' '], 'a 4111  '],
    ['until the line ends', ['$ 4', '\n'], '$ 4\n'],
    ['over a dot', ['a 4111.', '11'], 'a '],
    ['not a dot that can end a fraction', ['a 4.', '11'], 'a 4.11'],
    ['the first bytes of a character', ['a\u00e9 4111\u2009'], 'a\u00e9 '],
    ['not characters of no card', ['a 4111\u4e2d'], 'a 4111\u4e2d'],
    ['a percent sign', ['a%'], 'a'],
    ['not an encoded letter', ['a%41x'], 'a%41x'],
    ['an ampersand', ['a&nb'], 'a'],
    ['not a reference of something else', ['a&am'], 'a&am'],
    ['not a run that is longer than a card', ['41111111111111111111'], '41111111111111111111'],
    ['not groups that nobody writes', ['41 1111'], '41 1111'],
    ['a whole card that can be a longer one', ['4111111111111111'], ''],
    ['a card whose digits end', ['4111111111111111 x'], '************1111 x'],
    ['an escape', ['a\\u00'], 'a'],
    ['not an escape of something else', ['a\\u00e'], 'a\\u00e'],
  ])('%s', (_, chunks, expected) => {
    expect(emitted(TEXT, chunks)).toBe(expected);
  });

  test.each([
    ['the sign of a number', ['[-'], '['],
    ['not a hyphen in a string', ['["a-'], '["a-'],
    ['the digit before a fraction', ['[4.1'], '['],
    ['not a number that cannot be a card', ['[0.'], '[0.'],
    ['not a dot in a string', ['["4.'], '["4.'],
  ])('in JSON: %s', (_, chunks, expected) => {
    expect(emitted(JSON_, chunks)).toBe(expected);
  });

  test('passes a large chunk on without a copy', () => {
    const chunk = Buffer.from(`${'x'.repeat(100_000)}4111111111111111${'x'.repeat(100_000)}`);
    const out: Buffer[] = [];
    createMasker(TEXT).push(chunk, (bytes) => out.push(bytes));
    expect(out).toEqual([chunk]);
    expect(out[0]).toBe(chunk);
    expect(chunk.includes('x************1111x')).toBe(true);
  });

  test('never exceeds a kilobyte, whatever comes', () => {
    const worst = [
      '\\\\u0034\\\\u002d'.repeat(400),
      '4'.repeat(5000),
      '4 '.repeat(5000),
      '4111 '.repeat(2000),
      `4111111111111111${'a-'.repeat(3000)}`,
      `{"a":-4111111111111111.${'1'.repeat(3000)}`,
      '\\'.repeat(5001),
      `4111${'\u200b'.repeat(2000)}`,
      '4\u001b[38;5;196m'.repeat(500),
      '%34%2d'.repeat(1000),
      '\\\\\\\\\\\\\\\\u0034\\\\\\\\\\\\\\\\u2009'.repeat(300),
      '&#000052;&thinsp;'.repeat(300),
      base64('4 '.repeat(3000)),
    ];
    for (const options of [TEXT, JSON_, SECRET]) {
      for (const input of worst) {
        const masker = createMasker(options);
        let held = 0;
        let mostHeld = 0;
        for (const byte of Buffer.from(input)) {
          held++;
          masker.push(Buffer.of(byte), (bytes) => {
            held -= bytes.length;
          });
          mostHeld = Math.max(mostHeld, held);
        }
        expect(mostHeld).toBeLessThanOrEqual(1024);
      }
    }
  });
});

test('counts what it masks, and no digit of it, where the counts were taken before', () => {
  const masker = createMasker(SECRET);
  const {counts} = masker;
  masker.push(
    Buffer.from(`{"a":"4111111111111111","b":[5555555555554444,1],"c":"${base64('378282246310005')}"}`),
    () => {},
  );
  masker.end(() => {});
  expect(maskedValues(counts)).toEqual({PAN: 3});
  expect(counts.fields).toEqual({PAN: new Map(['a', 'b', 'c'].map((name) => [name, 1]))});
});

test('takes another stream after the end of one', () => {
  const masker = createMasker(JSON_);
  const out: string[] = [];
  const emit = (bytes: Buffer): number => out.push(bytes.toString());
  masker.push(Buffer.from('{"a":"open 4111'), emit);
  masker.end(emit);
  masker.push(Buffer.from('4111111111111111'), emit);
  masker.end(emit);
  expect(out.join('')).toBe('{"a":"open 4111"**********1111"');
});

test('refuses to go on after a failure, so that nothing unmasked can follow', () => {
  for (const options of [TEXT, JSON_, SECRET]) {
    const masker = createMasker(options);
    const broken = (): never => {
      throw new Error('socket closed');
    };
    expect(() => masker.push(Buffer.from('some bytes '), broken)).toThrow('socket closed');
    expect(() => masker.push(Buffer.from('more'), () => {})).toThrow(
      expect.objectContaining({name: 'MaskError', code: 'UsedAfterFailure'}),
    );
  }
});

describe('maskText', () => {
  test.each([
    ['', ''],
    ['no digits', 'no digits'],
    ['pods/web-7d4b9c8f5d-x2x9z', 'pods/web-7d4b9c8f5d-x2x9z'],
    ['pay 4111 1111 1111 1111 né', 'pay **** **** **** 1111 né'],
    ['lone \ud800 surrogate 123456789012', 'lone \ud800 surrogate 123456789012'],
  ])('%j', (input, expected) => {
    expect(maskText(input)).toBe(expected);
  });
});
