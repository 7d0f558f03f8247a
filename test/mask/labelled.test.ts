import {readFileSync} from 'node:fs';
import {expect, test} from '@jest/globals';
import {maskText} from '../../core/mask/createmasker.ts';

interface Labelled {
  readonly text: string;
  readonly cards: readonly string[];
}

const file = new URL('../fixtures/masking/presidio_subset.json', import.meta.url);
const labelled = JSON.parse(readFileSync(file, 'utf8')) as readonly Labelled[];

/** Numbers that the set calls cards and that no issuer range holds, see the fixture's SOURCE.md. */
const OUTSIDE_RANGES = /^35(?:[019][0-9]|2[0-7])[0-9]{12}$|^0604[0-9]{8}$/;

test('of 136 public texts with a card, every one of an issuer range is masked to its last four digits', () => {
  const withCard = labelled.filter(({cards}) => cards.length > 0);
  const missed = withCard.filter(({text, cards}) => {
    const expected = cards.reduce((masked, card) => masked.replaceAll(card, lastFour(card)), text);
    return maskText(text) !== expected;
  });
  expect(withCard).toHaveLength(136);
  expect(missed).toHaveLength(9);
  expect(missed.flatMap(({cards}) => cards).filter((card) => !OUTSIDE_RANGES.test(card))).toEqual([]);
});

test('of 400 public texts with digits and no card, none is changed', () => {
  const withoutCard = labelled.filter(({cards}) => cards.length === 0);
  expect(withoutCard).toHaveLength(400);
  expect(withoutCard.filter(({text}) => maskText(text) !== text)).toEqual([]);
});

function lastFour(card: string): string {
  return card.slice(-4).padStart(card.length, '*');
}
