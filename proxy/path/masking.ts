import type {IncomingHttpHeaders} from 'node:http';
import type {MaskPlan} from '../../core/mask/plan.ts';
import {PanSearch} from '../../core/mask/search.ts';
import type {Permitted} from '../../core/policy/permitted.ts';
import type {Dispatchable} from '../forward/forward.ts';
import {acceptNegotiator, readableResponse} from '../forward/negotiate.ts';
import type {BodyReader} from '../forward/relay.ts';
import {acceptableAnswer} from './acceptable.ts';
import type {PermittedCall} from './approval.ts';
import type {Call, Next} from './call.ts';
import {copiedForRecord} from './copied.ts';
import {Maskers, WatchMasker} from './maskers.ts';
import {isSecret} from './preview.ts';
import {Refusal} from './refusal.ts';
import {maskedHeaders} from './responseheaders.ts';

const unmasked: BodyReader = {
  push: (chunk, emit) => emit(chunk),
  end: () => {},
};

/** What comes back: masked as the policies ask, and refused where that cannot be done. */
export function withMasking(next: Next<Dispatchable>): Next<PermittedCall> {
  const negotiate = acceptNegotiator();
  const maskers = new Maskers();
  return (call, {decided, permitted}) => {
    const {obligations, operation} = permitted;
    const {masking, auditLevel} = obligations;
    const accept = acceptableAnswer(obligations, call, operation, negotiate);
    if (obligations.panUnexpected) call.panUnexpectedIn = operation;
    return next(call, {
      decided,
      permitted,
      accept,
      openBody(statusCode, headers) {
        const empty = isEmpty(call, statusCode, headers);
        let reader = masking === undefined || empty ? unmasked : openMasked(call, permitted, masking, headers);
        if (auditLevel === 'RequestResponse' && !empty)
          reader = copiedForRecord(reader, call, permitted, maskers, headers);
        const shown = masking && maskedHeaders(headers, masking, maskers, call.masked);
        return shown === undefined ? reader : withHeaders(reader, shown);
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
    const {mediaType} = readable;
    const take = () => maskers.take(mediaType, plan, isSecret(operation));
    const masker = mediaType === 'json' && operation.verb === 'watch' ? new WatchMasker(take) : take();
    call.masked.push(masker);
    return masker;
  }
}

function withHeaders(reader: BodyReader, headers: IncomingHttpHeaders): BodyReader {
  return {
    headers,
    push: (chunk, emit) => reader.push(chunk, emit),
    end: (emit) => reader.end(emit),
  };
}

function unmaskable(what: string): Refusal {
  return new Refusal('MaskingImpossible', 502, `the API server's answer cannot be masked: ${what}`);
}

function isEmpty(call: Call, statusCode: number, headers: IncomingHttpHeaders): boolean {
  return (
    call.request.method === 'HEAD' || statusCode === 204 || statusCode === 304 || headers['content-length'] === '0'
  );
}
