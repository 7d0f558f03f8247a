import type {Checkpoint} from '../control/messages.ts';
import {annotation} from './annotations.ts';
import {computeHash, maximumLineBytes, readSeal, type Seal} from './chain.ts';
import type {Fault, FaultKind} from './fault.ts';
import {type Line, LineSplitter} from './lines.ts';
import {ChainOrder} from './order.ts';
import {type RecordingClaim, RecordingClaims} from './recordingclaims.ts';
import {OpenCalls, type UnfinishedCalls} from './unfinished.ts';

export interface VerifySummary {
  /** Lines that are true to their own hash. */
  readonly records: number;
  readonly faults: number;
  /** Of the chain that the first readable line belongs to; undefined where there is none. */
  readonly origin: string | undefined;
  readonly firstSequence: number | undefined;
  readonly lastSequence: number | undefined;
  /** Calls with an intent and no outcome: in flight when the log was read, or cut short. No fault. */
  readonly unfinished: UnfinishedCalls;
}

/**
 * Verifies one proxy's audit log piece by piece: any bytes are judged, none make it throw, and what it holds does not
 * grow with the log.
 *
 * A tail that was cut, or a chain rewritten with true hashes, shows only against checkpoints; without them the verdict
 * is that the log is whole as far as it goes.
 */
export class LogVerifier {
  readonly #checkpoints: readonly Checkpoint[] | undefined;
  readonly #report: (fault: Fault) => void;
  readonly #lines = new LineSplitter(maximumLineBytes);
  readonly #decoder = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});
  readonly #openCalls = new OpenCalls();
  readonly #recordings: RecordingClaims;
  /** Hashes by sequence that checkpoints of this chain saw: one each, unless checkpoints contradict each other. */
  readonly #expected = new Map<number, Set<string>>();
  #furthest = -1;
  #order: ChainOrder | undefined;
  #unreadableAtStart = 0;
  #line = 0;
  #records = 0;
  #faults = 0;
  #first: Seal | undefined;
  #last: Seal | undefined;
  #highest = -1;

  /**
   * @param report Called for each fault, in order.
   * @param checkpoints Of any chains; undefined where there are none to compare with.
   * @param claim Told what the log says of each recording, for who can look at the files.
   */
  constructor(
    report: (fault: Fault) => void,
    checkpoints?: readonly Checkpoint[],
    claim: (claim: RecordingClaim) => void = () => {},
  ) {
    this.#report = report;
    this.#checkpoints = checkpoints;
    this.#recordings = new RecordingClaims(claim);
  }

  /** @param bytes The next bytes of the log, not to be changed afterwards. */
  push(bytes: Uint8Array): void {
    for (const line of this.#lines.push(bytes)) this.#judge(line);
  }

  end(): VerifySummary {
    for (const line of this.#lines.end()) this.#judge(line);
    this.#compareTail();
    this.#recordings.end();
    return {
      records: this.#records,
      faults: this.#faults,
      origin: this.#order?.head.origin,
      firstSequence: this.#first?.sequence,
      lastSequence: this.#last?.sequence,
      unfinished: this.#openCalls.unfinished(),
    };
  }

  #judge(line: Line): void {
    this.#line += 1;
    switch (line.kind) {
      case 'Torn':
        this.#fault('Torn', undefined, `the log ends inside a line, ${line.byteLength} bytes after its beginning`);
        return;
      case 'TooLong':
        this.#unplaced('TooLong', undefined, `the line is longer than ${maximumLineBytes} bytes`);
        return;
      case 'Whole':
        this.#judgeBytes(line.bytes);
    }
  }

  #judgeBytes(bytes: Buffer): void {
    if (bytes.length === 0) {
      this.#fault('BlankLine', undefined, 'the line is blank');
      return;
    }
    let record = bytes;
    if (bytes[bytes.length - 1] === 13) {
      record = bytes.subarray(0, -1);
      this.#fault('CarriageReturn', readSeal(record)?.sequence, 'the line ends with CR LF: the file was converted');
    }
    const seal = readSeal(record);
    if (seal === undefined) {
      this.#unplaced('NotARecord', undefined, 'the line does not end with a chain hash: changed, or not of this log');
      return;
    }
    if (computeHash(record) !== seal.hash) {
      this.#unplaced('Changed', seal.sequence, "the line's bytes do not match its hash");
      return;
    }
    const wrong = this.#read(record, seal);
    if (wrong !== undefined) {
      this.#unplaced('NotARecord', seal.sequence, wrong);
      return;
    }
    this.#records += 1;
    this.#place(seal);
  }

  /** Reads a line as other tools would. @returns what they would stumble over. */
  #read(record: Buffer, seal: Seal): string | undefined {
    let event: unknown;
    try {
      event = JSON.parse(this.#decoder.decode(record));
    } catch {
      return 'the line is not JSON in UTF-8';
    }
    const {kind, apiVersion, auditID, stage, annotations} = event as Record<string, unknown>;
    if (kind !== 'Event' || apiVersion !== 'audit.k8s.io/v1') return 'the line is not an Event of audit.k8s.io/v1';
    if (typeof auditID !== 'string' || typeof stage !== 'string') return 'the Event has no auditID or no stage';
    const sealed = annotations as Record<string, unknown> | null | undefined;
    if (
      sealed?.[annotation.chainOrigin] !== seal.origin ||
      sealed[annotation.chainSequence] !== String(seal.sequence) ||
      sealed[annotation.chainPrevious] !== seal.previous ||
      sealed[annotation.chainHash] !== seal.hash
    ) {
      return 'the chain annotations do not stand where a reader of the JSON would find them';
    }
    this.#openCalls.saw(auditID, stage, this.#line);
    this.#recordings.saw({auditID, stage, annotations: sealed, line: this.#line, sequence: seal.sequence});
    return undefined;
  }

  #place(seal: Seal): void {
    const order = this.#order ?? this.#begin(seal);
    if (seal.origin !== order.head.origin) {
      this.#fault('ForeignOrigin', seal.sequence, `the line is of origin ${seal.origin}, not ${order.head.origin}`);
      return;
    }
    this.#first ??= seal;
    this.#last = seal;
    this.#highest = Math.max(this.#highest, seal.sequence);
    const misplaced = order.place(seal);
    if (misplaced !== undefined) {
      this.#fault(misplaced.kind, seal.sequence, misplaced.message);
      return;
    }
    const expected = this.#expected.get(seal.sequence);
    if (expected !== undefined && (expected.size > 1 || !expected.has(seal.hash))) {
      this.#fault(
        'CheckpointMismatch',
        seal.sequence,
        `a checkpoint saw another line at sequence ${seal.sequence}: the chain was rewritten here or before`,
      );
    }
  }

  #begin(seal: Seal): ChainOrder {
    const order = new ChainOrder(seal.origin);
    for (let i = 0; i < this.#unreadableAtStart; i++) order.unreadable();
    this.#order = order;
    const own = this.#checkpoints?.filter(({origin}) => origin === seal.origin) ?? [];
    for (const {sequence, hash} of own) {
      this.#expected.set(sequence, (this.#expected.get(sequence) ?? new Set()).add(hash));
      this.#furthest = Math.max(this.#furthest, sequence);
    }
    if (this.#checkpoints !== undefined && own.length === 0) {
      this.#fault(
        'NoCheckpoint',
        seal.sequence,
        `no checkpoint is of origin ${seal.origin}: the log may have been replaced by one of another name`,
      );
    }
    return order;
  }

  #compareTail(): void {
    const missing = this.#furthest - this.#highest;
    if (missing > 0) {
      this.#fault(
        'CutTail',
        this.#highest,
        `the log ends at sequence ${this.#highest} and a checkpoint saw sequence ${this.#furthest}: ` +
          `the last ${missing === 1 ? 'line is' : `${missing} lines are`} missing`,
      );
    }
  }

  #unplaced(kind: FaultKind, sequence: number | undefined, message: string): void {
    if (this.#order === undefined) this.#unreadableAtStart += 1;
    else this.#order.unreadable();
    this.#fault(kind, sequence, message);
  }

  #fault(kind: FaultKind, sequence: number | undefined, message: string): void {
    this.#faults += 1;
    this.#report({kind, line: this.#line, sequence, message});
  }
}
