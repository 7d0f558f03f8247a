import {BACKSLASH, byteSet, QUOTE} from './bytes.ts';
import type {StreamWindow} from './window.ts';

/** All that JSON has outside strings, but for the quotes: structure, whitespace, numbers, true, false and null. */
const OUTSIDE_STRINGS = byteSet('{}[]:, \t\r\n0123456789+-.eEtrufalsn');

/**
 * Knows whether a byte of a JSON stream stands inside a string, without reading every byte: it goes back only until
 * a byte that JSON has nowhere but in strings, and counts the quotes on the way. In Kubernetes' JSON that is a few
 * bytes; where nothing but numbers precede it goes back to the last place it was asked about, so that the work over
 * a stream stays linear.
 *
 * For what is no JSON the answer may be wrong: then a card is masked in the other form, never shown.
 */
export class JsonPosition {
  readonly #window: Pick<StreamWindow, 'byteAt'>;
  /** A place whose state is known: whether it is inside a string, and after an odd number of backslashes. */
  #known = {index: 0, inString: false, escaped: false};

  constructor(window: Pick<StreamWindow, 'byteAt'>) {
    this.#window = window;
  }

  /**
   * Whether the byte at `index` is inside a string. What is before it need not stay readable from here on; the next
   * question is about a later byte, or one of the same token.
   */
  inString(index: number): boolean {
    if (index > this.#known.index) {
      this.#known = {index, inString: this.#find(index), escaped: this.#isEscaped(index)};
    }
    return this.#known.inString;
  }

  /** All positions move: the window's index 0 is now `bytes` further on. */
  rebase(bytes: number): void {
    this.#known.index -= bytes;
  }

  /** Another stream starts at the window's index 0. */
  reset(): void {
    this.#known = {index: 0, inString: false, escaped: false};
  }

  #find(index: number): boolean {
    let quotesAreOdd = false;
    for (let at = index - 1; at >= this.#known.index; at--) {
      const byte = this.#window.byteAt(at);
      if (byte === QUOTE) {
        if (this.#isEscaped(at)) return !quotesAreOdd;
        quotesAreOdd = !quotesAreOdd;
      } else if (OUTSIDE_STRINGS[byte] === 0) return !quotesAreOdd;
    }
    return this.#known.inString !== quotesAreOdd;
  }

  #isEscaped(index: number): boolean {
    let escaped = false;
    for (let at = index - 1; at >= this.#known.index; at--) {
      if (this.#window.byteAt(at) !== BACKSLASH) return escaped;
      escaped = !escaped;
    }
    return escaped !== this.#known.escaped;
  }
}
