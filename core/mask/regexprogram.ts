import {RE2JS} from '@bufbuild/re2';

/** Instructions of one pattern: each character may cost as many steps. */
const MAXIMUM_INSTRUCTIONS = 4096;

/** What instructions do, as the library numbers them; 8 to 11 read a character. */
const ALT = 1;
const ALT_MATCH = 2;
const CAPTURE = 3;
const EMPTY_WIDTH = 4;
const FAIL = 5;
const MATCH = 6;
const NOP = 7;

/** What can hold between two characters. */
const BEGIN_LINE = 0x01;
const END_LINE = 0x02;
const BEGIN_TEXT = 0x04;
const END_TEXT = 0x08;
const WORD_BOUNDARY = 0x10;
const NO_WORD_BOUNDARY = 0x20;
const ANYTHING = 0x3f;

/** In the place of a character: the text begins or ends. */
export const NO_CHARACTER = -1;

/** A pattern that cannot be searched for, or should not be. */
export class RegexError extends Error {
  override readonly name = 'RegexError';
}

type Program = ReturnType<RE2JS['re2']>['prog'];

/**
 * Patterns (RE2) compiled for searches of our own: the library that parses and compiles them says only whether a text
 * matches, not where. Instructions are numbered through all patterns.
 */
export class RegexProgram {
  /** Where each pattern begins. */
  readonly starts: readonly number[];
  /** The pattern that each instruction is of. */
  readonly patterns: Uint32Array;
  readonly operations: Uint8Array;
  /** Where each instruction goes on. */
  readonly outs: Uint32Array;
  /** Where a fork goes on as well; what has to hold for a condition. */
  readonly args: Uint32Array;
  readonly #instructions: readonly ReturnType<Program['getInst']>[];

  /** @throws {RegexError} */
  constructor(patterns: readonly string[]) {
    const programs = patterns.map(compiled);
    const offsets: number[] = [];
    let length = 0;
    for (const program of programs) {
      offsets.push(length);
      length += program.numInst();
    }
    const instructions = programs.flatMap(({inst}) => inst);
    const offsetAt = (at: number) => offsets[this.patterns[at] as number] as number;
    this.#instructions = instructions;
    this.starts = programs.map(({start}, index) => start + (offsets[index] as number));
    this.patterns = Uint32Array.from(programs.flatMap(({inst}, index) => inst.map(() => index)));
    this.operations = Uint8Array.from(instructions, ({op}) => op);
    this.outs = Uint32Array.from(instructions, ({out}, at) => out + offsetAt(at));
    this.args = Uint32Array.from(instructions, ({op, arg}, at) => (op === EMPTY_WIDTH ? arg : arg + offsetAt(at)));
    for (const [index, start] of this.starts.entries()) {
      if (new Following(this).from(start, ANYTHING, [])) {
        throw new RegexError(`${JSON.stringify(patterns[index])} matches where nothing stands, and so everywhere`);
      }
    }
  }

  /** Whether a pattern looks at what stands beside a match. */
  get hasConditions(): boolean {
    return this.operations.includes(EMPTY_WIDTH);
  }

  /** Whether an instruction that reads takes this character. */
  takes(instruction: number, codePoint: number): boolean {
    return this.#instructions[instruction]?.matchRune(codePoint) === true;
  }
}

function compiled(pattern: string): Program {
  let program: Program;
  try {
    program = new RE2JS(pattern).re2().prog;
  } catch (cause) {
    throw new RegexError(cause instanceof Error ? cause.message : String(cause), {cause});
  }
  if (program.numInst() > MAXIMUM_INSTRUCTIONS) {
    throw new RegexError(`${JSON.stringify(pattern.slice(0, 64))} is too large: repeat fewer times`);
  }
  return program;
}

/** Follows instructions that read nothing, each once between two characters. */
export class Following {
  readonly #program: RegexProgram;
  readonly #visited: Uint32Array;
  #generation = 1;
  readonly #ways: number[] = [];

  constructor(program: RegexProgram) {
    this.#program = program;
    this.#visited = new Uint32Array(program.operations.length);
  }

  /** Between the next two characters. */
  restart(): void {
    this.#generation++;
    if (this.#generation <= 0xffffffff) return;
    this.#visited.fill(0);
    this.#generation = 1;
  }

  /**
   * Adds the instructions that read what comes next, in the order in which the pattern prefers them.
   *
   * @returns whether the pattern matches here. What it likes less is not added then.
   */
  from(instruction: number, conditions: number, reading: number[]): boolean {
    const {operations, outs, args} = this.#program;
    const ways = this.#ways;
    ways.push(instruction);
    for (let at = ways.pop(); at !== undefined; at = ways.pop()) {
      if (this.#visited[at] === this.#generation) continue;
      this.#visited[at] = this.#generation;
      const out = outs[at] as number;
      const arg = args[at] as number;
      switch (operations[at]) {
        case ALT:
        case ALT_MATCH:
          ways.push(arg, out);
          break;
        case CAPTURE:
        case NOP:
          ways.push(out);
          break;
        case EMPTY_WIDTH:
          if ((arg & ~conditions) === 0) ways.push(out);
          break;
        case MATCH:
          ways.length = 0;
          return true;
        case FAIL:
          break;
        default:
          reading.push(at);
      }
    }
    return false;
  }
}

/** What holds between two characters. Words are of ASCII. */
export function conditionsBetween(before: number, after: number): number {
  return (
    (before === NO_CHARACTER ? BEGIN_TEXT | BEGIN_LINE : 0) |
    (before === 0x0a ? BEGIN_LINE : 0) |
    (after === NO_CHARACTER ? END_TEXT | END_LINE : 0) |
    (after === 0x0a ? END_LINE : 0) |
    (isWord(before) === isWord(after) ? NO_WORD_BOUNDARY : WORD_BOUNDARY)
  );
}

export function isWord(codePoint: number): boolean {
  const letter = codePoint | 0x20;
  return (
    (letter >= 0x61 && letter <= 0x7a && codePoint < 0x80 && codePoint >= 0) ||
    (codePoint >= 0x30 && codePoint <= 0x39) ||
    codePoint === 0x5f
  );
}
