import type {StringDecoder} from 'node:string_decoder';

/** What is joined is as much as an API server puts in one message at most, for its clients know no larger ones. */
const joinedMaximumBytes = 32 * 1024;

/** What stands in the record of pieces of one channel that came one behind the other, and what the agent is shown. */
export class Gathering {
  /** Of the first piece. */
  readonly seconds: string;
  readonly #decoder: StringDecoder;
  readonly #recorded: Buffer[] = [];
  readonly #shown: Buffer[] = [];
  #bytes = 0;
  /** The same bytes are recorded and shown. */
  #alike = true;
  #taken: Buffer | undefined;

  /** @param decoder of the channel: characters are cut anywhere between pieces */
  constructor(seconds: string, decoder: StringDecoder) {
    this.seconds = seconds;
    this.#decoder = decoder;
  }

  /** Gives whether the piece was taken: not where it would be too much, nor once the record was asked for. */
  add(recorded: Buffer, shown: Buffer): boolean {
    if (this.#taken !== undefined) return false;
    if (this.#bytes > 0 && this.#bytes + recorded.length > joinedMaximumBytes) return false;
    this.#bytes += recorded.length;
    this.#recorded.push(recorded);
    this.#shown.push(shown);
    this.#alike &&= recorded === shown;
    return true;
  }

  /** The text for the record in parts of at most so many bytes; to be asked for once, after that of those before. */
  *record(partMaximumBytes: number): Generator<string> {
    const recorded = joined(this.#recorded);
    this.#taken = this.#alike ? recorded : joined(this.#shown);
    for (let start = 0; start < recorded.length; start += partMaximumBytes) {
      yield this.#decoder.write(recorded.subarray(start, start + partMaximumBytes));
    }
  }

  /** What the agent may see once the record is in the file. */
  get shown(): Buffer {
    return this.#taken ?? joined(this.#shown);
  }
}

function joined(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
}
