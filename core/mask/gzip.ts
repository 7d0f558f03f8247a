import {constants, crc32, deflateRawSync, gunzipSync} from 'node:zlib';

/** Without a name, a comment and other fields. */
const HEADER_BYTES = 10;
const FLAGS_AT = 3;
const HAS_COMMENT = 0x10;
const TRAILER_BYTES = 8;

/** A block of deflate that holds nothing (RFC 1951 section 3.2.4), at the edge of a byte. */
const EMPTY_BLOCK = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);
const SPACE = 0x20;

/**
 * Text of this size is unpacked whatever it was packed to; larger text up to so many times its packed size, and no more
 * than the maximum. Helm's releases, at most 1 MiB packed, are 4 to 8 times as large.
 */
const ALWAYS_UNPACKED_BYTES = 1024 * 1024;
const MAXIMUM_RATIO = 64;
export const MAXIMUM_UNPACKED_BYTES = 16 * 1024 * 1024;

/** Of all attempts to find out how far broken gzip can be read. */
const MAXIMUM_ATTEMPTED_BYTES = 4 * MAXIMUM_UNPACKED_BYTES;

export type Unpacked =
  /** `isWhole` if there is nothing beside the text, and nothing of it is missing. */
  {readonly kind: 'text'; readonly text: Buffer; readonly isWhole: boolean} | {readonly kind: 'tooLarge'};

/** By its first three bytes (RFC 1952 section 2.3.1), of which the third says that it is deflate. */
export function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 0x08;
}

/** What can be read of gzip: also what stands before the place where it is broken or cut off. */
export function unpacked(packed: Buffer): Unpacked {
  const maximumBytes = Math.min(MAXIMUM_UNPACKED_BYTES, Math.max(ALWAYS_UNPACKED_BYTES, MAXIMUM_RATIO * packed.length));
  const whole = attempt(packed, maximumBytes, constants.Z_FINISH);
  return whole.kind === 'broken' ? readablePart(packed, maximumBytes) : whole;
}

type Attempt = Unpacked | {readonly kind: 'broken'};

function attempt(packed: Buffer, maxOutputLength: number, finishFlush: number): Attempt {
  try {
    const {buffer, engine} = gunzipSync(packed, {maxOutputLength, finishFlush, info: true}) as unknown as {
      buffer: Buffer;
      engine: {bytesWritten: number};
    };
    return {kind: 'text', text: buffer, isWhole: engine.bytesWritten === packed.length};
  } catch (error) {
    return {kind: (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'tooLarge' : 'broken'};
  }
}

/** All that can be read of gzip that ends too early or is no gzip from some byte on. */
function readablePart(packed: Buffer, maximumBytes: number): Unpacked {
  let text: Buffer = Buffer.alloc(0);
  let bytesAttempted = 0;
  // What can be read up to one byte can be read up to each byte before it.
  let [readable, broken] = [0, packed.length + 1];
  while (broken - readable > 1) {
    const to = broken > packed.length ? packed.length : (readable + broken) >> 1;
    const read = attempt(packed.subarray(0, to), maximumBytes, constants.Z_SYNC_FLUSH);
    if (read.kind === 'tooLarge') return read;
    if (read.kind === 'text') {
      ({text} = read);
      readable = to;
    } else broken = to;
    bytesAttempted += read.kind === 'text' ? text.length : to;
    if (bytesAttempted > MAXIMUM_ATTEMPTED_BYTES) return {kind: 'tooLarge'};
  }
  return {kind: 'text', text, isWhole: false};
}

/**
 * Packs text into exactly so many bytes, if it can be packed as small as that. What is missing to the length is made up
 * by empty blocks, as every compressor writes them where it is flushed, and a comment of up to four characters.
 *
 * @param like gzip whose time and system are kept
 */
export function packedTo(bytes: number, text: Buffer, like: Buffer): Buffer | undefined {
  const room = bytes - HEADER_BYTES - TRAILER_BYTES;
  const body = deflated(text, room);
  if (body === undefined) return undefined;
  const missing = room - body.length;
  const comment = Buffer.alloc(missing % EMPTY_BLOCK.length, SPACE);
  if (comment.length > 0) comment[comment.length - 1] = 0;
  const header = Buffer.from(like.subarray(0, HEADER_BYTES));
  header[FLAGS_AT] = comment.length > 0 ? HAS_COMMENT : 0;
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer.writeUInt32LE(crc32(text), 0);
  trailer.writeUInt32LE(text.length, 4);
  return Buffer.concat([header, comment, Buffer.alloc(missing - comment.length, EMPTY_BLOCK), body, trailer]);
}

/** Tried one after the other: what else there is saves a few bytes, which decide about little text alone. */
const SETTINGS = [
  {memLevel: 8, strategy: constants.Z_DEFAULT_STRATEGY},
  {memLevel: 9, strategy: constants.Z_DEFAULT_STRATEGY},
  {memLevel: 7, strategy: constants.Z_DEFAULT_STRATEGY},
  {memLevel: 9, strategy: constants.Z_FILTERED},
  {memLevel: 9, strategy: constants.Z_FIXED},
];
const MORE_SETTINGS = [1, 2, 3, 4, 5, 6].map((memLevel) => ({memLevel, strategy: constants.Z_DEFAULT_STRATEGY}));
const LITTLE_TEXT_BYTES = 64 * 1024;

function deflated(text: Buffer, room: number): Buffer | undefined {
  for (const settings of text.length > LITTLE_TEXT_BYTES ? SETTINGS : [...SETTINGS, ...MORE_SETTINGS]) {
    const body = deflateRawSync(text, {level: constants.Z_BEST_COMPRESSION, ...settings});
    if (body.length <= room) return body;
  }
  return undefined;
}
