/** Choices that repeat: one seed gives the same documents on every machine and in every run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Marsaglia's xorshift has no way out of 0; seeds beside each other are spread.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) || 1;
    for (let round = 0; round < 4; round++) this.#next();
  }

  /** Both are included. */
  integer(from: number, to: number): number {
    return from + (this.#next() % (to - from + 1));
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError('nothing to choose from');
    return choices[this.integer(0, choices.length - 1)] as T;
  }

  digits(count: number): string {
    return this.text('0123456789', count);
  }

  hex(count: number): string {
    return this.text('0123456789abcdef', count);
  }

  text(alphabet: string, count: number): string {
    return Array.from({length: count}, () => this.pick([...alphabet])).join('');
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({length: count}, () => this.integer(0, 255)));
  }

  uuid(): string {
    return [8, 4, 4, 4, 12].map((count) => this.hex(count)).join('-');
  }

  #next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }
}
