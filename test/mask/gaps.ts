import type {DocumentKind} from './places.ts';
import type {Planted} from './planted.ts';

/** Something that the engine does not find yet. */
interface Gap {
  /** The name of a way to write, or of authentication data; all where there is none. */
  readonly what?: string;
  /** The name of a place; all where there is none. */
  readonly place?: string;
}

/** Shrinks as the engine grows: `node test/mask/recall.ts` says which of them are closed. */
export const GAPS: readonly Gap[] = [{what: 'wrapped by the editor of a shell'}];

export function gapOf({what, place}: Planted): Gap | undefined {
  return GAPS.find(
    (gap) => (gap.what === undefined || gap.what === what) && (gap.place === undefined || gap.place === place.name),
  );
}

/** Whether the engine does not find this way of writing wherever it stands. */
export function isGap(what: string): boolean {
  return GAPS.some((gap) => gap.what === what && gap.place === undefined);
}

/**
 * Of bytes that are said to be JSON and are none, it depends on the cuts how a few are read: a number with an escape or
 * a colour right after it, where JSON has neither.
 */
export function isSplitGap({mediaType}: DocumentKind, document: Buffer): boolean {
  if (mediaType !== 'json') return false;
  try {
    JSON.parse(document.toString());
    return false;
  } catch {
    return true;
  }
}

/** A number by chance in a digest that goes on with a `d` and a date is taken for the track of a chip. */
export function isHarmGap(document: Buffer): boolean {
  return /[0-9]{12,19}d[0-9]{2}(?:0[1-9]|1[0-2])[125679][0-9]{2}/.test(document.toString('latin1'));
}
