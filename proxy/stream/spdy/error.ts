/** What a peer sent cannot be read: the connection ends, for nothing after it can be read safely either. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
  readonly code: 'Malformed' | 'TooLarge' | 'PeerDoesNotRead';

  constructor(code: SpdyError['code'], message: string, cause?: unknown) {
    super(message, {cause});
    this.code = code;
  }
}
