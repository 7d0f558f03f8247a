import {asciicastEvent, type ElapsedTime, type EventCode} from './asciicast.ts';
import type {RecordingWriter} from './writer.ts';

/** What is joined is as much as an API server puts in one message at most, for its clients know no larger ones. */
const joinedMaximumBytes = 32 * 1024;

/** Pieces of one channel that came one behind the other. */
interface Joined {
  readonly channel: object;
  readonly pieces: Buffer[];
  bytes: number;
}

/** The events of one recording, in the order in which what they tell has come. */
export class EventLog {
  readonly writer: RecordingWriter;
  readonly #time: ElapsedTime;
  /** The last that came, until its record is asked for or something else comes. */
  #open: Joined | undefined;

  constructor(writer: RecordingWriter, time: ElapsedTime) {
    this.writer = writer;
    this.#time = time;
  }

  /**
   * Queues an event, with the time of now.
   *
   * @param text What it says, asked for in its turn: texts of some length make as many events. None where it is empty,
   * as part of a character is.
   * @param written Called once it is in the file.
   * @throws {RecordingFailed} where nothing more is taken.
   */
  append(code: EventCode, text: () => Iterable<string>, written?: () => void, heldBytes = 0): void {
    this.#open = undefined;
    const seconds = this.#time.seconds();
    this.writer.append(() => eventsOf(seconds, code, text()), written, heldBytes);
  }

  /**
   * Queues a piece of a channel. It is part of the event before where that is of the same channel and still waits.
   *
   * @param text As above, of all the pieces that are part of the event; not asked for where the event has one already.
   * @param written Called once for each event.
   * @throws {RecordingFailed} where nothing more is taken.
   */
  join(channel: object, code: EventCode, piece: Buffer, text: (all: Buffer) => Iterable<string>, written: () => void) {
    const open = this.#open;
    if (open?.channel === channel && open.bytes + piece.length <= joinedMaximumBytes) {
      this.writer.append('', undefined, piece.length);
      open.pieces.push(piece);
      open.bytes += piece.length;
      return;
    }
    const joined: Joined = {channel, pieces: [piece], bytes: piece.length};
    const all = () => {
      if (this.#open === joined) this.#open = undefined;
      return text(concatenated(joined.pieces));
    };
    this.append(code, all, written, piece.length);
    this.#open = joined;
  }
}

/** Without a copy where there is one piece. */
export function concatenated(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
}

function eventsOf(seconds: string, code: EventCode, texts: Iterable<string>): string {
  let lines = '';
  for (const text of texts) if (text !== '') lines += asciicastEvent(seconds, code, text);
  return lines;
}
