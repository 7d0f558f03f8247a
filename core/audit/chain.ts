import {hash} from 'node:crypto';
import type {Checkpoint} from '../control/messages.ts';
import {annotation} from './annotations.ts';

/** `chain-previous` of the first line of a chain. */
export const noPrevious = '0'.repeat(64);

/** A line past this is not written, and a verifier need not hold more of one line than this. */
export const maximumLineBytes = 8 * 1024 * 1024;

/** The largest record that still fits a line with its seal and what the log itself notes. */
export const maximumRecordBytes = maximumLineBytes - 1024;

/** No seal is longer. */
const maximumSealBytes = 512;

/** Where the next line goes. */
export interface ChainPosition {
  readonly origin: string;
  /** Of the next line, from 0. */
  readonly sequence: number;
  /** Hash of the line before, `noPrevious` for the first. */
  readonly previous: string;
}

/** What the end of a line says about its place in the chain. */
export interface Seal extends Checkpoint {
  readonly previous: string;
}

const originPattern = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/;

/** An origin needs no JSON escaping: letters, digits, `.`, `_` and `-`, at most 128. */
export function isChainOrigin(text: string): boolean {
  return originPattern.test(text);
}

/** The position after a line. */
export function positionAfter(head: Checkpoint): ChainPosition {
  return {origin: head.origin, sequence: head.sequence + 1, previous: head.hash};
}

/** What a record takes at most with its seal, in bytes: UTF-8 has no more than three for a code unit of UTF-16. */
export function sealedBytesAtMost(record: string): number {
  return record.length * 3 + maximumSealBytes;
}

/**
 * Closes a record with its place in the chain. The hash covers every byte before its own annotation, which stands last,
 * so a line vouches for its own bytes and, through `chain-previous`, for every line before it.
 *
 * Writes the line without its newline into `target`, which must have room for `sealedBytesAtMost`.
 *
 * @param record An event up to and including the value of its last annotation: neither the object nor `annotations` is closed.
 * @returns Where the line ends, and its hash in lower-case hex.
 */
export function sealInto(
  target: Buffer,
  start: number,
  record: string,
  at: ChainPosition,
): {readonly end: number; readonly hash: string} {
  let end = start + target.write(record, start);
  const place =
    `,"${annotation.chainOrigin}":"${at.origin}","${annotation.chainSequence}":"${at.sequence}",` +
    `"${annotation.chainPrevious}":"${at.previous}"`;
  end += target.write(place, end, 'latin1');
  const digest = hash('sha256', target.subarray(start, end));
  end += target.write(`,"${annotation.chainHash}":"${digest}"}}`, end, 'latin1');
  return {end, hash: digest};
}

/** The same for one line at hand. */
export function seal(record: string, at: ChainPosition): {readonly line: string; readonly hash: string} {
  const target = Buffer.allocUnsafe(sealedBytesAtMost(record));
  const sealed = sealInto(target, 0, record, at);
  return {line: target.toString('utf8', 0, sealed.end), hash: sealed.hash};
}

const sealPattern = new RegExp(
  `,"${annotation.chainOrigin}":"([A-Za-z0-9._-]{1,128})","${annotation.chainSequence}":"(0|[1-9][0-9]{0,14})",` +
    `"${annotation.chainPrevious}":"([0-9a-f]{64})","${annotation.chainHash}":"([0-9a-f]{64})"}}$`,
);

/** Bytes after those that the hash covers: `,"lockkeeper.dev/chain-hash":"` hash `"}}`. */
const hashAnnotationBytes = `,"${annotation.chainHash}":"${noPrevious}"}}`.length;

/**
 * Reads the seal at the end of a line. It says what the line claims; `computeHash` says what is true.
 *
 * @param line The bytes without the newline.
 * @returns undefined where the line does not end as `seal` ends it.
 */
export function readSeal(line: Buffer): Seal | undefined {
  const match = sealPattern.exec(line.toString('latin1', Math.max(0, line.length - maximumSealBytes)));
  if (match === null) return undefined;
  const [, origin = '', sequence = '', previous = '', digest = ''] = match;
  if (!isChainOrigin(origin)) return undefined;
  return {origin, sequence: Number(sequence), previous, hash: digest};
}

/** The hash that a line with a readable seal ought to carry, lower-case hex. */
export function computeHash(line: Buffer): string {
  return hash('sha256', line.subarray(0, line.length - hashAnnotationBytes));
}
