import {MAXIMUM_NAMES} from './counts.ts';
import type {ExemptPlaces} from './exemptplaces.ts';
import type {FieldNames} from './fieldnames.ts';
import type {Finding, FindingLog} from './findinglog.ts';
import type {MaskCounts} from './masker.ts';
import type {Detector} from './plan.ts';

type Counts = Partial<Record<Finding['detector'], Map<string, number>>>;

/** Names that were masked, to be found again. */
const KNOWN_NAMES = 256;

export interface MaskLogOptions {
  /** Only where the bytes are JSON. */
  readonly names?: FieldNames | undefined;
  readonly exempt?: ExemptPlaces | undefined;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
  readonly maskName: (name: string) => string;
}

/**
 * What one detector, or several that go the same way, found in a stream: counted by the names of members. Which names
 * are counted depends on the order of findings; that is the same however the stream is cut for those that have one log.
 */
export class MaskLog implements FindingLog {
  readonly wantsNetwork: boolean;
  readonly #names: FieldNames | undefined;
  readonly #exempt: ExemptPlaces | undefined;
  readonly #onFinding: ((finding: Finding) => void) | undefined;
  readonly #maskName: (name: string) => string;
  readonly #masked = new Map<string, string>();
  #counts: Counts = {};

  constructor({names, exempt, onFinding, maskName}: MaskLogOptions) {
    this.wantsNetwork = onFinding !== undefined;
    this.#names = names;
    this.#exempt = exempt;
    this.#onFinding = onFinding;
    this.#maskName = maskName;
  }

  /** Of this stream. */
  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  leaves(detector: Detector, start: number): boolean {
    return this.#exempt?.leaves(detector, start) ?? false;
  }

  beforeChange(): void {
    this.#names?.keepAsItCame();
  }

  nameAt(start: number, inString: boolean): string | undefined {
    return this.#names?.nameAt(start, inString);
  }

  add(finding: Finding): void {
    this.#count(finding);
    this.#onFinding?.(finding);
  }

  /** A new stream begins. */
  reset(): void {
    this.#counts = {};
    this.#names?.reset();
  }

  #count({detector, name}: Finding): void {
    if (name === undefined) return;
    let counts = this.#counts[detector];
    if (counts === undefined) {
      counts = new Map();
      this.#counts[detector] = counts;
    }
    const masked = this.#maskedName(name);
    const count = counts.get(masked);
    if (count !== undefined || counts.size < MAXIMUM_NAMES) counts.set(masked, (count ?? 0) + 1);
  }

  #maskedName(name: string): string {
    let masked = this.#masked.get(name);
    if (masked === undefined) {
      if (this.#masked.size >= KNOWN_NAMES) this.#masked.clear();
      masked = this.#maskName(name);
      this.#masked.set(name, masked);
    }
    return masked;
  }
}

/** What all of them counted. */
export function countedFields(logs: readonly MaskLog[]): NonNullable<MaskCounts['fields']> {
  const sum: Counts = {};
  for (const {counts} of logs) {
    for (const [detector, named] of Object.entries(counts) as [Finding['detector'], Map<string, number>][]) {
      const known = sum[detector] ?? new Map<string, number>();
      for (const [name, count] of named) known.set(name, (known.get(name) ?? 0) + count);
      sum[detector] = known;
    }
  }
  return sum;
}
