import {conditionsBetween, Following, isWord, NO_CHARACTER, type RegexProgram} from './regexprogram.ts';

/** Made so far; when there are more they are forgotten, and made anew as they are needed. */
const MAXIMUM_STATES = 2000;
const MAXIMUM_TRANSITIONS_BEYOND_ASCII = 50_000;

/** In the place of the next state: not known yet, or a match has ended before the character. */
export const UNKNOWN = -1;
export const MATCHED = -2;

const BEYOND_UNICODE = 0x110000;

/** Characters of which each state knows the next in a table. */
export const TABLE_WIDTH = 128;

interface State {
  /** Where the patterns may go on, in ascending order; they may always begin as well. */
  readonly pending: readonly number[];
  /** A character that looks to conditions as the last one did. */
  readonly before: number;
  /** Whether a match ends here if the text does. */
  matchesAtEnd: boolean | undefined;
}

/**
 * Says whether any of the patterns matches, in one step for each character: an automaton that is made as it is used
 * (Thompson; RE2's DFA). Where a match begins it does not know.
 */
export class RegexStates {
  /** The next state, at `state * 128 + character` for characters of ASCII. */
  table = new Int32Array(16 * TABLE_WIDTH).fill(UNKNOWN);
  readonly #program: RegexProgram;
  readonly #following: Following;
  readonly #states: State[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #beyondASCII = new Map<number, number>();
  /** By the character before; those that conditions take alike are one. */
  readonly #fresh = new Int32Array(TABLE_WIDTH).fill(UNKNOWN);
  readonly #hasConditions: boolean;

  constructor(program: RegexProgram) {
    this.#program = program;
    this.#hasConditions = program.hasConditions;
    this.#following = new Following(program);
  }

  /** The state in which no pattern has begun, behind this character; `NO_CHARACTER` at the start of a text. */
  fresh(before: number): number {
    const kind = this.#hasConditions ? likeCharacter(before) : NO_CHARACTER;
    const known = this.#fresh[kind - NO_CHARACTER] as number;
    if (known !== UNKNOWN) return known;
    const state = this.#numberOf([], kind);
    this.#fresh[kind - NO_CHARACTER] = state;
    return state;
  }

  /** Whether a pattern may begin with this character. */
  mayBegin(before: number, codePoint: number): boolean {
    const next = this.next(this.fresh(before), codePoint);
    return next === MATCHED || (this.#states[next] as State).pending.length > 0;
  }

  /** To conditions, the character behind which the state is. */
  before(state: number): number {
    return this.#states[state]?.before ?? NO_CHARACTER;
  }

  /** The state after a character, or `MATCHED`. Numbers of states given before need not hold any more. */
  next(state: number, codePoint: number): number {
    const known =
      codePoint < TABLE_WIDTH
        ? this.table[state * TABLE_WIDTH + codePoint]
        : this.#beyondASCII.get(state * BEYOND_UNICODE + codePoint);
    if (known !== undefined && known !== UNKNOWN) return known;
    const {pending, before} = this.#states[state] as State;
    const reading = this.#readingFrom(pending, conditionsBetween(before, codePoint));
    if (reading === undefined) return this.#remember(state, codePoint, MATCHED);
    const taking = reading.filter((instruction) => this.#program.takes(instruction, codePoint));
    const after = new Set(taking.map((instruction) => this.#program.outs[instruction] as number));
    const made = this.#states.length;
    const next = this.#numberOf(
      [...after].sort((a, b) => a - b),
      codePoint,
    );
    // Where all states were forgotten, so was the one that this one follows.
    return this.#states.length < made ? next : this.#remember(state, codePoint, next);
  }

  matchesAtEnd(state: number): boolean {
    const of = this.#states[state] as State;
    of.matchesAtEnd ??= this.#readingFrom(of.pending, conditionsBetween(of.before, NO_CHARACTER)) === undefined;
    return of.matchesAtEnd;
  }

  /** undefined where a match has ended. */
  #readingFrom(pending: readonly number[], conditions: number): readonly number[] | undefined {
    const reading: number[] = [];
    this.#following.restart();
    const matches = (instruction: number) => this.#following.from(instruction, conditions, reading);
    return pending.some(matches) || this.#program.starts.some(matches) ? undefined : reading;
  }

  #remember(state: number, codePoint: number, next: number): number {
    if (codePoint < TABLE_WIDTH) this.table[state * TABLE_WIDTH + codePoint] = next;
    else {
      if (this.#beyondASCII.size >= MAXIMUM_TRANSITIONS_BEYOND_ASCII) this.#beyondASCII.clear();
      this.#beyondASCII.set(state * BEYOND_UNICODE + codePoint, next);
    }
    return next;
  }

  #numberOf(pending: readonly number[], last: number): number {
    const before = this.#hasConditions ? likeCharacter(last) : NO_CHARACTER;
    const key = `${before}:${pending.join()}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (this.#states.length === MAXIMUM_STATES) this.#forget();
    const number = this.#states.length;
    this.#states.push({pending, before, matchesAtEnd: undefined});
    this.#numbers.set(key, number);
    if (this.table.length < this.#states.length * TABLE_WIDTH) {
      const table = new Int32Array(this.table.length * 2).fill(UNKNOWN);
      table.set(this.table);
      this.table = table;
    }
    return number;
  }

  #forget(): void {
    this.#states.length = 0;
    this.#fresh.fill(UNKNOWN);
    this.#numbers.clear();
    this.#beyondASCII.clear();
    this.table.fill(UNKNOWN);
  }
}

/** One character for all that conditions take alike. */
function likeCharacter(codePoint: number): number {
  if (codePoint === NO_CHARACTER || codePoint === 0x0a) return codePoint;
  return isWord(codePoint) ? 0x61 : 0x20;
}
