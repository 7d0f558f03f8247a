/** What was masked, counted by detector. No digit of what was found is kept. */
export interface MaskCounts {
  PAN: number;
  TrackData?: number;
  CardVerificationCode?: number;
  Regex?: number;
  Field?: number;
  /**
   * The same by the name of the nearest member of JSON, of this stream alone, as far as it is known and there are few
   * names. A name that is itself a value is masked. Text has none.
   */
  fields?: Readonly<Partial<Record<Exclude<keyof MaskCounts, 'fields'>, ReadonlyMap<string, number>>>>;
}

/** How the bytes are to be read: JSON (one document or many, as in a watch), or text (logs, the output of exec). */
export type MaskMediaType = 'json' | 'text';

/**
 * Masks one stream of bytes. The bytes out are as many as the bytes in, and the same however the stream was cut.
 *
 * A call that throws (a MaskError, or whatever `emit` throws) may have lost bytes, but has emitted none unmasked, and
 * every later call throws. Whoever holds the masker must then destroy the stream: neither end it as if it were whole,
 * nor pass the bytes on by another way.
 */
export interface Masker {
  /**
   * Takes the next bytes, and emits all that no unfinished candidate can reach; the rest follows with the next byte that
   * rules it out. That are a few hundred bytes, at most 8 KiB, but for what has to be held whole to be masked: gzip in
   * base64, up to 2 MiB, and the lines and strings that patterns are searched for in. The chunk is the masker's from here
   * on: it is changed in place and emitted.
   */
  push(chunk: Buffer, emit: (bytes: Buffer) => void): void;
  /** Bytes held back at the moment. */
  readonly heldBytes: number;
  /**
   * Releases what is held back although the stream has not gone on, as a person who types waits for the echo. Of what
   * may still become a PAN at most the first six digits come out, or four where no digit is to be shown; the others are hidden, and so are the digits that
   * follow as long as it may become one, without being held, but for an escape of one that has only begun. JSON stays
   * held: it has no place for half a mask, and nobody types it into a terminal.
   */
  flush(emit: (bytes: Buffer) => void): void;
  /** The stream ends: emits the rest. The masker can then take another stream; the counts go on. */
  end(emit: (bytes: Buffer) => void): void;
  /** What was masked so far; the same object all along, that can be kept and read later. */
  readonly counts: Readonly<MaskCounts>;
}
