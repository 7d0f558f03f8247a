import {describe, expect, test} from '@jest/globals';
import type {PanShow} from '../../core/mask/plan.ts';
import {CARD_KINDS, cardPair} from './cards.ts';
import {mask} from './engine.ts';
import {PLACES} from './places.ts';
import {Random} from './random.ts';
import {reference} from './reference.ts';

interface Planted {
  readonly card: string;
  readonly run: string;
  readonly random: Random;
}

/** A card among other digits, more than any card has together. */
function plant(seed: number): Planted {
  const random = new Random(seed);
  const {one} = cardPair(random, random.pick(CARD_KINDS));
  const before = random.integer(0, 20);
  const after = random.integer(Math.max(0, 20 - before - one.length), 20);
  return {
    card: one,
    run: `${random.digits(before).replace(/^0/, '9')}${one}${random.digits(after)}`,
    random: new Random(seed),
  };
}

describe.each<PanShow>(['None', 'LastFour', 'FirstSixLastFour'])('cards in long runs of digits, shown %s', (show) => {
  const cards = {show, longDigitRuns: true};
  // What is in gzip packs otherwise, and where it does not fit more of it is hidden.
  const places = PLACES.filter(({unpack}) => unpack === undefined);

  test('are hidden wherever the run stands, with all that may be one as well', () => {
    for (const [index, place] of places.entries()) {
      for (let seed = index * 20; seed < index * 20 + 20; seed++) {
        const {card, run, random} = plant(seed);
        const isNumber = place.takes === 'jsonNumber';
        const hidden = isNumber
          ? `"${'*'.repeat(run.length - 2)}"`
          : reference('text', run, {show, longDigitRuns: true});
        const render = (digits: string): string => place.render(new Random(seed), digits);
        const document = Buffer.from(render(run));
        const expected = render(hidden);
        expect(hidden).not.toContain(card);
        expect([place.name, mask(place, document, [], cards).bytes.toString()]).toEqual([place.name, expected]);
        const cuts = Array.from({length: 6}, () => random.integer(0, document.length)).sort((a, b) => a - b);
        expect(mask(place, document, cuts, cards).bytes.toString()).toBe(expected);
      }
    }
  });

  test('are left where policy does not ask for them', () => {
    for (const [index, place] of places.entries()) {
      const {run} = plant(index);
      const document = place.render(new Random(index), run);
      expect(mask(place, Buffer.from(document), [], {show}).bytes.toString()).toBe(document);
    }
  });
});
