import {describe, expect, test} from '@jest/globals';
import {CARD_FREE} from './cardfree.ts';
import {type CardOptions, mask} from './engine.ts';
import {gapOf} from './gaps.ts';
import {harmDone} from './harm.ts';
import {isHidden} from './hidden.ts';
import {type Planted, plantedCards, readable} from './planted.ts';
import {Random} from './random.ts';
import {expectSameShape} from './shape.ts';

const options: readonly CardOptions[] = [
  {show: 'None'},
  {show: 'FirstSixLastFour'},
  {show: 'None', longDigitRuns: true},
  {show: 'LastFour', longDigitRuns: true},
  {show: 'FirstSixLastFour', longDigitRuns: true},
];

describe.each(options)('cards with %j', (cards) => {
  const some = plantedCards(1, cards.show as 'None')
    .filter((each) => gapOf(each) === undefined)
    .filter((_, index) => index % 3 === 0);
  const masked = ({place, document}: Planted, cuts: readonly number[] = []) => mask(place, document, cuts, cards);

  test('do not show, but for what may', () => {
    expect(some.length).toBeGreaterThan(1500);
    // Of gzip that does not fit more is hidden, and of a card and its twin one may fit.
    const plain = some.filter(({place}) => place.unpack === undefined);
    expect(plain.filter((each) => !isHidden(each, cards)).map(({name}) => name)).toEqual([]);
  });

  test('are counted, and are all that is changed', () => {
    for (const each of some) {
      const {bytes, count} = masked(each);
      const [before, after] = [each.document, bytes].map((document) => readable(each.place, document));
      expect([each.name, count > 0, harmDone(before as Buffer, after as Buffer, {planted: each.span})]).toEqual([
        each.name,
        true,
        [],
      ]);
      if (each.place.mediaType === 'json') expectSameShape(each.name, each.document, bytes);
    }
  });

  test('come out the same when cut anywhere', () => {
    for (const each of some.filter(({document}, index) => index % 40 === 0 && document.length < 3000)) {
      const whole = masked(each).bytes;
      for (let at = 1; at < each.document.length; at++) {
        if (!masked(each, [at]).bytes.equals(whole)) throw new Error(`${each.name}: not the same when cut at ${at}`);
      }
    }
  }, 60_000);

  test('are not found where there are none', () => {
    for (const kind of CARD_FREE) {
      const document = Buffer.from(kind.render(new Random(7)));
      const {bytes} = mask(kind, document, [], cards);
      // In long runs there is a card by chance in more places than the test knows.
      const mayBeCard = kind.neverCard !== true;
      if (cards.longDigitRuns === true && mayBeCard) expect(bytes).toHaveLength(document.length);
      else expect([kind.name, harmDone(document, bytes, {mayBeCard})]).toEqual([kind.name, []]);
    }
  });
});
