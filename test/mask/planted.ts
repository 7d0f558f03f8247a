import type {PanShow} from '../../core/mask/plan.ts';
import {AUTHENTICATION_DATA, type AuthenticationData} from './authentication.ts';
import {CARD_KINDS, type CardKind, cardPair} from './cards.ts';
import type {Span} from './harm.ts';
import {around, goString, PLACES, type Place} from './places.ts';
import {Random} from './random.ts';
import {WRITINGS, type Writing} from './writings.ts';

/** A document with something in it that must be hidden, and what it would be with something else in its place. */
export interface Planted {
  /** What was planted and where, for people. */
  readonly name: string;
  /** The name of the way to write, or of the authentication data. */
  readonly what: string;
  readonly place: Place;
  readonly document: Buffer;
  /**
   * The same but for the digits that must be hidden. Where nothing shows, nobody can tell the masked documents apart:
   * that is the whole of the test, and it asks for no format of masks.
   */
  readonly twin: Buffer;
  /** The bytes in which it was planted, and some around it, in what can be read of the document. */
  readonly span: Span;
}

interface Pair {
  readonly one: string;
  readonly other: string;
}

type Kind = Pick<Planted, 'what'> & {readonly detail: string};

function planted({what, detail}: Kind, place: Place, seed: number, {one, other}: Pair): Planted {
  const render = (sensitive: string): Buffer => Buffer.from(place.render(new Random(seed), sensitive));
  const document = render(one);
  const [read, empty] = [readable(place, document), readable(place, render(''))];
  return {
    name: `${what} in ${place.name} (${detail}, seed ${seed})`,
    what,
    place,
    document,
    twin: render(other),
    span: {from: commonStart(read, empty), to: read.length - commonEnd(read, empty)},
  };
}

/** What can be read of a document, masked or not. */
export function readable({unpack}: Place, document: Buffer): Buffer {
  return unpack === undefined ? document : Buffer.from(unpack(document.toString()));
}

/** As far as base64 lets see it: a character of it belongs to two bytes. */
function commonStart(one: Buffer, other: Buffer): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  return at - 4;
}

function commonEnd(one: Buffer, other: Buffer): number {
  let bytes = 0;
  while (bytes < other.length && one.at(-1 - bytes) === other.at(-1 - bytes)) bytes++;
  return bytes - 4;
}

function cardIn(place: Place, writing: Writing, kind: CardKind, seed: number, show?: PanShow): Planted {
  const random = new Random(seed);
  const pair = cardPair(random, kind, show);
  const bare = place.name === 'nothing else' || place.takes !== 'text';
  const write = (digits: string): string => {
    const written = writing.write(digits);
    return bare ? written : around(new Random(seed), written);
  };
  // Escapes of its own are written into a string as they are; other text as a JSON encoder writes it.
  const put = (digits: string): string => {
    if (place.takes === 'jsonString' && writing.within === 'text') return goString(write(digits)).slice(1, -1);
    return write(digits);
  };
  const {name: what} = writing;
  return planted({what, detail: `${kind.brand} ${kind.length}`}, place, seed, {
    one: put(pair.one),
    other: put(pair.other),
  });
}

const TERMINALS: ReadonlySet<string> = new Set(['nothing else', 'a terminal', 'a line of a log']);

function fits(place: Place, writing: Writing): boolean {
  if (writing.within === 'terminal') return TERMINALS.has(place.name);
  if (writing.within === 'text') return place.takes !== 'jsonNumber';
  return place.takes === writing.within;
}

/** Each way of writing in each place it can stand in, each brand and length in each way of writing, and more at random. */
export function plantedCards(perPair = 1, show?: PanShow): Planted[] {
  const found: Planted[] = [];
  let seed = 1;
  for (const writing of WRITINGS) {
    const places = PLACES.filter((place) => fits(place, writing));
    for (const place of places) {
      for (let more = 0; more < perPair; more++) {
        const random = new Random(seed);
        found.push(cardIn(place, writing, random.pick(CARD_KINDS), seed++, show));
      }
    }
    for (const kind of CARD_KINDS) found.push(cardIn(new Random(seed).pick(places), writing, kind, seed++, show));
  }
  return found;
}

/** Any card in any place, in any way of writing that can stand there. */
export function anyCard(seed: number, show?: PanShow): Planted {
  const random = new Random(seed);
  const writing = random.pick(WRITINGS);
  const place = random.pick(PLACES.filter((each) => fits(each, writing)));
  return cardIn(place, writing, random.pick(CARD_KINDS), seed, show);
}

/** Any card as it may stand among others in text: what it is written as, and the same of its twin. */
export function anyCardInText(seed: number): {readonly what: string; readonly one: string; readonly other: string} {
  const random = new Random(seed);
  const writing = random.pick(WRITINGS.filter(({within}) => within === 'text'));
  const {one, other} = cardPair(random, random.pick(CARD_KINDS));
  return {what: writing.name, one: writing.write(one), other: writing.write(other)};
}

export function plantedAuthenticationData(perPair = 1): Planted[] {
  const found: Planted[] = [];
  let seed = 1_000_001;
  for (const data of AUTHENTICATION_DATA) {
    for (const place of placesOf(data)) {
      for (let more = 0; more < perPair; more++) found.push(dataIn(place, data, seed++));
    }
  }
  return found;
}

/** Any of it in any place that it can stand in. */
export function anyAuthenticationData(seed: number): Planted {
  const random = new Random(seed);
  const data = random.pick(AUTHENTICATION_DATA);
  return dataIn(random.pick(placesOf(data)), data, seed);
}

function placesOf(data: AuthenticationData): readonly Place[] {
  switch (data.takes) {
    case 'text':
      return PLACES.filter(({takes}) => takes === 'text');
    case 'jsonString':
      return PLACES.filter(({takes}) => takes === 'jsonString');
    case 'jsonMember':
      return MEMBER_PLACES;
  }
}

function dataIn(place: Place, data: AuthenticationData, seed: number): Planted {
  const {name: what, detector} = data;
  return planted({what, detail: detector}, place, seed, data.pair(new Random(seed)));
}

/** Where a member of an object stands. */
const MEMBER_PLACES: readonly Place[] = [
  {
    name: 'an object',
    mediaType: 'json',
    takes: 'text',
    render: (random, member) =>
      `{"kind":"Payment","spec":{"amount":${random.integer(1, 999)},${member},"currency":"EUR"}}`,
  },
  {
    name: 'an object, last',
    mediaType: 'json',
    takes: 'text',
    render: (random, member) => `{"kind":"Payment","spec":{"amount":${random.integer(1, 999)}, ${member}}}`,
  },
  {
    name: 'an object in a string',
    mediaType: 'json',
    takes: 'text',
    render: (random, member) =>
      `{"kind":"ConfigMap","data":{"a":${goString(`{"n":${random.integer(1, 999)},${member},"c":1}`)}}}`,
  },
  {
    name: 'an object in a log',
    mediaType: 'text',
    takes: 'text',
    render: (random, member) => `INFO order ${random.integer(1, 999)} {"a":1,${member}} accepted\n`,
  },
];
