import {type CardOptions, mask} from './engine.ts';
import {type Planted, readable} from './planted.ts';

/** Whether nobody who sees the masked document can tell what was planted in it. */
export function isHidden({place, document, twin}: Planted, cards?: CardOptions): boolean {
  const [one, other] = [document, twin].map((bytes) => readable(place, mask(place, bytes, [], cards).bytes));
  return (one as Buffer).equals(other as Buffer);
}
