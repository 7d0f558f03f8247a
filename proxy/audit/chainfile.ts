import {type ChainPosition, noPrevious, sealedBytesAtMost, sealInto} from '../../core/audit/chain.ts';
import type {Checkpoint} from '../../core/control/messages.ts';
import type {AuditFile, OpenedAuditFile} from './file.ts';

const lineFeed = 0x0a;
const keptBytesAtMost = 256 * 1024;

/** A file whose lines are one chain. A batch of records is written whole or, after `restore`, not at all. */
export class ChainFile {
  readonly #file: AuditFile;
  #position: ChainPosition;
  /** Length up to the last line that was written whole. */
  #byteLength: number;
  #dirty = false;
  #buffer: Buffer = Buffer.alloc(0);

  constructor({file, byteLength, position}: OpenedAuditFile, newOrigin: string) {
    this.#file = file;
    this.#byteLength = byteLength;
    this.#position = position ?? {origin: newOrigin, sequence: 0, previous: noPrevious};
  }

  /** The last durable line, undefined before the first. */
  head(): Checkpoint | undefined {
    const {origin, sequence, previous} = this.#position;
    return sequence === 0 ? undefined : {origin, sequence: sequence - 1, hash: previous};
  }

  /**
   * Seals records and makes them durable in one write, in order.
   *
   * @param records As `seal` takes them.
   * @returns Bytes written.
   * @throws where anything but all of it was written; the next write, or `restore`, cuts off what was.
   */
  async write(records: readonly string[]): Promise<number> {
    await this.restore();
    const {origin} = this.#position;
    let {sequence, previous} = this.#position;
    const buffer = this.#bufferFor(records);
    let end = 0;
    for (const record of records) {
      const sealed = sealInto(buffer, end, record, {origin, sequence, previous});
      end = sealed.end;
      buffer[end++] = lineFeed;
      sequence += 1;
      previous = sealed.hash;
    }
    const bytes = buffer.subarray(0, end);
    this.#dirty = true;
    const written = await this.#file.append(bytes);
    if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were written`);
    this.#dirty = false;
    this.#byteLength += written;
    this.#position = {origin, sequence, previous};
    return written;
  }

  /** Writes come one after the other, so that one buffer serves all but the largest. */
  #bufferFor(records: readonly string[]): Buffer {
    let bytes = 0;
    for (const record of records) bytes += sealedBytesAtMost(record) + 1;
    if (bytes > keptBytesAtMost) return Buffer.allocUnsafeSlow(bytes);
    if (bytes > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(Math.min(2 * bytes, keptBytesAtMost));
    return this.#buffer;
  }

  /** Cuts off what a failed write left behind. */
  async restore(): Promise<void> {
    if (!this.#dirty) return;
    // A file that somebody else shortened is left as it is: growing it back would put zeros on record.
    if ((await this.#file.size()) > this.#byteLength) await this.#file.truncate(this.#byteLength);
    this.#dirty = false;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
