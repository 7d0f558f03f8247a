import type {IncomingMessage} from 'node:http';
import {Refusal} from './refusal.ts';

/** An AccessRequest carries a masked preview of at most 8 KiB, a command and the agent's groups. */
const maximumBodyBytes = 512 * 1024;

/** Read and thrown away beyond that, so that who sends a little too much is told and not cut off. */
const maximumDiscardedBytes = 4 * 1024 * 1024;

/** The JSON body of a request; refused where it is too large or no JSON. */
export async function readJSON(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // The iterator must not destroy the request when it is left: the connection carries the answer.
  for await (const chunk of request.iterator({destroyOnReturn: false}) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maximumBodyBytes) {
      chunks.push(chunk);
    } else if (bytes > maximumDiscardedBytes) {
      break;
    }
  }
  if (bytes > maximumBodyBytes) {
    throw new Refusal('BodyTooLarge', 413, `The body is over ${maximumBodyBytes} bytes.`);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(Buffer.concat(chunks)));
  } catch (cause) {
    throw new Refusal('FieldInvalid', 400, 'The body must be JSON in UTF-8.', {cause});
  }
}
