import type {Checkpoint} from '../control/messages.ts';
import {noPrevious, type Seal} from './chain.ts';
import type {FaultKind} from './fault.ts';

/** How many separate runs of missing lines are remembered, to tell a moved line from a copied one. */
const maximumGaps = 1_000;

interface Misplaced {
  readonly kind: FaultKind;
  readonly message: string;
}

/**
 * Follows the order of one chain through lines that are each true to their own hash.
 *
 * Beside the head it remembers one branch: the head before the last disorder. After a line that was moved, copied or
 * inserted the true chain goes on from there, so one disorder is reported once and not for every line after it.
 */
export class ChainOrder {
  #head: Checkpoint;
  #branch: Checkpoint | undefined;
  #first: Seal | undefined;
  #highest = -1;
  /** Unreadable lines since the head: each may stand for one missing sequence. */
  #unreadable = 0;
  #gaps: {from: number; to: number}[] = [];

  constructor(origin: string) {
    this.#head = {origin, sequence: -1, hash: noPrevious};
  }

  get head(): Checkpoint {
    return this.#head;
  }

  /** Notes a line that cannot be placed; it is reported elsewhere. */
  unreadable(): void {
    this.#unreadable += 1;
  }

  /** Places the next line. @returns what is wrong with its place, undefined where it follows. */
  place(seal: Seal): Misplaced | undefined {
    const fault = this.#judge(seal);
    this.#first ??= seal;
    this.#highest = Math.max(this.#highest, seal.sequence);
    this.#unreadable = 0;
    return fault;
  }

  #judge(seal: Seal): Misplaced | undefined {
    const head = this.#head;
    const branch = this.#branch;
    const {sequence} = seal;
    if (follows(head, seal)) {
      this.#head = seal;
      return this.#seenBefore(seal) && !this.#fill(sequence) ? repeated(seal) : undefined;
    }
    if (branch !== undefined && follows(branch, seal)) {
      this.#advance(seal);
      if (sequence > head.sequence) return undefined;
      return this.#fill(sequence) ? reordered(seal, head) : repeated(seal);
    }
    if (sequence === 0 && this.#first !== undefined && seal.hash !== this.#first.hash && head.sequence >= 0) {
      this.#advance(seal);
      this.#first = seal;
      this.#highest = 0;
      this.#gaps = [];
      return {kind: 'Restarted', message: `the chain begins again after sequence ${head.sequence}`};
    }
    if (sequence > head.sequence) return this.#jump(seal);
    if (this.#fill(sequence)) {
      this.#branch = seal;
      return reordered(seal, head);
    }
    this.#branch = seal;
    return repeated(seal);
  }

  #jump(seal: Seal): Misplaced | undefined {
    const head = this.#head;
    const missing = seal.sequence - head.sequence - 1 - this.#unreadable;
    const from = head.sequence + 1;
    this.#advance(seal);
    if (missing > 0) {
      if (this.#gaps.length < maximumGaps) this.#gaps.push({from, to: seal.sequence - 1});
      const lines = missing === 1 ? '1 line is missing' : `${missing} lines are missing`;
      const place = head.sequence < 0 ? `the log does not begin at sequence 0` : `after sequence ${head.sequence}`;
      return {kind: 'Gap', message: `${place}: ${lines} before this one`};
    }
    if (this.#unreadable > 0) return undefined;
    return {
      kind: 'Unchained',
      message: 'does not continue the line before it: that line was replaced, or the chain was written anew from here',
    };
  }

  #advance(seal: Seal): void {
    this.#branch = this.#head;
    this.#head = seal;
  }

  #seenBefore(seal: Seal): boolean {
    return seal.sequence <= this.#highest;
  }

  /** Takes a sequence out of the missing ones. @returns whether it was missing. */
  #fill(sequence: number): boolean {
    const index = this.#gaps.findIndex(({from, to}) => from <= sequence && sequence <= to);
    const gap = this.#gaps[index];
    if (gap === undefined) return false;
    const rest = [
      {from: gap.from, to: sequence - 1},
      {from: sequence + 1, to: gap.to},
    ];
    this.#gaps.splice(index, 1, ...rest.filter(({from, to}) => from <= to));
    return true;
  }
}

function follows(head: Checkpoint, seal: Seal): boolean {
  return seal.sequence === head.sequence + 1 && seal.previous === head.hash;
}

function reordered(seal: Seal, head: Checkpoint): Misplaced {
  return {kind: 'Reordered', message: `sequence ${seal.sequence} comes after sequence ${head.sequence}`};
}

function repeated(seal: Seal): Misplaced {
  return {
    kind: 'Repeated',
    message: `sequence ${seal.sequence} stood before: one of the lines was copied or inserted`,
  };
}
