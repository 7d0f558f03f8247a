import {readListOptions} from './listoptions.ts';
import {firstValue, parseQuery, percentDecode} from './query.ts';

/** What kube-apiserver calls RequestInfo: the same fields, the same answers. */
export interface RequestInfo {
  readonly isResourceRequest: boolean;
  readonly path: string;
  readonly verb: string;
  readonly apiPrefix: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Path segments from the resource on: resource, name, subresource and whatever follows. */
  readonly parts: readonly string[];
  /** Only for list, watch and deletecollection; "" otherwise. */
  readonly fieldSelector: string;
  readonly labelSelector: string;
}

/** A request target that the API server cannot read either. */
export class RequestTargetError extends Error {
  override readonly name = 'RequestTargetError';
  readonly code: 'MalformedTarget' | 'NoResource';

  constructor(code: RequestTargetError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Resolves a request as `RequestInfoFactory.NewRequestInfo` of k8s.io/apiserver does, with the prefixes that
 * kube-apiserver sets (`api` and `apis`). It is faithful also to what nobody should send; {@link ambiguity} says what to
 * refuse before the answer is trusted.
 *
 * @param method as received; upper case matters
 * @param url the request target in origin form, undecoded: path and query
 * @throws {RequestTargetError} where the API server would fail too
 */
export function resolveRequestInfo(method: string, url: string): RequestInfo {
  const question = url.indexOf('?');
  const path = percentDecode(question === -1 ? url : url.slice(0, question));
  if (path === undefined || (!path.startsWith('/') && path !== '*')) {
    throw new RequestTargetError(
      'MalformedTarget',
      'the path does not begin with "/" or holds a malformed "%" encoding',
    );
  }
  const api = readAPIPath(path);
  if (!api.isResourceRequest) return nonResource(method, path, api.apiPrefix);

  const {parts, namespace} = readResourcePath(api.rest, path);
  const resource = parts[0] ?? '';
  let name = parts[1] ?? '';
  const subresource = api.specialVerb === 'proxy' ? '' : (parts[2] ?? '');
  let verb: string = api.specialVerb ?? verbOf(method);
  let fieldSelector = '';
  let labelSelector = '';
  if (name === '' && api.specialVerb === undefined && (verb === 'get' || verb === 'delete')) {
    const query = question === -1 ? [] : parseQuery(url.slice(question + 1));
    if (verb === 'get') {
      const options = readListOptions(query);
      verb = options.watch ? 'watch' : 'list';
      name = options.name;
    } else {
      verb = 'deletecollection';
    }
    fieldSelector = firstValue(query, 'fieldSelector') ?? '';
    labelSelector = firstValue(query, 'labelSelector') ?? '';
  }
  const {apiPrefix, apiGroup, apiVersion} = api;
  return {
    isResourceRequest: true,
    path,
    verb,
    apiPrefix,
    apiGroup,
    apiVersion,
    namespace,
    resource,
    subresource,
    name,
    parts,
    fieldSelector,
    labelSelector,
  };
}

export type APIPath =
  | {readonly isResourceRequest: false; readonly apiPrefix: string}
  | {
      readonly isResourceRequest: true;
      readonly apiPrefix: string;
      readonly apiGroup: string;
      readonly apiVersion: string;
      /** From `/api/v1/watch/...` and `/api/v1/proxy/...`. */
      readonly specialVerb: 'watch' | 'proxy' | undefined;
      /** The segments behind the version and the special verb; empty where a special verb comes last. */
      readonly rest: readonly string[];
    };

/** Splits a decoded path at the API prefix, group, version and special verb. */
export function readAPIPath(path: string): APIPath {
  const segments = splitPath(path);
  if (segments.length < 3) return {isResourceRequest: false, apiPrefix: ''};
  const apiPrefix = segments[0] ?? '';
  if (apiPrefix !== 'api' && apiPrefix !== 'apis') return {isResourceRequest: false, apiPrefix: ''};
  const versionAt = apiPrefix === 'api' ? 1 : 2;
  if (segments.length < versionAt + 2) return {isResourceRequest: false, apiPrefix};
  const first = segments[versionAt + 1];
  const specialVerb = first === 'watch' || first === 'proxy' ? first : undefined;
  return {
    isResourceRequest: true,
    apiPrefix,
    apiGroup: versionAt === 2 ? (segments[1] ?? '') : '',
    apiVersion: segments[versionAt] ?? '',
    specialVerb,
    rest: segments.slice(versionAt + (specialVerb === undefined ? 1 : 2)),
  };
}

/** Takes off `namespaces/{namespace}` unless the namespace itself, or its status or finalize, is the resource. */
function readResourcePath(rest: readonly string[], path: string): {parts: readonly string[]; namespace: string} {
  if (rest.length === 0) {
    throw new RequestTargetError('NoResource', `${path} names no resource behind its special verb`);
  }
  if (rest[0] !== 'namespaces') return {parts: rest, namespace: ''};
  const namespace = rest[1] ?? '';
  if (rest.length > 2 && rest[2] !== 'status' && rest[2] !== 'finalize') return {parts: rest.slice(2), namespace};
  return {parts: rest, namespace};
}

function nonResource(method: string, path: string, apiPrefix: string): RequestInfo {
  return {
    isResourceRequest: false,
    path,
    verb: method.toLowerCase(),
    apiPrefix,
    apiGroup: '',
    apiVersion: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    parts: [],
    fieldSelector: '',
    labelSelector: '',
  };
}

function verbOf(method: string): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return 'delete';
    default:
      return '';
  }
}

/** Slashes at both ends do not count; those inside do, so `a//b` has an empty segment. */
function splitPath(path: string): readonly string[] {
  let start = 0;
  let end = path.length;
  while (start < end && path[start] === '/') start++;
  while (end > start && path[end - 1] === '/') end--;
  return start === end ? [] : path.slice(start, end).split('/');
}
