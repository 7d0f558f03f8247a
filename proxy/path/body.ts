import {type Body, BodyError, readBody} from '../../core/request/body.ts';
import type {Call, ServedRequest} from './call.ts';
import {Refusal} from './refusal.ts';

/** A request body that was read because policy, an approval or the record looks at it. */
export interface ReceivedBody {
  readonly bytes: Buffer;
  /** The Content-Type header; "" where there is none. */
  readonly contentType: string;
  readonly content: Body;
}

/** Whether the request announces a body. */
export function announcesBody(request: ServedRequest): boolean {
  const length = request.headers['content-length'];
  if (length !== undefined) return length !== '0';
  if (request.headers['transfer-encoding'] !== undefined) return true;
  return request.stream !== undefined && !request.stream.endAfterHeaders;
}

/**
 * Reads the whole body of a request.
 *
 * @param maximumBytes past this the call is refused with 413
 * @param observed what `observeBody` has taken from the request
 * @throws {Refusal} where it is too large, encoded, or could be read in two ways
 */
export async function receiveBody(
  {request}: Call,
  maximumBytes: number,
  observed?: ReceivedBody,
): Promise<ReceivedBody> {
  const {'content-encoding': encoding, 'content-type': contentType = ''} = request.headers;
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Refusal(
      'BodyUnreadable',
      415,
      `a body with content encoding "${encoding}" cannot be read; send it as it is`,
    );
  }
  const bytes = observed?.bytes ?? (announcesBody(request) ? await collect(request, maximumBytes) : Buffer.alloc(0));
  try {
    return {bytes, contentType, content: readBody(bytes, contentType)};
  } catch (error) {
    if (error instanceof BodyError) throw new Refusal('BodyUnreadable', 400, error.message, {cause: error});
    throw error;
  }
}

/**
 * Reads the whole body of a request where only policies that are tried look at it, so that no call is refused for it.
 *
 * @returns undefined where it is too large, of unknown length or encoded, and was left in the request
 */
export async function observeBody({request}: Call, maximumBytes: number): Promise<ReceivedBody | undefined> {
  const {'content-encoding': encoding, 'content-type': contentType = ''} = request.headers;
  const length = announcesBody(request) ? Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY) : 0;
  if (length > maximumBytes || (encoding !== undefined && encoding !== 'identity')) return undefined;
  const bytes = length === 0 ? Buffer.alloc(0) : await collect(request, maximumBytes);
  try {
    return {bytes, contentType, content: readBody(bytes, contentType)};
  } catch (error) {
    if (error instanceof BodyError) return {bytes, contentType, content: {kind: 'Opaque', canonical: bytes}};
    throw error;
  }
}

async function collect(request: ServedRequest, maximumBytes: number): Promise<Buffer> {
  const tooLarge = () => new Refusal('BodyTooLarge', 413, `the body is larger than ${maximumBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maximumBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  // Not destroyed when left early: the agent still waits for its Status on this connection.
  try {
    for await (const chunk of request.iterator({destroyOnReturn: false})) {
      length += (chunk as Buffer).length;
      if (length > maximumBytes) throw tooLarge();
      chunks.push(chunk as Buffer);
    }
  } finally {
    // And its next calls come behind the rest of this one.
    request.resume();
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
}
