/** A stream cannot be recorded, or not any more: it must not begin, or must end. The message says why. */
export class RecordingFailed extends Error {
  override readonly name = 'RecordingFailed';
  readonly code = 'RecordingFailed';

  static of(what: string, cause: unknown): RecordingFailed {
    if (cause instanceof RecordingFailed) return cause;
    return new RecordingFailed(`${what}: ${Error.isError(cause) ? cause.message : String(cause)}`, {cause});
  }
}
