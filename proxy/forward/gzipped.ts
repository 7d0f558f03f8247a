import type {IncomingHttpHeaders} from 'node:http';
import {constants, crc32, deflateRawSync} from 'node:zlib';
import type {BodyReader} from './relay.ts';

const pieceBytes = 64 * 1024;
/** As kube-apiserver has it: least CPU. Source: k8s.io/apiserver pkg/endpoints/handlers/responsewriters. */
const level = 1;
/** Deflate, no flags, no time, fastest, of no said system. Source: RFC 1952, 2.3. */
const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);

/**
 * Hands on in gzip what another reader gives. It sees nothing but that reader's output, so masking and the record are
 * what they are without it; and it holds one piece, whatever the length of the answer.
 *
 * The pieces are deflated each by itself, up to the edge of a byte, and together are one deflate stream. A gzip member for
 * each would be simpler, and as good by RFC 1952 2.2; but curl fails behind the first member.
 */
export class Gzipped implements BodyReader {
  readonly headers: IncomingHttpHeaders;
  readonly #reader: BodyReader;
  readonly #piece = Buffer.allocUnsafeSlow(pieceBytes);
  #used = 0;
  #crc = 0;
  #bytes = 0;

  /** @param headers of the response, where the reader does not say others */
  constructor(reader: BodyReader, headers: IncomingHttpHeaders) {
    this.#reader = reader;
    const {'content-length': _length, ...rest} = reader.headers ?? headers;
    this.headers = {...rest, 'content-encoding': 'gzip', vary: varying(rest.vary)};
  }

  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#reader.push(chunk, (bytes) => this.#take(bytes, emit));
  }

  end(emit: (bytes: Buffer) => void): void {
    this.#reader.end((bytes) => this.#take(bytes, emit));
    this.#deflate(constants.Z_FINISH, emit);
    const tail = Buffer.alloc(8);
    tail.writeUInt32LE(this.#crc, 0);
    tail.writeUInt32LE(this.#bytes % 2 ** 32, 4);
    emit(tail);
  }

  #take(bytes: Buffer, emit: (bytes: Buffer) => void): void {
    let taken = 0;
    while (taken < bytes.length) {
      const count = bytes.copy(this.#piece, this.#used, taken);
      this.#used += count;
      taken += count;
      if (this.#used === pieceBytes) this.#deflate(constants.Z_SYNC_FLUSH, emit);
    }
  }

  #deflate(finishFlush: number, emit: (bytes: Buffer) => void): void {
    const piece = this.#piece.subarray(0, this.#used);
    if (this.#bytes === 0) emit(head);
    this.#crc = crc32(piece, this.#crc);
    this.#bytes += piece.length;
    this.#used = 0;
    emit(deflateRawSync(piece, {level, finishFlush}));
  }
}

/** @param vary a list where the header came more than once, as kube-apiserver may send it */
function varying(vary: string | readonly string[] = []): string {
  const said = [vary].flat().join(', ');
  const names = said.split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('*') || names.includes('accept-encoding')) return said;
  return said === '' ? 'Accept-Encoding' : `${said}, Accept-Encoding`;
}
