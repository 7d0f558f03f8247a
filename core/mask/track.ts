import {BACKSLASH, byteSet, hexValue, isDigit, PERCENT} from './bytes.ts';
import {readEscape} from './escape.ts';
import type {StreamWindow} from './window.ts';

const CARET = 0x5e;
const EQUALS = 0x3d;
const QUESTION_MARK = 0x3f;
const SPACE = 0x20;
const UPPER_D = 0x44;
const UPPER_F = 0x46;

/** Bytes with which what separates the number from the rest of the track can begin, as it stands or encoded. */
export const TRACK_SEPARATOR = byteSet('^=Dd%\\');

/** Characters of which no name consists, as an encoder of tracks would write it. */
const NOT_IN_NAME = byteSet('"?^%;=<>{}[]|`');
NOT_IN_NAME.fill(1, 0, SPACE);

/** Discretionary data of track 1, and what separates empty fields. */
const DISCRETIONARY = byteSet('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ /^=*');

/** The first digit of a service code. */
const INTERCHANGE = byteSet('125679');

const NAME_MAXIMUM_CHARACTERS = 40;
/** All that can follow the number: 79 characters are on track 1, 40 on track 2. */
const TAIL_MAXIMUM_CHARACTERS = 79;
/** The same in bytes, as what is held back is bounded; only with every character escaped would there be more. */
export const TAIL_MAXIMUM_BYTES = 360;

const EXPIRY_DIGITS = 4;
const SERVICE_CODE_DIGITS = 3;

type State = 'separator' | 'name' | 'expiry' | 'serviceCode' | 'rest' | 'complete';

/**
 * What follows the card number on a magnetic stripe (ISO/IEC 7813), character by character: on track 1 a name between
 * carets, on track 2 an equals sign, or a D in the hex of a chip (EMV tag 57); then year and month of expiry, the
 * service code, and data of the issuer's own up to a question mark.
 */
export class TrackTail {
  #state: State = 'separator';
  #isTrack1 = false;
  #isHex = false;
  #characters = 0;
  /** Of the field that is being read. */
  #fieldCharacters = 0;
  #month = 0;
  #accepted = false;

  /** Whether it is a track for certain, whatever follows. */
  get accepted(): boolean {
    return this.#accepted;
  }

  /** Takes the next character. False if it is not part of the track: then it has ended, if it was one. */
  add(character: number): boolean {
    if (this.#characters === TAIL_MAXIMUM_CHARACTERS) return false;
    this.#characters++;
    switch (this.#state) {
      case 'separator':
        this.#isTrack1 = character === CARET;
        this.#isHex = (character & 0xdf) === UPPER_D;
        this.#enter(this.#isTrack1 ? 'name' : 'expiry');
        return this.#isTrack1 || this.#isHex || character === EQUALS;
      case 'name':
        if (character === CARET) this.#enter('expiry');
        else if (NOT_IN_NAME[character] === 1 || ++this.#fieldCharacters > NAME_MAXIMUM_CHARACTERS) return false;
        return true;
      case 'expiry':
        return this.#addToExpiry(character);
      case 'serviceCode':
        return this.#addToServiceCode(character);
      case 'rest':
        return this.#addToRest(character);
      case 'complete':
        return false;
    }
  }

  #addToExpiry(character: number): boolean {
    if (this.#isTrack1 && character === CARET && this.#fieldCharacters === 0) this.#accept('serviceCode');
    else if (!isDigit(character)) return false;
    else if (++this.#fieldCharacters > 2) this.#month = this.#month * 10 + character - 0x30;
    if (this.#fieldCharacters < EXPIRY_DIGITS) return true;
    if (this.#month < 1 || this.#month > 12) return false;
    if (this.#isTrack1) this.#accept('serviceCode');
    else this.#enter('serviceCode');
    return true;
  }

  #addToServiceCode(character: number): boolean {
    if (this.#isTrack1 && !isDigit(character)) return this.#addToRest(character);
    if (!isDigit(character)) return false;
    // In hex a D is also a digit, so more has to speak for a track.
    if (this.#isHex && this.#fieldCharacters === 0 && INTERCHANGE[character] === 0) return false;
    if (++this.#fieldCharacters === SERVICE_CODE_DIGITS) this.#accept('rest');
    return true;
  }

  #addToRest(character: number): boolean {
    this.#state = 'rest';
    if (character === QUESTION_MARK) {
      this.#state = 'complete';
      return true;
    }
    if (this.#isTrack1) return DISCRETIONARY[character] === 1;
    if (this.#isHex) return isDigit(character) || (character & 0xdf) === UPPER_F;
    return isDigit(character) || character === EQUALS;
  }

  #accept(next: State): void {
    this.#accepted = true;
    this.#enter(next);
  }

  #enter(state: State): void {
    this.#state = state;
    this.#fieldCharacters = 0;
  }
}

/** A character of a track, in the bytes in which it is written. */
export interface TrackCharacter {
  readonly code: number;
  /** 0 if the stream must go on before it is known. */
  readonly length: number;
}

const INCOMPLETE: TrackCharacter = {code: 0, length: 0};

/** Reads a character as it stands, or as JSON or percent encoding write it. */
export function readTrackCharacter(
  window: StreamWindow,
  index: number,
  end: number,
  final: boolean,
  json: boolean,
): TrackCharacter {
  const code = window.byteAt(index);
  const asItStands = {code, length: 1};
  if (code === BACKSLASH) {
    const read = readEscape(window, index, end, final, json);
    if (read.kind === 'incomplete') return INCOMPLETE;
    return read.kind === 'character' ? {code: read.codePoint, length: read.length} : asItStands;
  }
  if (code !== PERCENT) return asItStands;
  if (index + 2 >= end) return final ? asItStands : INCOMPLETE;
  const [high, low] = [hexValue(window.byteAt(index + 1)), hexValue(window.byteAt(index + 2))];
  return high < 0 || low < 0 ? asItStands : {code: high * 16 + low, length: 3};
}

/** What follows a card number: the rest of a track, nothing of one, or what the stream must go on for. */
export type TrackRead =
  | {readonly kind: 'track'; readonly end: number}
  | {readonly kind: 'none'}
  | {readonly kind: 'incomplete'};

/** @param index behind the last digit of the number */
export function readTrack(window: StreamWindow, index: number, end: number, final: boolean, json: boolean): TrackRead {
  const tail = new TrackTail();
  let at = index;
  while (at < end) {
    const {code, length} = readTrackCharacter(window, at, end, final, json);
    if (length === 0) return {kind: 'incomplete'};
    if (at + length - index > TAIL_MAXIMUM_BYTES || !tail.add(code)) break;
    at += length;
  }
  if (at === end && !final) return {kind: 'incomplete'};
  return tail.accepted ? {kind: 'track', end: at} : {kind: 'none'};
}
