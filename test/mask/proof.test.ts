import {describe, expect, test} from '@jest/globals';
import {CARD_FREE} from './cardfree.ts';
import {mask} from './engine.ts';
import {gapOf} from './gaps.ts';
import {harmDone} from './harm.ts';
import {isHidden} from './hidden.ts';
import {type Planted, plantedAuthenticationData, plantedCards, readable} from './planted.ts';
import {Random} from './random.ts';
import {expectSameShape} from './shape.ts';

const known = (planted: readonly Planted[]): Planted[] => planted.filter((each) => gapOf(each) === undefined);
const cards = known(plantedCards());
const authenticationData = known(plantedAuthenticationData());
const cardFree = CARD_FREE.flatMap((kind) =>
  Array.from({length: 40}, (_, seed) => ({kind, seed, document: Buffer.from(kind.render(new Random(seed)))})),
);

describe('what must be hidden', () => {
  test('no card shows, however it is written and wherever it stands', () => {
    expect(cards.length).toBeGreaterThan(5000);
    expect(cards.filter((each) => !isHidden(each)).map(({name}) => name)).toEqual([]);
  });

  test('no stripe, verification code or PIN block shows', () => {
    expect(authenticationData.filter((each) => !isHidden(each)).map(({name}) => name)).toEqual([]);
  });

  test('is counted', () => {
    const uncounted = [...cards, ...authenticationData].filter(
      ({place, document}) => mask(place, document).count === 0,
    );
    expect(uncounted.map(({name}) => name)).toEqual([]);
  });

  test('is all that is changed, and not a byte is added or taken away', () => {
    const harmed = [...cards, ...authenticationData].flatMap(({name, place, document, span}) =>
      harmDone(readable(place, document), readable(place, mask(place, document).bytes), {planted: span}).map(
        (harm) => `${name}: ${harm}`,
      ),
    );
    expect(harmed).toEqual([]);
  });

  test('leaves nothing that masking once more would change', () => {
    const changed = [...cards, ...authenticationData].filter(({place, document}) => {
      const once = mask(place, document).bytes;
      return !mask(place, once).bytes.equals(once);
    });
    expect(changed.map(({name}) => name)).toEqual([]);
  });
});

describe('what is no card', () => {
  test('stays as it is to the byte, but for what is a card number by chance', () => {
    expect(cardFree.length).toBeGreaterThan(1000);
    const harmed = cardFree.flatMap(({kind, seed, document}) =>
      harmDone(document, mask(kind, document).bytes, {mayBeCard: kind.neverCard !== true}).map(
        (harm) => `${kind.name} (seed ${seed}): ${harm}`,
      ),
    );
    expect(harmed).toEqual([]);
  });

  test('is hardly ever a card number by chance', () => {
    const changed = cardFree.filter(({kind, document}) => mask(kind, document).count > 0);
    expect(changed.length).toBeLessThan(cardFree.length / 100);
  });
});

describe('JSON', () => {
  test('parses as before, with the same members and types but for numbers that became strings', () => {
    for (const {name, place, document} of [...cards, ...authenticationData]) {
      if (place.mediaType !== 'json') continue;
      expectSameShape(name, document, mask(place, document).bytes);
    }
  });
});

describe('cut anywhere', () => {
  /** Every so many documents, and of each every place to cut. */
  const sampled = [
    ...[...cards, ...authenticationData].filter((_, index) => index % 61 === 0),
    ...cardFree.filter(({seed}) => seed === 0).map(({kind, document}) => ({name: kind.name, place: kind, document})),
  ].filter(({document}) => document.length < 6000);

  test('in two, a document comes out the same', () => {
    expect(sampled.length).toBeGreaterThan(100);
    for (const {name, place, document} of sampled) {
      const whole = mask(place, document).bytes;
      for (let at = 1; at < document.length; at++) {
        if (!mask(place, document, [at]).bytes.equals(whole))
          throw new Error(`${name}: not the same when cut at ${at}`);
      }
    }
  }, 60_000);

  test('between any two bytes, a document comes out the same', () => {
    for (const {name, place, document} of sampled) {
      const everywhere = Array.from({length: document.length}, (_, at) => at);
      expect([name, mask(place, document, everywhere).bytes.toString('latin1')]).toEqual([
        name,
        mask(place, document).bytes.toString('latin1'),
      ]);
    }
  });
});
