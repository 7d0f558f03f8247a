import type {Detector} from './plan.ts';

/** Something that is hidden; offsets are of the bytes of its stream. */
export interface Finding {
  readonly detector: Detector | 'Field';
  readonly start: number;
  readonly end: number;
  /** Of the nearest member of JSON, as far as it is known. It may hold what must be hidden itself. */
  readonly name: string | undefined;
  /** Who issued the card, where that was asked for and is known. */
  readonly network?: string | undefined;
}

/** What a detector asks before it hides something, and tells when it does. Where nobody wants to know it has none. */
export interface FindingLog {
  /** Whether `network` is wanted: it has to be read before the digits are hidden. */
  readonly wantsNetwork: boolean;
  /** Whether what begins here is in a member that the detector leaves alone. */
  leaves(detector: Detector, start: number): boolean;
  /** Bytes of the stream are about to be overwritten, that may be part of the name of something that is found later. */
  beforeChange(): void;
  /** The name for a finding here. @param inString whether it stands in a string of JSON, behind its opening quote */
  nameAt(start: number, inString: boolean): string | undefined;
  add(finding: Finding): void;
}

/** The log of a stream that stands encoded in a string of another, as the other has it. */
export function logOfEncoded(log: FindingLog, encoded: (start: number, end: number) => [number, number]): FindingLog {
  const startOf = (start: number) => encoded(start, start + 1)[0];
  return {
    wantsNetwork: log.wantsNetwork,
    leaves: (detector, start) => log.leaves(detector, startOf(start)),
    beforeChange: () => log.beforeChange(),
    nameAt: (start) => log.nameAt(startOf(start), true),
    add: (finding) => {
      const [start, end] = encoded(finding.start, finding.end);
      log.add({...finding, start, end});
    },
  };
}

/** The log of a stream that is packed in [start, end) of another, where nothing has a place of its own. */
export function logOfWhole(log: FindingLog, start: number, end: number): FindingLog {
  return {
    wantsNetwork: log.wantsNetwork,
    leaves: (detector) => log.leaves(detector, start),
    beforeChange: () => log.beforeChange(),
    // What is packed is known at its end, when its start is out of sight.
    nameAt: () => log.nameAt(end - 1, true),
    add: (finding) => log.add({...finding, start, end}),
  };
}
