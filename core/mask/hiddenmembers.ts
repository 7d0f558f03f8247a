import type {FindingLog} from './findinglog.ts';

/** A member that is hidden, and has not ended. */
interface Open {
  readonly depth: number;
  readonly start: number;
  readonly name: string | undefined;
}

/** The members that a FieldEditor hides, for a log that wants to know where they stand. */
export class HiddenMembers {
  readonly #log: FindingLog;
  readonly #isInString: boolean;
  readonly #open: Open[] = [];

  /** @param isInString whether the members stand in a string of the stream */
  constructor(log: FindingLog, isInString: boolean) {
    this.#log = log;
    this.#isInString = isInString;
  }

  /** @param start as of a Finding */
  begin(depth: number, start: number): void {
    // Once it has ended it may be too far back for its name to be in sight.
    this.#open.push({depth, start, name: this.#log.nameAt(start, this.#isInString)});
  }

  /** A value of this depth ends. */
  end(depth: number, end: number): void {
    const last = this.#open.at(-1);
    if (last?.depth !== depth) return;
    this.#open.pop();
    this.#log.add({detector: 'Field', start: last.start, end, name: last.name});
  }

  /** What is open ends where the text turns out to be no JSON. */
  endAll(end: number): void {
    while (this.#open.length > 0) this.end(this.#open.at(-1)?.depth as number, end);
  }
}
