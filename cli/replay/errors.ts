/** A file cannot be replayed; the message is one sentence that says why. */
export class ReplayError extends Error {
  override readonly name = 'ReplayError';
  readonly code = 'ReplayInvalid';
}
