import {DIGIT_0, HYPHEN, isDigit, SPACE} from './bytes.ts';
import {MaskError} from './error.ts';
import {isPan, PAN_MAXIMUM_DIGITS, PAN_MINIMUM_DIGITS} from './pan.ts';

/**
 * Passes on bytes in which nothing can be overwritten, as those of a serialized message: it throws where a PAN stands in
 * them. Stricter than a masker: the lengths and tags between strings may look like digits, so a PAN is looked for
 * anywhere in a run of digits and not only as the whole of it.
 */
export class PanSearch {
  /** The end of what was received, where a PAN may have begun. */
  #held: Buffer = Buffer.alloc(0);

  /** @throws {MaskError} where a PAN is found, of which nothing was emitted then */
  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const hold = beginningOfRun(bytes);
    if (hold > 0) emit(bytes.subarray(0, hold));
    // A copy: the chunk is read into again.
    this.#held = Buffer.from(bytes.subarray(hold));
  }

  end(emit: (bytes: Buffer) => void): void {
    if (this.#held.length > 0) emit(this.#held);
    this.#held = Buffer.alloc(0);
  }
}

/** Gives where the digits begin with which the bytes end and that may be the start of a PAN. */
function beginningOfRun(bytes: Buffer): number {
  const digits = new Uint8Array(PAN_MAXIMUM_DIGITS);
  const positions: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (isDigit(byte)) {
      if (positions.length === PAN_MAXIMUM_DIGITS) {
        positions.shift();
        digits.copyWithin(0, 1);
      }
      digits[positions.length] = byte - DIGIT_0;
      const count = positions.push(at);
      for (let length = PAN_MINIMUM_DIGITS; length <= count; length++) {
        if (!isPan(digits, count - length, length)) continue;
        throw new MaskError('NotMaskable', 'there is a card number in bytes that cannot be overwritten');
      }
    } else if (positions.length > 0) {
      const separates = (byte === SPACE || byte === HYPHEN) && positions.at(-1) === at - 1;
      if (!separates) positions.length = 0;
    }
  }
  return positions[0] ?? bytes.length;
}
