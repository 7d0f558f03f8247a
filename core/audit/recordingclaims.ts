import {annotation} from './annotations.ts';
import type {SealedRecording} from './event.ts';
import {isRecordingName} from './recording.ts';

/** What a log says of one recording. */
export interface RecordingClaim {
  readonly auditID: string;
  /** In the recording directory; undefined where the line names what no proxy would. */
  readonly name: string | undefined;
  /**
   * - Sealed: the outcome vouches for every byte.
   * - Unfinished: there is an intent, so there was a file, and no outcome that vouches for it: the stream was under way,
   *   or the proxy was killed.
   * - Discarded: the stream was refused before it began, and its file was removed.
   */
  readonly state: 'Sealed' | 'Unfinished' | 'Discarded';
  /** Where it is Sealed. */
  readonly seal?: SealedRecording;
  /** Of the line that says so, in the file, from 1. */
  readonly line: number;
  readonly sequence: number;
}

/** One line of a log, as far as it matters here. */
export interface RecordingLine {
  readonly auditID: string;
  readonly stage: string;
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly line: number;
  readonly sequence: number;
}

/** Streams followed at once; past that the oldest counts as unfinished. */
const maximumOpenStreams = 100_000;

/** Follows the recordings of a log from intent to outcome. */
export class RecordingClaims {
  readonly #claim: (claim: RecordingClaim) => void;
  readonly #open = new Map<string, RecordingClaim>();

  constructor(claim: (claim: RecordingClaim) => void) {
    this.#claim = claim;
  }

  saw({auditID, stage, annotations, line, sequence}: RecordingLine): void {
    const named = annotations[annotation.recording];
    if (named === undefined) return;
    const place = {auditID, name: nameOf(named, auditID), line, sequence};
    const unfinished: RecordingClaim = {...place, state: 'Unfinished'};
    if (stage === 'RequestReceived') {
      this.#open.set(auditID, unfinished);
      if (this.#open.size > maximumOpenStreams) this.#giveUpOldest();
    } else if (stage === 'ResponseComplete') {
      const began = this.#open.delete(auditID);
      const seal = sealOf(annotations);
      if (seal !== undefined) this.#claim({...place, state: 'Sealed', seal});
      else this.#claim(began ? unfinished : {...place, state: 'Discarded'});
    }
  }

  /** The log ends: what has no outcome is unfinished. */
  end(): void {
    for (const claim of this.#open.values()) this.#claim(claim);
    this.#open.clear();
  }

  #giveUpOldest(): void {
    const oldest = this.#open.entries().next().value;
    if (oldest === undefined) return;
    this.#open.delete(oldest[0]);
    this.#claim(oldest[1]);
  }
}

/** A name leads nowhere but to a recording of this very call. */
function nameOf(named: unknown, auditID: string): string | undefined {
  return typeof named === 'string' && isRecordingName(named) && named.slice(11).startsWith(`${auditID}.`)
    ? named
    : undefined;
}

function sealOf(annotations: Readonly<Record<string, unknown>>): SealedRecording | undefined {
  const sha256 = annotations[annotation.recordingSHA256];
  const bytes = Number(annotations[annotation.recordingBytes]);
  return typeof sha256 === 'string' && Number.isSafeInteger(bytes) ? {sha256, bytes} : undefined;
}
