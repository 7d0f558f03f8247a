import type {IncomingHttpHeaders} from 'node:http';
import {MaskError} from '../../core/mask/error.ts';
import type {Permitted} from '../../core/policy/permitted.ts';
import {readableResponse} from '../forward/negotiate.ts';
import type {BodyReader} from '../forward/relay.ts';
import type {Call} from './call.ts';
import type {Maskers} from './maskers.ts';
import {isSecret} from './preview.ts';

/** Past this a response is not copied to the record; the record says so. */
const copiedBytes = 64 * 1024;

/**
 * Copies the answer to the record as well, masked whatever the agent is shown of it, and never the values of Secrets. It
 * is copied as it came: of a track whose number is hidden the rest would not be found.
 */
export function copiedForRecord(
  reader: BodyReader,
  call: Call,
  {operation, obligations}: Permitted,
  maskers: Maskers,
  headers: IncomingHttpHeaders,
): BodyReader {
  const copies: Buffer[] = [];
  let bytes = isSecret(operation) ? Number.POSITIVE_INFINITY : 0;
  return {
    push(chunk, emit) {
      bytes += chunk.length;
      if (bytes <= copiedBytes) copies.push(Buffer.from(chunk));
      reader.push(chunk, emit);
    },
    end(emit) {
      reader.end(emit);
      call.responseObject = bytes <= copiedBytes ? masked(Buffer.concat(copies)) : null;
    },
  };

  /** @returns null for what cannot be masked as JSON, although it says that it is */
  function masked(body: Buffer): string | null {
    const readable = readableResponse(headers['content-type'], headers['content-encoding']);
    const mediaType = 'mediaType' in readable && readable.mediaType === 'json' ? 'json' : 'text';
    const out: Buffer[] = [];
    const emit = (part: Buffer) => void out.push(Buffer.from(part));
    try {
      const masker = maskers.take(mediaType, obligations.recordMasking, false);
      masker.push(body, emit);
      masker.end(emit);
    } catch (error) {
      if (error instanceof MaskError) return null;
      throw error;
    }
    return Buffer.concat(out).toString();
  }
}
