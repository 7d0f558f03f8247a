import type {Body} from './body.ts';
import {headersRefusal} from './headers.ts';
import {parseQuery} from './query.ts';
import {type Refusal, refuse} from './refusal.ts';
import {targetRefusal} from './target.ts';

/** A request as it came in, before anything was decoded. */
export interface IncomingRequest {
  readonly method: string;
  /** The request target, undecoded. */
  readonly url: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** As Node gives it: "1.1", "2.0". */
  readonly httpVersion: string;
}

/**
 * Says why a request may not be trusted to mean to the API server what it means to us; undefined where it may.
 * Agents that try to impersonate hear that first, whatever else is wrong.
 */
export function ambiguity(request: IncomingRequest): Refusal | undefined {
  return (
    headersRefusal(request.method, request.rawHeaders, request.httpVersion) ??
    targetRefusal(request.method, request.url)
  );
}

/** The fields of DeleteOptions that the query can carry. */
const deleteOptions: ReadonlySet<string> = new Set([
  'dryRun',
  'gracePeriodSeconds',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'orphanDependents',
  'propagationPolicy',
  'uid',
]);

/**
 * For requests that have a body: the API server takes the options of a DELETE from its body where there is one, and
 * then never looks at the query. `DELETE ...?dryRun=All` with a body would pass policy as a dry run and delete.
 */
export function deleteOptionsRefusal(method: string, url: string, body: Body): Refusal | undefined {
  const question = url.indexOf('?');
  if (method !== 'DELETE' || question === -1 || body.kind === 'Empty') return undefined;
  const ignored = parseQuery(url.slice(question + 1)).find(({name}) => deleteOptions.has(name));
  if (ignored === undefined) return undefined;
  const reason = `a DELETE with a body takes its options from there, so the query's ${ignored.name} would be ignored; move it`;
  return refuse('ContradictoryParameter', reason);
}
