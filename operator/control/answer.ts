import type {ServerResponse} from 'node:http';
import type {Refusal} from './refusal.ts';

/** Answers with JSON. Does nothing when the caller has gone. */
export function answerJSON(response: ServerResponse, code: number, value: unknown): void {
  if (response.headersSent || response.destroyed) {
    return;
  }
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(code, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(body);
}

/** Answers 204. Does nothing when the caller has gone. */
export function answerNothing(response: ServerResponse): void {
  if (!response.headersSent && !response.destroyed) {
    response.writeHead(204).end();
  }
}

/** Answers a refusal with its Kubernetes Status. A stream that has begun is cut, so that it does not look whole. */
export function answerRefusal(response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (refusal.retryAfterSeconds !== undefined) {
    response.setHeader('retry-after', refusal.retryAfterSeconds);
  }
  if (refusal.httpStatus === 401) {
    response.setHeader('www-authenticate', 'Bearer');
  }
  // The rest of a body that was not read must not be taken for the next request.
  if (!response.req.complete) {
    response.setHeader('connection', 'close');
  }
  answerJSON(response, refusal.httpStatus, refusal.status());
}
