import type {IncomingHttpHeaders} from 'node:http';
import type {Operation} from '../../core/request/operation.ts';
import {acceptsGzip} from '../forward/acceptencoding.ts';
import type {Dispatchable} from '../forward/forward.ts';
import {Gzipped} from '../forward/gzipped.ts';
import {isLongRunning} from '../forward/longrunning.ts';
import {readableResponse} from '../forward/negotiate.ts';
import type {Next} from './call.ts';

/** Source: k8s.io/apiserver pkg/endpoints/handlers/responsewriters. */
const thresholdBytes = 128 * 1024;

/** Answers in gzip where the operator asked for it and the agent takes it, behind all that must see them plain. */
export function withCompression(enabled: boolean, next: Next<Dispatchable>): Next<Dispatchable> {
  if (!enabled) return next;
  return (call, dispatchable) => {
    const {operation} = dispatchable.permitted;
    if (!isFetched(operation) || !acceptsGzip(call.request.headers['accept-encoding'])) return next(call, dispatchable);
    return next(call, {
      ...dispatchable,
      openBody(statusCode, headers) {
        const reader = dispatchable.openBody(statusCode, headers);
        return statusCode === 200 && isWorthIt(headers) ? new Gzipped(reader, headers) : reader;
      },
    });
  };
}

/**
 * Whether the answer comes in one go. Gzip waits until a piece of it is full, and what trickles would not arrive: watches,
 * followed logs, and whatever applications and aggregated API servers stream behind `proxy` or a subresource of their own.
 */
function isFetched(operation: Operation): boolean {
  const {method, verb, isResourceRequest, subresource} = operation;
  if (method !== 'GET' || isLongRunning(operation)) return false;
  return !isResourceRequest || ((verb === 'get' || verb === 'list') && (subresource === '' || subresource === 'log'));
}

/**
 * Whether gzip saves something. kube-apiserver seldom says how long an answer of more than 2 KiB is, and the head cannot
 * wait until that is known.
 *
 * An answer with an ETag stays as it is: the tag would have to be a weak one, which kube-apiserver does not know again
 * in If-None-Match, and the client would get it whole each time.
 */
function isWorthIt(headers: IncomingHttpHeaders): boolean {
  const {'content-length': length, 'content-type': type, 'content-encoding': encoding, etag} = headers;
  if (etag !== undefined || (length !== undefined && Number(length) < thresholdBytes)) return false;
  const readable = readableResponse(type, encoding);
  return 'mediaType' in readable && readable.mediaType !== 'schema';
}
