import {firstValue, isTrue, parseQuery} from './query.ts';
import type {RequestInfo} from './resolve.ts';

/** What policy sees of a request: RequestInfo and what the query and headers add. */
export interface Operation extends RequestInfo {
  /** Upper-case HTTP method as received. */
  readonly method: string;
  /** The raw request target as received: path and query, undecoded. This is what is forwarded. */
  readonly requestURI: string;
  /** Raw query without "?"; "" where there is none. */
  readonly query: string;
  /** True only where the API server honours it: see {@link operationOf}. */
  readonly dryRun: boolean;
  readonly command: readonly string[];
  readonly container: string;
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly userAgent: string;
  readonly sourceIP: string;
}

/** What {@link operationOf} takes from the request beside RequestInfo. */
export interface OperationSource {
  readonly method: string;
  /** The request target, undecoded. */
  readonly url: string;
  readonly userAgent: string;
  readonly sourceIP: string;
}

/** Built-in subresources that act for real whatever `dryRun` says: connections, and TokenRequest (Kubernetes 1.36). */
const ignoresDryRun: ReadonlySet<string> = new Set(['attach', 'exec', 'portforward', 'proxy', 'token']);

/**
 * Adds to RequestInfo what policy decides on. Parameters read as the API server's option structs read them: the first
 * value counts, `command` is the list of all, and a bool is true unless absent, "0" or "false".
 *
 * `dryRun` is true for writes with `dryRun=All` where nothing is stored then. It is read from the query alone: the body
 * of a DELETE may ask for a dry run too, which policy sees as a real one.
 */
export function operationOf(info: RequestInfo, request: OperationSource): Operation {
  const question = request.url.indexOf('?');
  const query = question === -1 ? '' : request.url.slice(question + 1);
  const parameters = parseQuery(query);
  return {
    isResourceRequest: info.isResourceRequest,
    path: info.path,
    verb: info.verb,
    apiPrefix: info.apiPrefix,
    apiGroup: info.apiGroup,
    apiVersion: info.apiVersion,
    namespace: info.namespace,
    resource: info.resource,
    subresource: info.subresource,
    name: info.name,
    parts: info.parts,
    fieldSelector: info.fieldSelector,
    labelSelector: info.labelSelector,
    method: request.method,
    requestURI: request.url,
    query,
    dryRun: firstValue(parameters, 'dryRun') === 'All' && honoursDryRun(info),
    command: parameters.filter(({name}) => name === 'command').map(({value}) => value),
    container: firstValue(parameters, 'container') ?? '',
    stdin: isTrue(firstValue(parameters, 'stdin')),
    tty: isTrue(firstValue(parameters, 'tty')),
    userAgent: request.userAgent,
    sourceIP: request.sourceIP,
  };
}

function honoursDryRun(info: RequestInfo): boolean {
  switch (info.verb) {
    case 'create':
    case 'update':
    case 'patch':
    case 'delete':
    case 'deletecollection':
      return info.isResourceRequest && !ignoresDryRun.has(info.subresource);
    default:
      return false;
  }
}
