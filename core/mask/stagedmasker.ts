import {UnitedCounts} from './counts.ts';
import type {MaskCounts, Masker} from './masker.ts';

/** A detector on its own: a masker that counts nothing but what it finds. */
export type Stage = Omit<Masker, 'counts'> & {readonly counts: Readonly<Partial<MaskCounts>>};

type Emit = (bytes: Buffer) => void;

/** Several detectors, one behind the other: each sees what those before it have left. */
export class StagedMasker implements Masker {
  readonly counts: Readonly<MaskCounts>;
  readonly #stages: readonly {readonly stage: Stage; readonly onward: Emit}[];
  #emit: Emit = () => {};

  /**
   * @param stages where there are none, all passes; none counts what another does
   * @param fields what all of them count by the names of members
   */
  constructor(stages: readonly Stage[], fields?: () => NonNullable<MaskCounts['fields']>) {
    let onward: Emit = (bytes) => this.#emit(bytes);
    this.#stages = stages
      .toReversed()
      .map((stage) => {
        const each = {stage, onward};
        onward = (bytes) => stage.push(bytes, each.onward);
        return each;
      })
      .reverse();
    this.counts = new UnitedCounts(
      stages.map(({counts}) => counts),
      fields,
    );
  }

  get heldBytes(): number {
    let held = 0;
    for (const {stage} of this.#stages) held += stage.heldBytes;
    return held;
  }

  push(chunk: Buffer, emit: Emit): void {
    this.#emit = emit;
    const [first] = this.#stages;
    if (first === undefined) emit(chunk);
    else first.stage.push(chunk, first.onward);
  }

  flush(emit: Emit): void {
    this.#emit = emit;
    for (const {stage, onward} of this.#stages) if (stage.heldBytes > 0) stage.flush(onward);
  }

  end(emit: Emit): void {
    this.#emit = emit;
    for (const {stage, onward} of this.#stages) stage.end(onward);
  }
}
