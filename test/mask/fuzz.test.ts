import {gzipSync} from 'node:zlib';
import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {CARD_FREE} from './cardfree.ts';
import {type CardOptions, mask, maskOrRefuse} from './engine.ts';
import {gapOf, isGap, isHarmGap, isSplitGap} from './gaps.ts';
import {harmDone} from './harm.ts';
import {isHidden} from './hidden.ts';
import type {DocumentKind} from './places.ts';
import {anyAuthenticationData, anyCard, anyCardInText} from './planted.ts';
import {Random} from './random.ts';
import {WRITINGS} from './writings.ts';

/** For all of it together: `make fuzz` gives it more. */
const seconds = Number(process.env.LOCKKEEPER_FUZZ_SECONDS ?? '30');
const properties = 4;
const timeMilliseconds = (seconds * 1000) / properties;

function hold<T extends [unknown, ...unknown[]]>(property: fc.IProperty<T>): void {
  fc.assert(property, {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: timeMilliseconds,
    // Time is up, with nothing found.
    markInterruptAsFailure: false,
  });
}

const seed = fc.integer({min: 0, max: 0x7fffffff});
const cutPlaces = fc.array(fc.nat(4000), {maxLength: 30});
const within = (places: readonly number[], length: number): number[] =>
  places.map((place) => (length === 0 ? 0 : place % (length + 1))).sort((a, b) => a - b);

const kinds: fc.Arbitrary<DocumentKind> = fc.constantFrom<DocumentKind>(
  {mediaType: 'json'},
  {mediaType: 'text'},
  {mediaType: 'json', secret: true},
  {mediaType: 'text', decodeBase64: true},
);

/** Mostly what most policies say. */
const cardOptions: fc.Arbitrary<CardOptions | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.record({show: fc.constantFrom('None', 'LastFour', 'FirstSixLastFour'), longDigitRuns: fc.boolean()}),
);

/** Pieces of all that means something to the engine. */
const pieces = fc.constantFrom(
  ...[
    '4111111111111111',
    '5018',
    '4111',
    '1111',
    '6',
    '3',
    '0',
    ' ',
    '-',
    '.',
    ',',
    ':',
    ';',
    '=',
    '^',
    '%',
    '%B',
    '?',
  ],
  ...['"', '\\"', '\\', '\\\\', '\\u00', '\\u0034', '\\u2009', '\\ud835', '\\udfce', '{', '}', '[', ']', '\n', '\r\n'],
  ...[
    '\u001b[',
    'm',
    '\u001b[0m',
    '%3',
    '%20',
    '%C2',
    '&#',
    '0000000',
    '&#52;',
    '&nbsp;',
    '\u00a0',
    '\u200b',
    '\uff14',
    'e',
    'E+15',
  ],
  ...[
    'cvv',
    '"cvv":',
    '"binaryData":{',
    'H4sI',
    'SDRzSUFBQUFBQUFD',
    'pin',
    'D',
    'NDEx',
    'MTEx',
    '==',
    '+',
    '/',
    'a',
    'f',
    '_',
    'resourceVersion',
    '"data":',
    'arn:aws:',
  ],
  ...WRITINGS.map(({write}) => write('4012888888881881')),
);

const documents = fc.oneof(
  fc.array(pieces, {maxLength: 60}).map((all) => Buffer.from(all.join(''))),
  fc.uint8Array({maxLength: 600}).map((bytes) => Buffer.from(bytes)),
  fc
    .array(
      fc.oneof(
        pieces.map((piece) => Buffer.from(piece)),
        fc.uint8Array({maxLength: 6}).map((bytes) => Buffer.from(bytes)),
      ),
      {
        maxLength: 40,
      },
    )
    .map((all) => Buffer.concat(all)),
);

/** JSON of such pieces, in every place that JSON has. */
const jsonDocuments = fc
  .array(
    fc.tuple(
      fc.array(pieces, {maxLength: 12}).map((all) => JSON.stringify(all.join(''))),
      fc.oneof(
        fc.array(pieces, {maxLength: 12}).map((all) => JSON.stringify(all.join(''))),
        fc.array(pieces, {maxLength: 8}).map((all) => JSON.stringify(JSON.stringify({a: all.join('')}))),
        fc.array(pieces, {maxLength: 8}).map((all) => JSON.stringify(Buffer.from(all.join('')).toString('base64'))),
        fc.array(pieces, {maxLength: 8}).map((all) => {
          const packed = gzipSync(all.join('')).toString('base64');
          return `{"binaryData":{"a":"${packed}","b":"${Buffer.from(packed).toString('base64')}"},"c":"d"}`;
        }),
        fc.constantFrom(
          '4012888888881881',
          '-4012888888881881.50',
          '4.012888888881881e+15',
          '[4012888888881881,1]',
          'null',
        ),
      ),
      fc.constantFrom(',', ', ', ',\n  '),
    ),
    {minLength: 1, maxLength: 8},
  )
  .map((members) => {
    const text = members.map(([name, value, separator]) => `${name}:${value}${separator}`).join('');
    return Buffer.from(`{${text.replace(/,\s*$/, '')}}`);
  });

test(
  'any bytes come out at the same length, and the same however they are cut',
  () => {
    hold(
      fc.property(
        kinds,
        fc.oneof(documents, jsonDocuments),
        cutPlaces,
        cardOptions,
        (kind, document, places, cards) => {
          fc.pre(!isSplitGap(kind, document));
          const whole = maskOrRefuse(kind, document, [], cards);
          const cut = maskOrRefuse(kind, document, within(places, document.length), cards);
          if (typeof whole === 'string' || typeof cut === 'string') {
            expect(cut).toBe(whole);
            return;
          }
          expect(whole.bytes).toHaveLength(document.length);
          expect(cut.bytes.toString('latin1')).toBe(whole.bytes.toString('latin1'));
        },
      ),
    );
  },
  timeMilliseconds + 60_000,
);

const anyPlanted = fc.oneof(
  seed.map((from) => ({planted: anyCard(from), cards: undefined})),
  seed.map((from) => ({planted: anyAuthenticationData(from), cards: undefined})),
  fc.tuple(seed, fc.constantFrom('None' as const, 'FirstSixLastFour' as const)).map(([from, show]) => ({
    planted: anyCard(from, show),
    cards: {show},
  })),
);

test(
  'a planted card, stripe or code does not show, nor where its document is cut',
  () => {
    hold(
      fc.property(anyPlanted, cutPlaces, ({planted, cards}, places) => {
        fc.pre(gapOf(planted) === undefined);
        const {place, document, name} = planted;
        // Of gzip that does not fit more is hidden, and of a card and its twin one may fit.
        fc.pre(cards === undefined || place.unpack === undefined);
        expect([name, cards, isHidden(planted, cards)]).toEqual([name, cards, true]);
        const cut = mask(place, document, within(places, document.length), cards).bytes.toString('latin1');
        expect([name, cut]).toEqual([name, mask(place, document, [], cards).bytes.toString('latin1')]);
      }),
    );
  },
  timeMilliseconds + 60_000,
);

test(
  'cards among words do not show, and masking once more changes nothing',
  () => {
    const word = fc.constantFrom(
      'and',
      'paid',
      '12.50 EUR',
      'order 7',
      '{"a":1}',
      '2026-03-02',
      '%',
      '\u00e9',
      '#4',
      'x_',
    );
    hold(
      fc.property(fc.array(fc.tuple(word, seed), {minLength: 1, maxLength: 8}), (parts) => {
        const cards = parts.map(([before, from]) => ({before, ...anyCardInText(from)}));
        fc.pre(cards.every(({what}) => !isGap(what)));
        const [one, other] = (['one', 'other'] as const).map((side) => {
          const text = cards.map((card) => `${card.before}, ${card[side]}, `).join('');
          return mask({mediaType: 'text'}, Buffer.from(text)).bytes.toString('latin1');
        });
        expect(one).toBe(other);
        expect(mask({mediaType: 'text'}, Buffer.from(one as string, 'latin1')).bytes.toString('latin1')).toBe(one);
      }),
    );
  },
  timeMilliseconds + 60_000,
);

test(
  'what is no card stays as it is, but for what is a card number by chance',
  () => {
    hold(
      fc.property(fc.constantFrom(...CARD_FREE), seed, (kind, from) => {
        const document = Buffer.from(kind.render(new Random(from)));
        fc.pre(!isHarmGap(document));
        const {bytes} = mask(kind, document);
        expect([kind.name, harmDone(document, bytes, {mayBeCard: kind.neverCard !== true})]).toEqual([kind.name, []]);
      }),
    );
  },
  timeMilliseconds + 60_000,
);
