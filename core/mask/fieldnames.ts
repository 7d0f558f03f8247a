import {nameInString, nameOfValue, type Sibling} from './membername.ts';
import type {LongString, StreamView} from './streamview.ts';

/** A string, and up to where it was seen to go on. */
interface StringSeen extends LongString {
  upTo: number;
}

/**
 * Finds the names of members that something was found in, for findings that come in the order of the stream. It looks at
 * no byte twice, however many there are.
 */
export class FieldNames {
  readonly #view: StreamView;
  #string: StringSeen | undefined;
  readonly #seen: {sibling: Sibling | undefined} = {sibling: undefined};

  constructor(view: StreamView) {
    this.#view = view;
  }

  /** @param inString whether it is part of a string; then of JSON in that string, if it is near, and else of the string */
  nameAt(start: number, inString: boolean): string | undefined {
    if (!inString) return this.nameOfValue(start);
    return nameInString(this.#view, start) ?? this.#stringAt(start).name;
  }

  /** @param value the offset of its first byte */
  nameOfValue(value: number): string | undefined {
    return nameOfValue(this.#view, value, this.#seen);
  }

  keepAsItCame(): void {
    this.#view.keepAsItCame();
  }

  reset(): void {
    this.#string = undefined;
    this.#seen.sibling = undefined;
  }

  #stringAt(start: number): LongString {
    const seen = this.#string;
    if (seen !== undefined && seen.quote < start && start <= seen.upTo) return seen;
    const {longString, shortFrom} = this.#view;
    const known = seen !== undefined && seen.upTo < start ? seen.upTo : -1;
    const quote = this.#view.quoteBefore(start, Math.max(shortFrom, known, 0));
    if (quote >= 0) this.#string = {quote, name: this.nameOfValue(quote), upTo: start};
    else if (seen !== undefined && known >= shortFrom) seen.upTo = start;
    else this.#string = {quote: longString?.quote ?? -1, name: longString?.name, upTo: start};
    return this.#string as LongString;
  }
}
