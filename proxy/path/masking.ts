import type {IncomingHttpHeaders} from 'node:http';
import {maskText} from '../../core/mask/createmasker.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import {PanSearch} from '../../core/mask/search.ts';
import type {Permitted} from '../../core/policy/permitted.ts';
import type {Dispatchable} from '../forward/forward.ts';
import {acceptNegotiator, readableResponse} from '../forward/negotiate.ts';
import type {BodyReader} from '../forward/relay.ts';
import {acceptableAnswer} from './acceptable.ts';
import type {PermittedCall} from './approval.ts';
import type {Call, Next} from './call.ts';
import {Maskers} from './maskers.ts';
import {isSecret} from './preview.ts';
import {Refusal} from './refusal.ts';

const unmasked: BodyReader = {
  push: (chunk, emit) => emit(chunk),
  end: () => {},
};

/** Past this a response is not copied to the record; the record says so. */
const copiedBytes = 64 * 1024;

/** What comes back: masked as the policies ask, and refused where that cannot be done. */
export function withMasking(next: Next<Dispatchable>): Next<PermittedCall> {
  const negotiate = acceptNegotiator();
  const maskers = new Maskers();
  return async (call, {decided, permitted}) => {
    const {obligations} = permitted;
    const accept = acceptableAnswer(obligations, call, negotiate);
    const {masking} = obligations;
    return next(call, {
      decided,
      permitted,
      accept,
      openBody(statusCode, headers) {
        if (isEmpty(call, statusCode, headers)) return unmasked;
        const reader = masking === undefined ? unmasked : openMasked(call, permitted, masking, headers);
        return obligations.auditLevel === 'RequestResponse' ? copied(reader, call, permitted) : reader;
      },
    });
  };

  function openMasked(call: Call, {operation}: Permitted, plan: MaskPlan, headers: IncomingHttpHeaders): BodyReader {
    const type = headers['content-type'];
    const readable = readableResponse(type, headers['content-encoding']);
    if ('unreadable' in readable) throw unmaskable(readable.unreadable);
    if (readable.mediaType === 'schema') {
      // Of what lies behind services/proxy nobody knows whether it is what it says.
      if (operation.isResourceRequest) throw unmaskable(`media type "${type}"`);
      return new PanSearch();
    }
    const masker = maskers.take(readable.mediaType, plan, isSecret(operation));
    call.masked = masker;
    return masker;
  }
}

function unmaskable(what: string): Refusal {
  return new Refusal('MaskingImpossible', 502, `the API server's answer cannot be masked: ${what}`);
}

function isEmpty(call: Call, statusCode: number, headers: IncomingHttpHeaders): boolean {
  return (
    call.request.method === 'HEAD' || statusCode === 204 || statusCode === 304 || headers['content-length'] === '0'
  );
}

/** Copies what the agent was given to the record as well, masked whatever policy says, and never the values of Secrets. */
function copied(reader: BodyReader, call: Call, {operation}: Permitted): BodyReader {
  const copies: Buffer[] = [];
  let bytes = isSecret(operation) ? Number.POSITIVE_INFINITY : 0;
  const copying = (emit: (bytes: Buffer) => void) => (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= copiedBytes) copies.push(Buffer.from(chunk));
    emit(chunk);
  };
  return {
    push: (chunk, emit) => reader.push(chunk, copying(emit)),
    end(emit) {
      reader.end(copying(emit));
      call.responseObject = bytes <= copiedBytes ? maskText(Buffer.concat(copies).toString()) : null;
    },
  };
}
