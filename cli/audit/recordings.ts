import {createHash} from 'node:crypto';
import {join} from 'node:path';
import type {Fault, FaultKind} from '../../core/audit/fault.ts';
import type {RecordingClaim} from '../../core/audit/recordingclaims.ts';
import type {CommandInput} from '../input.ts';

/** What became of the recordings that one log names. */
export interface RecordingsSummary {
  /** As the log vouches for them. */
  readonly whole: number;
  /** Without an outcome that vouches for them: under way when the log was read, or cut short. No fault. */
  readonly unfinished: {readonly count: number; readonly examples: readonly string[]};
}

const maximumExamples = 10;

/** The recording directory, and which of its files no log has named so far. */
export class RecordingDirectory {
  readonly #directory: string;
  readonly #input: CommandInput;
  readonly #unnamed: Set<string>;

  private constructor(directory: string, input: CommandInput, files: readonly string[]) {
    this.#directory = directory;
    this.#input = input;
    this.#unnamed = new Set(files);
  }

  /** Rejects where the directory cannot be read. */
  static async open(directory: string, input: CommandInput): Promise<RecordingDirectory> {
    return new RecordingDirectory(directory, input, await input.list(directory));
  }

  get unnamed(): readonly string[] {
    return [...this.#unnamed].sort();
  }

  /** @returns what is wrong with a recording, undefined where nothing is. */
  async check(claim: RecordingClaim): Promise<Fault | undefined> {
    const {auditID, line, sequence, name, seal, state} = claim;
    const fault = (kind: FaultKind, what: string): Fault => {
      // An audit ID that made it into a name is plain letters; another one may be anything.
      const which = name === undefined ? `of call ${JSON.stringify(auditID)}` : `${name} of call ${auditID}`;
      return {kind, line, sequence, message: `recording ${which} ${what}`};
    };
    if (name === undefined) return fault('RecordingUnreadable', 'has a name that no proxy gives');
    this.#unnamed.delete(name);
    if (state === 'Discarded') return undefined;
    let found: {readonly bytes: number; readonly sha256: string};
    try {
      found = await this.#read(name, seal === undefined);
    } catch (error) {
      if ((error as {code?: unknown}).code === 'ENOENT') return fault('RecordingMissing', 'is not there');
      return fault('RecordingUnreadable', `cannot be read: ${Error.isError(error) ? error.message : String(error)}`);
    }
    if (seal === undefined) return undefined;
    if (found.bytes !== seal.bytes) {
      return fault('RecordingChanged', `has ${found.bytes} bytes, and the log vouches for ${seal.bytes}`);
    }
    if (found.sha256 !== seal.sha256)
      return fault('RecordingChanged', 'does not have the SHA-256 that the log vouches for');
    return undefined;
  }

  /** @param onlyWhetherItIsThere reads no further than that takes */
  async #read(name: string, onlyWhetherItIsThere: boolean): Promise<{bytes: number; sha256: string}> {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of this.#input.read(join(this.#directory, name))) {
      if (onlyWhetherItIsThere) break;
      hash.update(chunk);
      bytes += chunk.length;
    }
    return {bytes, sha256: hash.digest('hex')};
  }
}

/** The recordings of one log: collects what it says of them, and compares that with the files. */
export class RecordingCheck {
  readonly #directory: RecordingDirectory;
  readonly #report: (fault: Fault) => void;
  #waiting: RecordingClaim[] = [];
  #whole = 0;
  #unfinished = 0;
  readonly #examples: string[] = [];

  constructor(directory: RecordingDirectory, report: (fault: Fault) => void) {
    this.#directory = directory;
    this.#report = report;
  }

  add(claim: RecordingClaim): void {
    this.#waiting.push(claim);
  }

  /** Looks at the files of what was added since the last time. */
  async compare(): Promise<void> {
    const claims = this.#waiting;
    this.#waiting = [];
    for (const claim of claims) {
      const fault = await this.#directory.check(claim);
      if (fault !== undefined) this.#report(fault);
      else if (claim.state === 'Sealed') this.#whole += 1;
      else if (claim.state === 'Unfinished') {
        this.#unfinished += 1;
        if (this.#examples.length < maximumExamples) this.#examples.push(claim.name ?? '');
      }
    }
  }

  summary(): RecordingsSummary {
    return {whole: this.#whole, unfinished: {count: this.#unfinished, examples: this.#examples}};
  }
}
