/**
 * The masking engine cannot go on. Nothing of the chunk in hand has been emitted, and the masker refuses any further
 * call: whoever holds it must destroy the stream, never pass its bytes on.
 */
export class MaskError extends Error {
  override readonly name = 'MaskError';
  readonly code: 'OutOfWindow' | 'HoldTooLarge' | 'UsedAfterFailure' | 'NotMaskable';

  constructor(code: MaskError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
