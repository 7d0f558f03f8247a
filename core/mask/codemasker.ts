import {ASTERISK, byteSet, DOT, hexValue, isDigit, PERCENT, QUOTE} from './bytes.ts';
import {nameBefore} from './codename.ts';
import type {FindingLog} from './findinglog.ts';
import {JsonPosition} from './jsonposition.ts';
import type {MaskCounts, MaskMediaType} from './masker.ts';
import {NameSearch} from './namesearch.ts';
import {ChunkScan} from './scan/chunkscan.ts';
import {BEFORE_BYTES} from './scan/scanner.ts';
import {StreamWindow} from './window.ts';

export const CODE_MINIMUM_DIGITS = 3;
const CODE_MAXIMUM_DIGITS = 4;
/** ISO 9564: formats 0 to 3 have 64 bits, format 4 has 128. */
const PIN_BLOCK_DIGITS: readonly number[] = [16, 32];
const PIN_BLOCK_MINIMUM_DIGITS = 16;
const PIN_BLOCK_MAXIMUM_DIGITS = 32;

/** One byte of so many is read, so that of each code and of each PIN block one is. */
const CODE_STRIDE = CODE_MINIMUM_DIGITS;
const PIN_BLOCK_STRIDE = 15;

const WORD = byteSet('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_');
const DIGIT = byteSet('0123456789');
const HEX = byteSet('0123456789abcdefABCDEF');

/** What stands before a value: the end of its name's assignment. */
const BEFORE_VALUE = byteSet('"\'=:> \tadeADE');

const NO_BYTES = Buffer.alloc(0);

/**
 * Hides card verification codes and PIN blocks, whole, where a name beside them says what they are (PCI DSS 3.3.1).
 * Nothing is held back but a value of such a name that has not ended.
 */
export class CodeMasker {
  readonly counts: MaskCounts = {PAN: 0};
  readonly #window = new StreamWindow();
  readonly #names = new NameSearch();
  /** Only where the bytes are JSON. */
  readonly #json: JsonPosition | undefined;
  readonly #log: FindingLog | undefined;
  #scanned: ChunkScan | undefined;
  /** Where a value begins that has not ended. */
  #open: number | undefined;
  /** Digits of a value that was released before it had ended: the others are hidden as they come in. */
  #released: {kind: 'code' | 'pinBlock'; digits: number} | undefined;

  constructor(mediaType: MaskMediaType, log?: FindingLog) {
    this.#log = log;
    this.#json = mediaType === 'json' ? new JsonPosition(this.#window) : undefined;
  }

  get heldBytes(): number {
    return this.#window.bytesHeld;
  }

  /** Whether what comes next is hidden though it is not known what it is, after a flush. */
  get hidesNext(): boolean {
    return this.#released !== undefined;
  }

  /** @param scanned what is known of the chunk */
  push(chunk: Buffer, emit: (bytes: Buffer) => void, scanned?: ChunkScan): void {
    this.#scanned = scanned ?? new ChunkScan(chunk, this.#window.past(BEFORE_BYTES), this.#json === undefined);
    this.#advance(chunk, false, emit);
    this.#scanned = undefined;
  }

  /** What is known of these bytes while they are emitted. */
  scanOf(bytes: Buffer): ChunkScan | undefined {
    return this.#window.isChanged ? undefined : this.#scanned?.of(bytes);
  }

  /** What is released of a value is hidden, and so is what follows of it. */
  flush(emit: (bytes: Buffer) => void): void {
    const start: number | undefined = this.#open;
    if (this.#json !== undefined || start === undefined) return;
    const kind = nameBefore(this.#window, start) ?? 'code';
    this.#window.open(NO_BYTES);
    const end = this.#runEnd(start, 0);
    this.#hide(start, end);
    if (end >= 0) this.#released = {kind, digits: end - start};
    else if (end - start >= CODE_MINIMUM_DIGITS) this.#count();
    this.#open = undefined;
    this.#window.close(0, emit);
  }

  end(emit: (bytes: Buffer) => void): void {
    this.#advance(NO_BYTES, true, emit);
    this.#window.reset();
    this.#names.reset();
    this.#json?.reset();
  }

  #advance(chunk: Buffer, final: boolean, emit: (bytes: Buffer) => void): void {
    this.#window.open(chunk);
    const from = this.#hideReleased(chunk, final);
    const open = this.#open;
    this.#open = undefined;
    const known = open === undefined ? from : this.#decide(open, chunk.length, final);
    if (this.#scanned !== undefined) this.#scan(this.#scanned, known, final);
    const holdFrom = this.#open ?? chunk.length;
    this.#json?.inString(holdFrom);
    const bytes = this.#window.close(holdFrom, emit);
    this.#names.rebase(bytes);
    this.#json?.rebase(bytes);
    this.#rebase(bytes);
  }

  #count(): void {
    this.counts.CardVerificationCode = (this.counts.CardVerificationCode ?? 0) + 1;
  }

  #rebase(bytes: number): void {
    if (this.#open !== undefined) this.#open -= bytes;
  }

  /** Reads what stands behind names, of which there are few. */
  #scan(scanned: ChunkScan, from: number, final: boolean): void {
    const parts = this.#names.parts(scanned);
    for (let part = 0; part < parts.length; part += 2) {
      const [start, to] = [Math.max(from, parts[part] as number), parts[part + 1] as number];
      if (start < to) this.#scanNamed(scanned.chunk, start, to, final);
    }
  }

  #scanNamed(chunk: Buffer, from: number, to: number, final: boolean): void {
    const {length} = chunk;
    let at = from;
    let nextHex = from;
    while (at < to) {
      const byte = chunk[at] as number;
      if (DIGIT[byte] === 1 && mayBeCode(chunk, at)) this.#readRun(at, length, final);
      if (at >= nextHex) {
        nextHex = at + PIN_BLOCK_STRIDE - CODE_STRIDE;
        if (HEX[byte] === 1 && mayBePinBlock(chunk, at)) this.#readRun(at, length, final);
      }
      at += CODE_STRIDE;
    }
    if (to < length) return;
    // The last byte may be the first of a value, and after those that were read.
    const tail = length - 1;
    if (this.#open === undefined && tail >= from && HEX[chunk[tail] as number] === 1) {
      this.#readRun(tail, length, final);
    }
    // Or it is the dot after a value.
    if (this.#open === undefined && tail > from && chunk[tail] === DOT && DIGIT[chunk[tail - 1] as number] === 1) {
      this.#readRun(tail - 1, length, final);
    }
  }

  /** Decides about the value in which the digit at this index stands. */
  #readRun(at: number, end: number, final: boolean): void {
    const window = this.#window;
    let start = at;
    while (at - start <= PIN_BLOCK_MAXIMUM_DIGITS && HEX[window.byteAt(start - 1)] === 1) start--;
    if (start < -window.bytesHeld || BEFORE_VALUE[window.byteAt(start - 1)] === 0) start = this.#digitsAfter(start, at);
    if (start < -window.bytesHeld || BEFORE_VALUE[window.byteAt(start - 1)] === 0) return;
    this.#decide(start, end, final);
  }

  /** Behind a percent-encoded equals sign the last hex digit of that is none of the value's. */
  #digitsAfter(start: number, at: number): number {
    const window = this.#window;
    const isEncoded = window.byteAt(start - 1) === PERCENT || window.byteAt(start - 1) === 0x75;
    const value = start + (window.byteAt(start - 1) === PERCENT ? 2 : 4);
    return isEncoded && value <= at ? value : start;
  }

  /** Decides about the value that begins here. Gives where it ends, or `end` where that has not come. */
  #decide(start: number, end: number, final: boolean): number {
    const runEnd = this.#runEnd(start, end);
    const length = runEnd - start;
    if (length > PIN_BLOCK_MAXIMUM_DIGITS) return runEnd;
    const after = this.#window.byteAt(runEnd);
    const isOpen = !final && (runEnd === end || (after === DOT && runEnd + 1 === end));
    if (!isOpen && !this.#isEnd(runEnd, end)) return runEnd;
    const isCode = length <= CODE_MAXIMUM_DIGITS && this.#areDigits(start, runEnd);
    if (!isOpen && !(isCode && length >= CODE_MINIMUM_DIGITS) && !PIN_BLOCK_DIGITS.includes(length)) return runEnd;
    const name = nameBefore(this.#window, start);
    if (name === undefined || (name === 'code' && !isCode) || (name === 'pinBlock' && isCode && !isOpen)) return runEnd;
    if (isOpen) {
      this.#open = start;
      return end;
    }
    if (this.#log?.leaves('CardVerificationCode', this.#window.offset + start)) return runEnd;
    this.#count();
    this.#logCode(start, runEnd);
    this.#hide(start, runEnd);
    return runEnd;
  }

  #logCode(from: number, to: number): void {
    const log = this.#log;
    if (log === undefined) return;
    const [start, end] = [this.#window.offset + from, this.#window.offset + to];
    const name = log.nameAt(start, this.#json?.inString(from) === true);
    log.add({detector: 'CardVerificationCode', start, end, name});
    log.beforeChange();
  }

  #runEnd(start: number, end: number): number {
    let at = start;
    while (at < end && at - start <= PIN_BLOCK_MAXIMUM_DIGITS && HEX[this.#window.byteAt(at)] === 1) at++;
    return at;
  }

  #areDigits(from: number, to: number): boolean {
    for (let at = from; at < to; at++) if (!isDigit(this.#window.byteAt(at))) return false;
    return true;
  }

  /** Whether the value does not go on as a word or with a fraction. */
  #isEnd(at: number, end: number): boolean {
    const after = at < end ? this.#window.byteAt(at) : 0;
    if (WORD[after] === 1) return false;
    return after !== DOT || at + 1 >= end || !isDigit(this.#window.byteAt(at + 1));
  }

  /** A JSON number becomes a string of the same length. */
  #hide(start: number, end: number): void {
    const isNumber = this.#json?.inString(start) === false;
    for (let at = start; at < end; at++) {
      const isOuter = isNumber && (at === start || at === end - 1);
      this.#window.overwrite(at, isOuter ? QUOTE : ASTERISK);
    }
  }

  /** Gives where the released value ends. */
  #hideReleased(chunk: Buffer, final: boolean): number {
    const released = this.#released;
    if (released === undefined) return 0;
    const maximum = released.kind === 'code' ? CODE_MAXIMUM_DIGITS : PIN_BLOCK_MAXIMUM_DIGITS;
    let at = 0;
    while (at < chunk.length && released.digits < maximum && hexValue(chunk[at] as number) >= 0) {
      this.#window.overwrite(at, ASTERISK);
      released.digits++;
      at++;
    }
    if (at === chunk.length && !final) return at;
    this.#released = undefined;
    const {kind, digits} = released;
    if (kind === 'code' ? digits >= CODE_MINIMUM_DIGITS : PIN_BLOCK_DIGITS.includes(digits)) {
      this.#count();
    }
    return at;
  }
}

/** Whether the digit at `at` can be one of a code, as far as the chunk shows. */
function mayBeCode(chunk: Buffer, at: number): boolean {
  let start = at;
  while (start > 0 && DIGIT[chunk[start - 1] as number] === 1) {
    start--;
    if (at - start >= CODE_MAXIMUM_DIGITS) return false;
  }
  if (start === 0) return true;
  if (BEFORE_VALUE[chunk[start - 1] as number] === 0) return false;
  let end = at + 1;
  while (end < chunk.length && DIGIT[chunk[end] as number] === 1) {
    end++;
    if (end - start > CODE_MAXIMUM_DIGITS) return false;
  }
  return end >= chunk.length - 1 || end - start >= CODE_MINIMUM_DIGITS;
}

/** Whether the hex digit at `at` can be one of a PIN block, as far as the chunk shows. */
function mayBePinBlock(chunk: Buffer, at: number): boolean {
  let start = at;
  while (start > 0 && HEX[chunk[start - 1] as number] === 1) {
    start--;
    if (at - start > PIN_BLOCK_MAXIMUM_DIGITS) return false;
  }
  // Behind what is encoded the value begins later.
  if (start > 0 && chunk[start - 1] !== PERCENT && BEFORE_VALUE[chunk[start - 1] as number] === 0) return false;
  let end = at + 1;
  while (end < chunk.length && HEX[chunk[end] as number] === 1) {
    end++;
    if (end - start > PIN_BLOCK_MAXIMUM_DIGITS + 4) return false;
  }
  return start === 0 || end >= chunk.length - 1 || end - start >= PIN_BLOCK_MINIMUM_DIGITS;
}
