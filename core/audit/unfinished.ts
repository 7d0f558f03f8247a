export interface UnfinishedCalls {
  readonly count: number;
  /** The oldest of them. */
  readonly examples: readonly {readonly auditID: string; readonly line: number}[];
}

/** Calls followed at once; past that the oldest counts as unfinished. */
const maximumOpenCalls = 100_000;

const maximumExamples = 10;

/** Ours are UUIDs. What looks otherwise was not written by a proxy, and is neither followed nor printed. */
const auditIDPattern = /^[0-9A-Za-z-]{1,64}$/;

/** Finds intents that no outcome followed. */
export class OpenCalls {
  readonly #openedAt = new Map<string, number>();
  readonly #given: {auditID: string; line: number}[] = [];
  #givenUp = 0;

  saw(auditID: string, stage: string, line: number): void {
    if (!auditIDPattern.test(auditID)) return;
    if (stage === 'RequestReceived') this.#openedAt.set(auditID, line);
    else if (stage === 'ResponseComplete' || stage === 'Panic') this.#openedAt.delete(auditID);
    if (this.#openedAt.size > maximumOpenCalls) this.#giveUpOldest();
  }

  unfinished(): UnfinishedCalls {
    const examples = [...this.#given];
    for (const [auditID, line] of this.#openedAt) {
      if (examples.length >= maximumExamples) break;
      examples.push({auditID, line});
    }
    return {count: this.#givenUp + this.#openedAt.size, examples};
  }

  #giveUpOldest(): void {
    const oldest = this.#openedAt.entries().next().value;
    if (oldest === undefined) return;
    const [auditID, line] = oldest;
    this.#openedAt.delete(auditID);
    this.#givenUp += 1;
    if (this.#given.length < maximumExamples) this.#given.push({auditID, line});
  }
}
