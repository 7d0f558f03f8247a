/**
 * A bounded map that forgets what was not asked for of late, and what is past its time. Two generations: when the young
 * one is full it becomes the old one, and what is asked for in the old one becomes young again. So a hit is one lookup,
 * without the bookkeeping of an exact order.
 */
export class ExpiringCache<Value> {
  readonly #generationSize: number;
  #young = new Map<string, Entry<Value>>();
  #old = new Map<string, Entry<Value>>();

  /** @param maximumEntries in both generations together */
  constructor(maximumEntries: number) {
    this.#generationSize = Math.ceil(maximumEntries / 2);
  }

  get(key: string, nowMilliseconds: number): Value | undefined {
    let entry = this.#young.get(key);
    if (entry === undefined) {
      entry = this.#old.get(key);
      if (entry === undefined) return undefined;
      this.#old.delete(key);
      if (nowMilliseconds < entry.untilMilliseconds) this.#add(key, entry);
    }
    if (nowMilliseconds < entry.untilMilliseconds) return entry.value;
    this.#young.delete(key);
    return undefined;
  }

  set(key: string, value: Value, untilMilliseconds: number): void {
    this.#old.delete(key);
    this.#add(key, {value, untilMilliseconds});
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  #add(key: string, entry: Entry<Value>): void {
    if (this.#young.size >= this.#generationSize && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, entry);
  }
}

interface Entry<Value> {
  readonly value: Value;
  readonly untilMilliseconds: number;
}
