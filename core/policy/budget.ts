/**
 * What the evaluation of one expression may cost, and of all expressions of one decision together. One unit is about
 * one step of the evaluator, 50 to 200 ns, so that an expression holds the event loop for some 20 ms at worst and a
 * decision for some 200 ms. Looking at each of 1,000 containers costs an expression about 10,000.
 */
export const costLimit = {expression: 100_000, decision: 1_000_000} as const;

/** Spent by the expressions of one decision; past its end every further one fails, and so fails closed. */
export class Budget {
  #decision: number = costLimit.decision;
  #expression = 0;

  /** Starts the next expression. */
  begin(): void {
    this.#expression = Math.min(costLimit.expression, this.#decision);
  }

  get isExhausted(): boolean {
    return this.#expression < 0;
  }

  /** Takes `units` before the work that they stand for is done; throws when there are not as many left. */
  charge(units: number): void {
    this.#expression -= units;
    this.#decision -= units;
    if (this.#expression < 0) {
      throw new RangeError('cost limit exceeded');
    }
  }
}
