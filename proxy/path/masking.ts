import type {IncomingHttpHeaders} from 'node:http';
import {createMasker} from '../../core/mask/createmasker.ts';
import type {Masker} from '../../core/mask/masker.ts';
import type {Permitted} from '../../core/policy/permitted.ts';
import type {Dispatchable} from '../forward/forward.ts';
import {acceptNegotiator, readableResponse} from '../forward/negotiate.ts';
import type {BodyReader} from '../forward/relay.ts';
import type {PermittedCall} from './approval.ts';
import type {Call, Next} from './call.ts';
import {isSecret} from './preview.ts';
import {Refusal} from './refusal.ts';

const unmasked: BodyReader = {
  push: (chunk, emit) => emit(chunk),
  end: () => {},
};

/** Past this a response is not copied to the record; the record says so. */
const capturedBytes = 64 * 1024;

/** What comes back: masked as the policies ask, and refused where that cannot be done. */
export function withMasking(next: Next<Dispatchable>): Next<PermittedCall> {
  const negotiate = acceptNegotiator();
  return async (call, {permitted, body}) => {
    const {obligations} = permitted;
    if (obligations.maskingRefusal !== undefined) {
      throw new Refusal('MaskingImpossible', 403, `the response could not be masked: ${obligations.maskingRefusal}`);
    }
    const accept = call.request.headers.accept;
    if (obligations.masking.length === 0) return next(call, {permitted, body, accept, openBody: () => unmasked});
    const readable = negotiate(accept);
    if (readable === undefined) {
      throw new Refusal(
        'NotAcceptable',
        406,
        `only JSON and text can be masked, and the request accepts only ${accept}`,
      );
    }
    return next(call, {
      permitted,
      body,
      accept: readable,
      openBody: (code, headers) => open(call, permitted, code, headers),
    });
  };
}

function open(call: Call, permitted: Permitted, statusCode: number, headers: IncomingHttpHeaders): BodyReader {
  const empty =
    call.request.method === 'HEAD' || statusCode === 204 || statusCode === 304 || headers['content-length'] === '0';
  if (empty) return unmasked;
  const readable = readableResponse(headers['content-type'], headers['content-encoding']);
  if ('unreadable' in readable) {
    throw new Refusal('MaskingImpossible', 502, `the API server's answer cannot be masked: ${readable.unreadable}`);
  }
  const {operation, obligations} = permitted;
  const masker = createMasker({
    mediaType: readable.mediaType,
    // Secrets carry their values in base64.
    base64: isSecret(operation),
  });
  call.masked = masker.counts;
  return obligations.auditLevel === 'RequestResponse' ? captured(masker, call) : masker;
}

/** Copies what the agent was given to the record as well. */
function captured(masker: Masker, call: Call): BodyReader {
  const copies: Buffer[] = [];
  let bytes = 0;
  const tap = (emit: (bytes: Buffer) => void) => (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= capturedBytes) copies.push(Buffer.from(chunk));
    emit(chunk);
  };
  return {
    push: (chunk, emit) => masker.push(chunk, tap(emit)),
    end: (emit) => {
      masker.end(tap(emit));
      call.responseObject = bytes <= capturedBytes ? Buffer.concat(copies).toString() : null;
    },
  };
}
