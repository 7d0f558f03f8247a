import {conditionsBetween, Following, NO_CHARACTER, type RegexProgram} from './regexprogram.ts';

/**
 * Finds where the patterns match: follows all that may become matches side by side, each with the index where it began
 * (Pike; RE2's NFA). What is found are the matches that RE2 would replace one after the other: the leftmost, of those the
 * one that the pattern prefers, and on from its end. Other than there nothing is read twice: what begins behind a match
 * is followed at once, though the pattern may still prefer a longer one, in which that would be.
 */
export class RegexThreads {
  readonly #program: RegexProgram;
  readonly #following: Following;
  /** Told of the bytes of a match. It may come again, longer. */
  readonly #found: (from: number, to: number) => void;
  /** The instructions that come next, the better ways first, and where each began. */
  readonly #pending: number[] = [];
  #pendingSince: number[] = [];
  readonly #reading: number[] = [];
  readonly #readingSince: number[] = [];
  /** For each pattern whether a match has just ended. */
  readonly #hasEnded: Uint8Array;
  #before = NO_CHARACTER;

  constructor(program: RegexProgram, found: (from: number, to: number) => void) {
    this.#program = program;
    this.#following = new Following(program);
    this.#found = found;
    this.#hasEnded = new Uint8Array(program.starts.length);
  }

  /** Whether anything has begun that may become a match. */
  get hasBegun(): boolean {
    return this.#pending.length > 0;
  }

  get before(): number {
    return this.#before;
  }

  /** Begins a text, or in the middle of one. @param before the character in front of the next one */
  restart(before: number): void {
    this.#pending.length = 0;
    this.#pendingSince.length = 0;
    this.#before = before;
  }

  /** Passes over a character where nothing has begun, and nothing does. */
  skip(codePoint: number): void {
    this.#before = codePoint;
  }

  /** Reads the character at `at`. */
  read(codePoint: number, at: number): void {
    this.#follow(at, conditionsBetween(this.#before, codePoint), true);
    this.#pending.length = 0;
    this.#pendingSince.length = 0;
    for (let index = 0; index < this.#reading.length; index++) {
      const instruction = this.#reading[index] as number;
      if (!this.#program.takes(instruction, codePoint)) continue;
      this.#pending.push(this.#program.outs[instruction] as number);
      this.#pendingSince.push(this.#readingSince[index] as number);
    }
    this.#before = codePoint;
  }

  /** The text ends at `at`. */
  end(at: number): void {
    this.#follow(at, conditionsBetween(this.#before, NO_CHARACTER), false);
    this.restart(NO_CHARACTER);
  }

  /** What comes at `at` is not known yet: finds the matches that end there whatever it is. */
  pause(at: number): void {
    this.#follow(at, 0, false);
  }

  /** All indices are lower by so many bytes from here on. */
  rebase(bytes: number): void {
    this.#pendingSince = this.#pendingSince.map((since) => since - bytes);
  }

  #follow(at: number, conditions: number, mayBegin: boolean): void {
    this.#reading.length = 0;
    this.#readingSince.length = 0;
    this.#hasEnded.fill(0);
    this.#following.restart();
    for (let index = 0; index < this.#pending.length; index++) {
      const instruction = this.#pending[index] as number;
      const since = this.#pendingSince[index] as number;
      const pattern = this.#program.patterns[instruction] as number;
      // A worse way than that of the match, or one that began inside of it.
      if (this.#hasEnded[pattern] === 1) continue;
      if (!this.#add(instruction, since, conditions)) continue;
      this.#hasEnded[pattern] = 1;
      this.#found(since, at);
    }
    if (!mayBegin) return;
    for (const instruction of this.#program.starts) this.#add(instruction, at, conditions);
  }

  #add(instruction: number, since: number, conditions: number): boolean {
    const matches = this.#following.from(instruction, conditions, this.#reading);
    while (this.#readingSince.length < this.#reading.length) this.#readingSince.push(since);
    return matches;
  }
}
