import type {Acknowledgement} from '../../core/control/messages.ts';
import {loadBundle} from '../../core/policy/loadbundle.ts';
import type {LoadedBundle} from '../../core/policy/loadedbundle.ts';

/** The policies in force: the last bundle that could be read, and when the operator was last heard. */
export class Bundles {
  #current: LoadedBundle | undefined;
  #heardAtMilliseconds = Number.NEGATIVE_INFINITY;
  readonly #maximumStalenessSeconds: number;
  readonly #now: () => number;

  constructor(options: {readonly maximumStalenessSeconds: number; readonly now: () => number}) {
    this.#maximumStalenessSeconds = options.maximumStalenessSeconds;
    this.#now = options.now;
  }

  /** undefined until the first bundle: everything is denied. */
  get current(): LoadedBundle | undefined {
    return this.#current;
  }

  /** Past the maximum staleness writes are refused: a Deny may have been declared that never arrived here. */
  get stale(): boolean {
    return this.stalenessSeconds() > this.#maximumStalenessSeconds;
  }

  stalenessSeconds(): number {
    return (this.#now() - this.#heardAtMilliseconds) / 1000;
  }

  /** The operator was heard: a bundle or a heartbeat. */
  heard(): void {
    this.#heardAtMilliseconds = this.#now();
  }

  /** Puts a bundle in force, or keeps the one that is and says why; either way gives what the operator is told. */
  offer(value: unknown, proxy: string): Acknowledgement {
    try {
      const bundle = loadBundle(value);
      this.#current = bundle;
      return {proxy, revision: bundle.revision, hash: bundle.hash, result: 'Applied'};
    } catch (error) {
      const {revision, hash} = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
      return {
        proxy,
        revision: typeof revision === 'string' ? revision : '',
        hash: typeof hash === 'string' ? hash : '',
        result: 'Rejected',
        reason: error instanceof Error ? error.message : String(error),
      };
    }
  }
}
