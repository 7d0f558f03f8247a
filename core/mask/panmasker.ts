import {ASTERISK, byteSet, DIGIT_0, DOT, HYPHEN, isDigit, PLUS, SPACE} from './bytes.ts';
import {CandidateSearch} from './candidatesearch.ts';
import type {FindingLog} from './findinglog.ts';
import {Findings, wordStart} from './findings.ts';
import {hideDigit} from './hide.ts';
import {mayBecomePanNumber, mayHoldPan} from './jsonnumber.ts';
import {JsonPosition} from './jsonposition.ts';
import type {MaskCounts, Masker, MaskMediaType} from './masker.ts';
import {networkAt} from './network.ts';
import {PAN_MINIMUM_DIGITS} from './pan.ts';
import type {PanPlan} from './plan.ts';
import {Readings} from './readings.ts';
import {ChunkScan} from './scan/chunkscan.ts';
import {BEFORE_BYTES} from './scan/scanner.ts';
import {DEFAULT_PAN} from './show.ts';
import {readTrack, readTrackCharacter, TRACK_SEPARATOR, TrackTail} from './track.ts';
import {readUnit, type Unit} from './unit.ts';
import {StreamWindow} from './window.ts';

const NUMBER = byteSet('0123456789-+.eE');

const NO_BYTES = Buffer.alloc(0);

const LOWER_E = 0x65;

/** Bytes at which more may stand than themselves. */
const COMPOUND = byteSet('\\%&\u001b\r');
COMPOUND.fill(1, 0x80);

/** What a PanMasker hides. */
export interface PanMaskerOptions {
  /** Undefined where card numbers are not hidden for themselves. */
  readonly pan: PanPlan | undefined;
  /** Whole tracks of a magnetic stripe, with the card number in them. */
  readonly tracks: boolean;
}

/**
 * Masks PANs in JSON or text, and tracks, which begin with one. Bytes are read one by one only where digits cluster
 * (`CandidateSearch`): digits and separators make a DigitRun, and a PAN in it is decided upon at the end of the word in
 * which it stands. What is carried from byte to byte depends on the bytes alone, never on where the chunks were cut.
 */
export class PanMasker implements Masker {
  readonly counts: MaskCounts = {PAN: 0};
  readonly #tracks: boolean;
  readonly #log: FindingLog | undefined;
  /** Whether digit runs longer than any card are searched inside. */
  readonly #inLongRuns: boolean;
  readonly #window = new StreamWindow();
  /** Only where the bytes are JSON. */
  readonly #json: JsonPosition | undefined;
  readonly #findings: Findings;
  readonly #readings: Readings;
  readonly #candidates: CandidateSearch;
  /** The next byte to read: after the bytes received, or at something that they do not complete. */
  #next = 0;
  /** Where something incomplete is that may become part of a candidate. */
  #openUnit: number | undefined;
  /** The rest of a track that was released before it had ended: it is hidden as it comes in. */
  #releasedTail: TrackTail | undefined;

  constructor(mediaType: MaskMediaType, {pan, tracks}: PanMaskerOptions, log?: FindingLog) {
    this.#tracks = tracks;
    this.#inLongRuns = pan?.longDigitRuns === true;
    this.#log = log;
    this.#json = mediaType === 'json' ? new JsonPosition(this.#window) : undefined;
    this.#findings = new Findings(this.#window, this.#json, this.counts, pan?.show, log);
    this.#readings = new Readings(
      pan ?? DEFAULT_PAN,
      (pan) => this.#findings.add(pan),
      (digit) => {
        // Digits behind `&#` are out before it is known that they are no reference.
        if (digit.end > -this.#window.bytesHeld) hideDigit(this.#window, digit);
      },
    );
    this.#candidates = new CandidateSearch(this.#window, this.#json !== undefined, this.#inLongRuns);
  }

  get heldBytes(): number {
    return this.#window.bytesHeld;
  }

  /** Whether a digit that comes next is hidden though nothing is known to be a PAN, after a flush. */
  get hidesNext(): boolean {
    return this.#readings.hidesNext || this.#releasedTail !== undefined;
  }

  /** @param scanned what is known of the chunk */
  push(chunk: Buffer, emit: (bytes: Buffer) => void, scanned?: ChunkScan): void {
    this.#candidates.open(scanned ?? new ChunkScan(chunk, this.#window.past(BEFORE_BYTES), this.#json === undefined));
    this.#advance(chunk, false, emit);
    this.#candidates.close();
  }

  flush(emit: (bytes: Buffer) => void): void {
    if (this.#json !== undefined || this.heldBytes === 0) return;
    this.#window.open(NO_BYTES);
    this.#findings.settleOpen(0);
    this.#releaseTrack();
    const unit = this.#openUnitFrom(0);
    this.#readings.release(unit);
    // What may become a digit that must be hidden has to be whole for that.
    const to = this.hidesNext ? unit : 0;
    this.#readings.release(to);
    this.#window.close(to, emit);
  }

  /** Where a track may have begun it is hidden as far as it has come. */
  #releaseTrack(): void {
    const at = this.#openUnit;
    if (!this.#tracks || at === undefined || this.#releasedTail !== undefined) return;
    const start = this.#readings.panStart(at);
    if (start === undefined) return;
    if (readTrack(this.#window, at, 0, false, false).kind !== 'incomplete') return;
    const tail = new TrackTail();
    // Half an escape is no tail yet.
    if (readTrackCharacter(this.#window, at, 0, false, false).length === 0) return;
    this.#overwrite(start, at);
    this.#readings.discard();
    this.#releasedTail = tail;
    this.#openUnit = undefined;
    this.#next = at;
    while (this.#next < 0 && this.#openUnit === undefined && this.#releasedTail !== undefined) {
      this.#next = this.#readReleasedTail(tail, this.#next, 0, false);
    }
  }

  end(emit: (bytes: Buffer) => void): void {
    this.#advance(NO_BYTES, true, emit);
    this.#window.reset();
    this.#json?.reset();
    this.#findings.reset();
    this.#next = 0;
  }

  #advance(chunk: Buffer, final: boolean, emit: (bytes: Buffer) => void): void {
    this.#window.open(chunk);
    this.#scan(chunk, final);
    const holdFrom = final ? chunk.length : this.#openFrom(chunk.length);
    this.#json?.inString(holdFrom);
    const bytes = this.#window.close(holdFrom, emit);
    this.#readings.rebase(bytes);
    this.#json?.rebase(bytes);
    this.#findings.rebase(bytes);
    this.#next -= bytes;
    if (this.#openUnit !== undefined) this.#openUnit -= bytes;
  }

  #scan(chunk: Buffer, final: boolean): void {
    let next = this.#next;
    this.#openUnit = undefined;
    let stopped = false;
    while (next < chunk.length && !stopped) {
      if (next >= 0 && this.#isIdleAt(next)) next = this.#candidates.next(next);
      const from = next;
      next = this.#read(from, chunk.length, final);
      stopped = next === from;
    }
    this.#next = next;
    if (!final) return;
    this.#endReleasedTail();
    this.#readings.endAll();
    this.#findings.settle(chunk.length);
  }

  #isIdleAt(at: number): boolean {
    return this.#readings.isIdleAt(at) && this.#findings.none && this.#releasedTail === undefined;
  }

  /**
   * Reads at least one byte, and on until no candidate is open; gives the index after it. Stops before what is not
   * complete.
   */
  #read(from: number, end: number, final: boolean): number {
    const readings = this.#readings;
    let at = from;
    while (at < end) {
      const byte = this.#window.byteAt(at);
      if (this.#tracks && (TRACK_SEPARATOR[byte] === 1 || this.#releasedTail !== undefined)) {
        const trackEnd = this.#readTrack(at, end, final);
        if (this.#openUnit !== undefined) return at;
        if (trackEnd > at) {
          at = trackEnd;
          continue;
        }
      }
      let length = 1;
      if (isDigit(byte)) readings.addDigit(byte - DIGIT_0, at, at + 1);
      else if (byte === SPACE || byte === HYPHEN || byte === PLUS) readings.addSeparator('gap', at);
      else if (byte === DOT) readings.addSeparator('dot', at);
      else if (COMPOUND[byte] === 1) {
        length = this.#addUnit(readUnit(this.#window, at, end, final, this.#json !== undefined), at);
      } else {
        if ((byte | 0x20) === LOWER_E) this.#endMantissa(at);
        readings.end(at);
      }
      if (this.#openUnit === undefined) this.#findings.settleAt(at, byte);
      if (length === 0) return at;
      at += length;
      if (this.#isIdleAt(at)) return at;
    }
    return at;
  }

  /** Gives where the track ends that stands before `at` and goes on there, or what is read of it; `at` if none does. */
  #readTrack(at: number, end: number, final: boolean): number {
    if (this.#releasedTail !== undefined) return this.#readReleasedTail(this.#releasedTail, at, end, final);
    const start = this.#readings.panStart(at);
    if (start === undefined) return at;
    const read = readTrack(this.#window, at, end, final, this.#json !== undefined);
    if (read.kind === 'incomplete') this.#openUnit = at;
    if (read.kind !== 'track' || this.#log?.leaves('TrackData', this.#window.offset + start)) return at;
    this.#logTrack(start, at, read.end);
    this.#overwrite(start, read.end);
    this.counts.TrackData = (this.counts.TrackData ?? 0) + 1;
    this.#readings.discard();
    this.#findings.settle(start);
    return read.end;
  }

  /** @param separator where the card number ends in it */
  #logTrack(from: number, separator: number, to: number): void {
    const log = this.#log;
    if (log === undefined) return;
    const [start, end] = [this.#window.offset + from, this.#window.offset + to];
    const name = log.nameAt(start, this.#json?.inString(from) === true);
    const network = log.wantsNetwork ? networkAt(this.#window, from, separator, this.#json !== undefined) : undefined;
    log.add({detector: 'TrackData', start, end, name, network});
    log.beforeChange();
  }

  #readReleasedTail(tail: TrackTail, at: number, end: number, final: boolean): number {
    const {code, length} = readTrackCharacter(this.#window, at, end, final, false);
    if (length === 0) {
      this.#openUnit = at;
      return at;
    }
    if (!tail.add(code)) {
      this.#endReleasedTail();
      return at;
    }
    // Where it is no track after all, it may be another card.
    if (isDigit(code)) this.#readings.addDigit(code - DIGIT_0, at, at + length);
    else this.#readings.end(at);
    this.#overwrite(at, at + length);
    return at + length;
  }

  #endReleasedTail(): void {
    if (this.#releasedTail === undefined) return;
    if (this.#releasedTail.accepted) this.counts.TrackData = (this.counts.TrackData ?? 0) + 1;
    else this.counts.PAN++;
    this.#releasedTail = undefined;
  }

  /** Hides what of [from, to) is not emitted yet. */
  #overwrite(from: number, to: number): void {
    for (let at = Math.max(from, -this.#window.bytesHeld); at < to; at++) this.#window.overwrite(at, ASTERISK);
  }

  /** Gives the length of what is read, 0 if it is incomplete. */
  #addUnit(unit: Unit, at: number): number {
    const readings = this.#readings;
    if (unit.kind === 'incomplete') {
      if (unit.open) this.#openUnit = at;
      else readings.end(at);
      return 0;
    }
    const {length, decoded} = unit;
    if (decoded !== undefined) readings.addDecoded(decoded, at);
    if (unit.kind === 'known') {
      readings.add(unit.meaning, at, length);
      return length;
    }
    readings.end(at);
    for (let index = at + length - 4; index < at + length; index++) {
      readings.addDigit(this.#window.byteAt(index) - DIGIT_0, index, index + 1);
    }
    readings.addBoundary(at + length - 1);
    return length;
  }

  /** At the `e` of a JSON number: its digits are pending where the exponent can make a card of them. */
  #endMantissa(at: number): void {
    if (!isDigit(this.#window.byteAt(at - 1))) return;
    const start = this.#openNumber(at);
    if (at - start >= PAN_MINIMUM_DIGITS) this.#findings.addMantissa(start, at);
  }

  /** The first byte that may yet be hidden. */
  #openFrom(end: number): number {
    const run = this.#readings.openFrom() ?? end;
    return Math.min(run, this.#findings.openFrom(end), this.#openUnitFrom(end), this.#openNumber(end));
  }

  /** Where something incomplete starts, or what of it is not released yet. */
  #openUnitFrom(end: number): number {
    return this.#openUnit === undefined ? end : Math.max(this.#openUnit, -this.#window.bytesHeld);
  }

  /** Where the number token starts that the received bytes end with and that may be a card, `end` if there is none. */
  #openNumber(end: number): number {
    if (this.#json === undefined) return end;
    let start = wordStart(this.#window, end, NUMBER);
    while (start < end && !isNumberStart(this.#window.byteAt(start))) start++;
    // Where its start is emitted already it was ruled out then.
    if (start === end || start < -this.#window.bytesHeld) return end;
    const token = this.#window.text(start, end);
    const open = !this.#findings.none || mayBecomePanNumber(token) || (this.#inLongRuns && mayHoldPan(token));
    return open && !this.#json.inString(start) ? start : end;
  }
}

function isNumberStart(byte: number): boolean {
  return byte === HYPHEN || isDigit(byte);
}
