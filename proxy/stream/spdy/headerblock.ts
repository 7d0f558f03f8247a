import {constants, deflateRawSync, deflateSync, inflateRawSync, inflateSync} from 'node:zlib';
import {headerDictionary} from './dictionary.ts';
import {SpdyError} from './error.ts';

/** Names in lower case; several values of one name stand in one string, with NUL between them. */
export type HeaderPairs = ReadonlyMap<string, string>;

/** Inflated. A stream of Kubernetes has some 100 bytes of it. */
const maximumBlockBytes = 64 * 1024;
/** As far back as deflate refers (RFC 1951). */
const windowBytes = 32 * 1024;
const flush = {finishFlush: constants.Z_SYNC_FLUSH};

/*
 * All header blocks of one direction are one zlib stream, flushed after each block. A flush ends at a whole byte, so a
 * block can be inflated (deflated) by itself where zlib is given the last 32 KiB of what went before as its dictionary.
 * That is done in one go: Node's zlib streams work in another thread, and the parser would have to wait for each block.
 */
class Context {
  #window = headerDictionary;
  /** The first block has zlib's header before it, which names the dictionary (RFC 1950). */
  #started = false;

  get dictionary(): Buffer {
    return this.#window;
  }

  get isFirst(): boolean {
    return !this.#started;
  }

  follow(plain: Buffer): void {
    this.#started = true;
    this.#window = Buffer.concat([this.#window, plain]).subarray(-windowBytes);
  }
}

/** Reads the header blocks of one connection in their order: every one, also those of frames that are refused. */
export class HeaderBlockReader {
  readonly #context = new Context();

  read(block: Buffer): HeaderPairs {
    const plain = this.#inflate(block);
    this.#context.follow(plain);
    return parsePairs(plain);
  }

  #inflate(block: Buffer): Buffer {
    const inflate = this.#context.isFirst ? inflateSync : inflateRawSync;
    try {
      return inflate(block, {...flush, dictionary: this.#context.dictionary, maxOutputLength: maximumBlockBytes});
    } catch (cause) {
      if ((cause as {code?: string}).code === 'ERR_BUFFER_TOO_LARGE') {
        throw new SpdyError('TooLarge', `a header block of more than ${maximumBlockBytes} bytes`, cause);
      }
      throw new SpdyError('Malformed', 'a header block that cannot be inflated', cause);
    }
  }
}

/** Writes the header blocks of one connection, which must be sent in the order they were written in. */
export class HeaderBlockWriter {
  readonly #context = new Context();

  write(headers: HeaderPairs): Buffer {
    const plain = formatPairs(headers);
    const deflate = this.#context.isFirst ? deflateSync : deflateRawSync;
    const block = deflate(plain, {...flush, dictionary: this.#context.dictionary});
    this.#context.follow(plain);
    return block;
  }
}

/** Names and values of Kubernetes are ASCII; Latin-1 gives back any other byte as it came. */
function formatPairs(headers: HeaderPairs): Buffer {
  const parts = [count(headers.size)];
  for (const text of [...headers].flat()) parts.push(count(text.length), Buffer.from(text, 'latin1'));
  return Buffer.concat(parts);
}

function count(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function parsePairs(plain: Buffer): HeaderPairs {
  let offset = 0;
  const number = () => {
    if (offset + 4 > plain.length) throw new SpdyError('Malformed', 'a header block that ends short');
    offset += 4;
    return plain.readUInt32BE(offset - 4);
  };
  const text = () => {
    const length = number();
    if (length > plain.length - offset) throw new SpdyError('Malformed', 'a header block that ends short');
    offset += length;
    return plain.toString('latin1', offset - length, offset);
  };
  const pairs = new Map<string, string>();
  for (let left = number(); left > 0; left--) {
    const name = text();
    if (name === '' || /[A-Z]/.test(name)) throw new SpdyError('Malformed', 'a header name that SPDY does not allow');
    if (pairs.has(name)) throw new SpdyError('Malformed', 'a header name that stands twice in its block');
    pairs.set(name, text());
  }
  if (offset !== plain.length) throw new SpdyError('Malformed', 'a header block with bytes after its last pair');
  return pairs;
}
