/**
 * What can be wrong with a log.
 *
 * - BlankLine, CarriageReturn, TooLong, NotARecord: the line is not one that a proxy wrote.
 * - Changed: the bytes do not match the line's own hash.
 * - Gap: lines are missing before this one.
 * - Reordered: the line comes after lines that followed it. Repeated: its sequence stood before (copied or inserted).
 * - Unchained: it does not continue the line before, which was replaced, or the chain was written anew from here.
 * - Restarted: the chain begins again in the middle. ForeignOrigin: the line is of another proxy's chain.
 * - Torn: the file ends inside a line.
 * - CheckpointMismatch: the chain is not the one that a checkpoint saw. CutTail: it ends before a checkpoint.
 *   NoCheckpoint: checkpoints were given, none of them of this chain.
 * - RecordingMissing, RecordingChanged, RecordingUnreadable: of the recording that the line names.
 */
export type FaultKind =
  | 'BlankLine'
  | 'CarriageReturn'
  | 'TooLong'
  | 'NotARecord'
  | 'Changed'
  | 'Gap'
  | 'Reordered'
  | 'Repeated'
  | 'Unchained'
  | 'Restarted'
  | 'ForeignOrigin'
  | 'Torn'
  | 'CheckpointMismatch'
  | 'CutTail'
  | 'NoCheckpoint'
  | 'RecordingMissing'
  | 'RecordingChanged'
  | 'RecordingUnreadable';

export interface Fault {
  readonly kind: FaultKind;
  /** In the file, from 1; for what is missing at the end, the last line there is. */
  readonly line: number;
  /** That the line claims; undefined where it cannot be read. */
  readonly sequence: number | undefined;
  readonly message: string;
}
