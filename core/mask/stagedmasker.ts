import type {MaskCounts, Masker} from './masker.ts';

/** A detector on its own: a masker that counts nothing but what it finds. */
export type Stage = Omit<Masker, 'counts'> & {readonly counts: Readonly<Partial<MaskCounts>>};

type Emit = (bytes: Buffer) => void;

/** Several detectors, one behind the other: each sees what those before it have left. */
export class StagedMasker implements Masker {
  readonly counts: Readonly<MaskCounts>;
  readonly #stages: readonly {readonly stage: Stage; readonly onward: Emit}[];
  #emit: Emit = () => {};

  /** @param stages where there are none, all passes; none counts what another does */
  constructor(stages: readonly Stage[]) {
    let onward: Emit = (bytes) => this.#emit(bytes);
    this.#stages = stages
      .toReversed()
      .map((stage) => {
        const each = {stage, onward};
        onward = (bytes) => stage.push(bytes, each.onward);
        return each;
      })
      .reverse();
    this.counts = countsOf(stages);
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

/** The counts of all, which go on as theirs do. */
function countsOf(stages: readonly Stage[]): Readonly<MaskCounts> {
  const sum = (detector: Exclude<keyof MaskCounts, 'fields'>) =>
    stages.reduce((count, {counts}) => count + (counts[detector] ?? 0), 0);
  return {
    get PAN() {
      return sum('PAN');
    },
    get TrackData() {
      return sum('TrackData');
    },
    get CardVerificationCode() {
      return sum('CardVerificationCode');
    },
    get Regex() {
      return sum('Regex');
    },
    get Field() {
      return sum('Field');
    },
    get fields() {
      return Object.assign({}, ...stages.map(({counts}) => counts.fields));
    },
  };
}
