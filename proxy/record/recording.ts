import type {SealedRecording} from '../../core/audit/event.ts';
import {type RecordingKind, recordingName} from '../../core/audit/recording.ts';
import type {MaskCounts} from '../../core/mask/masker.ts';
import type {Obligations} from '../../core/policy/decision.ts';
import type {Agent} from '../../core/request/agent.ts';
import type {Operation} from '../../core/request/operation.ts';
import {createRecordingFile} from './append.ts';
import type {RecordingFailed} from './errors.ts';
import {RecordingWriter} from './writer.ts';

export interface RecordingOptions {
  /** The recording directory; made where it does not exist. */
  readonly directory: string;
  readonly auditID: string;
  readonly agent: Agent;
  readonly operation: Operation;
  readonly obligations: Pick<Obligations, 'masking' | 'recordMasking' | 'recordInput'>;
  /** Microseconds since the epoch. */
  readonly now: () => number;
  /**
   * Told once, when something cannot be recorded or masked: the stream must end at once. What was not yet on record
   * is never emitted.
   */
  readonly onFailure: (error: RecordingFailed) => void;
}

/** A stream's recording, from before its intent is on record until its outcome is. */
export interface Recording<Session> {
  readonly session: Session;
  /** Relative to the recording directory, for the intent. */
  readonly name: string;
  /** What was masked in what the agent was shown, so far. */
  readonly masked: {readonly counts: Readonly<MaskCounts>};
  /**
   * Both sides have ended: closes the recording.
   *
   * @returns for the outcome: what is in the file, also after a failure.
   * @throws {RecordingFailed} where it is not sure what is in the file.
   */
  finish(): Promise<SealedRecording>;
  /** Instead of `finish`, where the stream never began and no line of the audit log names the recording. */
  discard(): Promise<void>;
}

/**
 * Makes the file and writes the header.
 *
 * @throws {RecordingFailed} where that fails: the stream must not begin.
 */
export async function beginRecording(
  {directory, auditID, onFailure}: RecordingOptions,
  kind: RecordingKind,
  startedAtMicroseconds: number,
  header: string,
): Promise<{readonly name: string; readonly writer: RecordingWriter}> {
  const name = recordingName(auditID, startedAtMicroseconds, kind);
  const file = await createRecordingFile(directory, name);
  return {name, writer: await RecordingWriter.begin(file, header, onFailure)};
}
