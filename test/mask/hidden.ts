import {mask} from './engine.ts';
import type {Planted} from './planted.ts';

/** Whether nobody who sees the masked document can tell what was planted in it. */
export function isHidden({place, document, twin}: Planted): boolean {
  const [one, other] = [document, twin].map((bytes) => mask(place, bytes).bytes.toString('latin1'));
  const unpack = place.unpack ?? ((masked: string) => masked);
  return unpack(one as string) === unpack(other as string);
}
