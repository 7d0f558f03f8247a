import type {Fault} from '../../core/audit/fault.ts';
import type {VerifySummary} from '../../core/audit/verify.ts';
import type {RecordingsSummary} from './recordings.ts';

/** What was found in one file, and in the recordings that it names. */
export interface FileSummary extends VerifySummary {
  /** `named`: how many there are, where nobody said where. */
  readonly recordings: RecordingsSummary | {readonly named: number};
}

/** What was found of one file. */
export type FileVerdict =
  | {readonly file: string; readonly result: 'Whole'; readonly summary: FileSummary}
  | {
      readonly file: string;
      readonly result: 'NotWhole';
      readonly summary: FileSummary;
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
  /** Files of the recording directory that no log given names; undefined where no directory was given. */
  readonly unnamedRecordings?: readonly string[];
}

/** For programs: one JSON object. */
export function json(verdict: Verdict): string {
  return `${JSON.stringify(verdict, null, 2)}\n`;
}

/** For people: the verdict, and beside it what to know of its limits. */
export function text(verdict: Verdict): {readonly out: string; readonly error: string} {
  const {files, missing, unnamedRecordings = []} = verdict;
  const lines = files.flatMap(describe);
  for (const {origin, sequence} of missing) {
    lines.push(
      `no file given holds origin ${origin}, which a checkpoint saw at sequence ${sequence}: ` +
        'give its log too, or leave out its checkpoint where the log is kept elsewhere',
    );
  }
  if (unnamedRecordings.length > 0) {
    lines.push(
      `note: no log given names ${counted(unnamedRecordings.length, 'file')} of the recording directory: ` +
        listed(unnamedRecordings.map((name) => JSON.stringify(name))),
    );
  }
  return {out: lines.map((line) => `${line}\n`).join(''), error: limits(verdict)};
}

/** What could not show with what was given. */
function limits({files, checkpointsGiven}: Verdict): string {
  const unchecked = files.reduce((sum, file) => {
    if (file.result === 'Unreadable') return sum;
    const {recordings} = file.summary;
    return sum + ('named' in recordings ? recordings.named : 0);
  }, 0);
  return (
    (checkpointsGiven
      ? ''
      : 'note: no checkpoints were given: a tail that was cut off, or a chain written anew, would not show\n') +
    (unchecked === 0 ? '' : `note: ${counted(unchecked, 'recording')} not checked: say where with --recordings\n`)
  );
}

function describe(verdict: FileVerdict): string[] {
  switch (verdict.result) {
    case 'Unreadable':
      return [`${verdict.file}: cannot be read: ${verdict.message}`];
    case 'Whole':
      return [`${verdict.file}: whole: ${extent(verdict.summary)}`, ...recordings(verdict), ...unfinished(verdict)];
    case 'NotWhole': {
      const {file, summary, faults} = verdict;
      const more = summary.faults - faults.length;
      return [
        `${file}: NOT WHOLE: ${counted(summary.faults, 'fault')} in ${extent(summary)}`,
        ...faults.map(({line, sequence, kind, message}) => {
          const place = sequence === undefined ? `${file}:${line}` : `${file}:${line}: sequence ${sequence}`;
          return `${place}: ${kind}: ${message}`;
        }),
        ...(more > 0 ? [`${file}: and ${more} more`] : []),
        ...recordings(verdict),
        ...unfinished(verdict),
      ];
    }
  }
}

function extent({records, firstSequence, lastSequence, origin}: VerifySummary): string {
  if (origin === undefined) return 'no records';
  return `${counted(records, 'record')}, sequence ${firstSequence} to ${lastSequence}, origin ${origin}`;
}

function unfinished({file, summary}: {readonly file: string; readonly summary: VerifySummary}): string[] {
  const {count, examples} = summary.unfinished;
  if (count === 0) return [];
  const calls = count === 1 ? '1 call has' : `${count} calls have`;
  const which = examples.map(({auditID, line}) => `${auditID} (line ${line})`).join(', ');
  return [`${file}: note: ${calls} an intent and no outcome, still in flight or cut short: ${which}`];
}

function recordings({file, summary}: {readonly file: string; readonly summary: FileSummary}): string[] {
  if ('named' in summary.recordings) return [];
  const {whole, unfinished} = summary.recordings;
  const lines = whole === 0 ? [] : [`${file}: ${counted(whole, 'recording')} whole`];
  if (unfinished.count > 0) {
    lines.push(
      `${file}: note: ${counted(unfinished.count, 'recording')} without an outcome, still under way or cut short: ` +
        listed(unfinished.examples, unfinished.count),
    );
  }
  return lines;
}

const maximumListed = 10;

function listed(names: readonly string[], count = names.length): string {
  const shown = names.slice(0, maximumListed);
  return shown.join(', ') + (count > shown.length ? ` and ${count - shown.length} more` : '');
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}
