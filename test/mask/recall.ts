// Prints how much of what the generator plants is found, and which known gaps are closed: `node test/mask/recall.ts`.
import {GAPS, gapOf} from './gaps.ts';
import {isHidden} from './hidden.ts';
import {type Planted, plantedAuthenticationData, plantedCards} from './planted.ts';

const cards = plantedCards(3);
const authenticationData = plantedAuthenticationData(3);
const missed = [...report('cards', cards), ...report('authentication data', authenticationData)];
for (const gap of GAPS) {
  if (!missed.some((each) => gapOf(each) === gap)) console.log(`closed: ${JSON.stringify(gap)}`);
}

function report(name: string, planted: readonly Planted[]): Planted[] {
  const missed = planted.filter((each) => !isHidden(each));
  console.log(`${name}: ${planted.length - missed.length} of ${planted.length} hidden`);
  for (const [what, some] of Map.groupBy(missed, ({what}) => what)) {
    const all = planted.filter((each) => each.what === what);
    const places = [...new Set(some.map(({place}) => place.name))];
    const shown = `${places.slice(0, 6).join('; ')}${places.length > 6 ? `; and ${places.length - 6} more` : ''}`;
    console.log(`  ${what}: ${some.length} of ${all.length} missed: ${shown}`);
  }
  return missed;
}
