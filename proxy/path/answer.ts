import {AuditUnavailable} from '../audit/errors.ts';
import {AuthenticationError, AuthenticationUnavailable} from '../authenticate/errors.ts';
import type {ServedResponse} from './call.ts';
import {Refusal} from './refusal.ts';

/** Every error that a call can end with, as what the agent is told. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof AuthenticationError) return new Refusal('Unauthenticated', 401, error.message, {cause: error});
  if (error instanceof AuthenticationUnavailable) {
    return new Refusal('AuthenticationUnavailable', 503, error.message, {retryAfterSeconds: 5, cause: error});
  }
  if (error instanceof AuditUnavailable) {
    const message = 'the call cannot be recorded, so it is not carried out';
    return new Refusal('AuditUnavailable', 503, message, {retryAfterSeconds: 5, cause: error});
  }
  return new Refusal('Internal', 500, 'the proxy failed on this call; it was not carried out', {cause: error});
}

/** Answers with the refusal's Status. The only place where an error becomes an HTTP answer. */
export function answer(response: ServedResponse, refusal: Refusal): void {
  const body = Buffer.from(`${JSON.stringify(refusal.status())}\n`);
  const headers: string[] = ['content-type', 'application/json', 'content-length', String(body.length)];
  if (refusal.httpStatus === 401) headers.push('www-authenticate', 'Bearer realm="lockkeeper"');
  if (refusal.retryAfterSeconds !== undefined) headers.push('retry-after', String(refusal.retryAfterSeconds));
  response.writeHead(refusal.httpStatus, headers);
  response.end(body);
}
