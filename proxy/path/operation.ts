import type {Agent} from '../../core/request/agent.ts';
import {type Operation, operationOf} from '../../core/request/operation.ts';
import {ambiguity, deleteOptionsRefusal} from '../../core/request/refuse.ts';
import {resolveRequestInfo} from '../../core/request/resolve.ts';
import {announcesBody} from './body.ts';
import type {Next} from './call.ts';
import {Refusal} from './refusal.ts';

/** A body that is there: what is in it does not matter before policy asks. */
const unread = {kind: 'Opaque', canonical: new Uint8Array()} as const;

export interface Resolved {
  readonly agent: Agent;
  readonly operation: Operation;
}

/** What is asked: the operation as the API server will read it, or 400 where it could read it in another way. */
export function withOperation(next: Next<Resolved>): Next<Agent> {
  return (call, agent) => {
    const {request} = call;
    const method = request.method ?? '';
    const url = request.url ?? '';
    // Node's HTTP/1 parser takes "HTTP/2.0" on a request line for what it says.
    const httpVersion = request.stream === undefined && request.httpVersion === '2.0' ? '' : request.httpVersion;
    const refused =
      ambiguity({method, url, rawHeaders: request.rawHeaders, httpVersion}) ??
      (announcesBody(request) ? deleteOptionsRefusal(method, url, unread) : undefined);
    if (refused !== undefined) {
      const code = refused.code === 'Impersonation' ? 'ImpersonationRefused' : 'Ambiguous';
      throw new Refusal(code, refused.status, refused.reason);
    }
    if (request.stream === undefined && request.headers.host === undefined) {
      throw new Refusal('Ambiguous', 400, 'the request must have a Host header');
    }
    if ((method === 'GET' || method === 'HEAD' || method === 'OPTIONS') && announcesBody(request)) {
      // What one hop calls the body of a GET, the next may read as another request.
      throw new Refusal('Ambiguous', 400, `a ${method} request may not have a body`);
    }
    const operation = operationOf(resolveRequestInfo(method, url), {
      method,
      url,
      userAgent: request.headers['user-agent'] ?? '',
      sourceIP: request.socket.remoteAddress ?? '',
    });
    call.record.resolved(operation);
    call.verb = operation.verb;
    return next(call, {agent, operation});
  };
}
