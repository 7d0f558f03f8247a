import type {Fault} from '../../core/audit/fault.ts';
import type {VerifySummary} from '../../core/audit/verify.ts';

/** What was found of one file. */
export type FileVerdict =
  | {readonly file: string; readonly result: 'Whole'; readonly summary: VerifySummary}
  | {
      readonly file: string;
      readonly result: 'NotWhole';
      readonly summary: VerifySummary;
      /** The first of them; the summary counts all. */
      readonly faults: readonly Fault[];
    }
  | {readonly file: string; readonly result: 'Unreadable'; readonly message: string};

/** A chain that checkpoints know and no file holds. */
export interface MissingLog {
  readonly origin: string;
  /** The furthest that a checkpoint saw. */
  readonly sequence: number;
}

export interface Verdict {
  readonly files: readonly FileVerdict[];
  readonly missing: readonly MissingLog[];
  readonly checkpointsGiven: boolean;
}

/** For programs: one JSON object. */
export function json(verdict: Verdict): string {
  return `${JSON.stringify(verdict, null, 2)}\n`;
}

/** For people: the verdict, and beside it what to know of its limits. */
export function text({files, missing, checkpointsGiven}: Verdict): {readonly out: string; readonly error: string} {
  const lines = files.flatMap(describe);
  for (const {origin, sequence} of missing) {
    lines.push(
      `no file given holds origin ${origin}, which a checkpoint saw at sequence ${sequence}: ` +
        'give its log too, or leave out its checkpoint where the log is kept elsewhere',
    );
  }
  const limits = checkpointsGiven
    ? ''
    : 'note: no checkpoints were given: a tail that was cut off, or a chain written anew, would not show\n';
  return {out: lines.map((line) => `${line}\n`).join(''), error: limits};
}

function describe(verdict: FileVerdict): string[] {
  switch (verdict.result) {
    case 'Unreadable':
      return [`${verdict.file}: cannot be read: ${verdict.message}`];
    case 'Whole':
      return [`${verdict.file}: whole: ${extent(verdict.summary)}`, ...unfinished(verdict)];
    case 'NotWhole': {
      const {file, summary, faults} = verdict;
      const counted = summary.faults === 1 ? '1 fault' : `${summary.faults} faults`;
      const more = summary.faults - faults.length;
      return [
        `${file}: NOT WHOLE: ${counted} in ${extent(summary)}`,
        ...faults.map(({line, sequence, kind, message}) => {
          const place = sequence === undefined ? `${file}:${line}` : `${file}:${line}: sequence ${sequence}`;
          return `${place}: ${kind}: ${message}`;
        }),
        ...(more > 0 ? [`${file}: and ${more} more`] : []),
        ...unfinished(verdict),
      ];
    }
  }
}

function extent({records, firstSequence, lastSequence, origin}: VerifySummary): string {
  if (origin === undefined) return 'no records';
  const counted = records === 1 ? '1 record' : `${records} records`;
  return `${counted}, sequence ${firstSequence} to ${lastSequence}, origin ${origin}`;
}

function unfinished({file, summary}: {readonly file: string; readonly summary: VerifySummary}): string[] {
  const {count, examples} = summary.unfinished;
  if (count === 0) return [];
  const calls = count === 1 ? '1 call has' : `${count} calls have`;
  const which = examples.map(({auditID, line}) => `${auditID} (line ${line})`).join(', ');
  return [`${file}: note: ${calls} an intent and no outcome, still in flight or cut short: ${which}`];
}
