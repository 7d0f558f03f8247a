import {isTrue, parseQuery, type QueryParameter} from './query.ts';
import {type Refusal, refuse} from './refusal.ts';
import {readAPIPath} from './resolve.ts';

/** One list of more is refused by Go as well (10,000 pairs); nothing that speaks to Kubernetes comes near. */
const maximumParameters = 1000;

/**
 * Parameters of which the API server takes the first value, where another reader may take the last or both.
 * `command` and `ports` are lists and may repeat.
 */
const singleParameters: ReadonlySet<string> = new Set([
  'allowWatchBookmarks',
  'container',
  'continue',
  'dryRun',
  'fieldManager',
  'fieldSelector',
  'fieldValidation',
  'follow',
  'force',
  'gracePeriodSeconds',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'includeObject',
  'insecureSkipTLSVerifyBackend',
  'labelSelector',
  'limit',
  'limitBytes',
  'orphanDependents',
  'pretty',
  'previous',
  'propagationPolicy',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'shardSelector',
  'sinceSeconds',
  'sinceTime',
  'stderr',
  'stdin',
  'stdout',
  'stream',
  'tailLines',
  'timeout',
  'timeoutSeconds',
  'timestamps',
  'tty',
  'uid',
  'watch',
]);

/**
 * Says why a method and request target could mean one thing to us and another to the API server or to a proxy on the
 * way; undefined where they cannot.
 */
export function targetRefusal(method: string, url: string): Refusal | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'POST':
    case 'PUT':
    case 'PATCH':
    case 'DELETE':
      break;
    default:
      return refuse(
        'MethodNotKnown',
        'the method must be one of GET, HEAD, POST, PUT, PATCH and DELETE, in upper case',
      );
  }
  if (url[0] !== '/') return refuse('TargetNotOriginForm', 'the request target must be a path that begins with "/"');
  const character = firstUnsafeCharacter(url);
  if (character !== undefined) {
    return refuse(
      'TargetNotOriginForm',
      `the request target holds ${character}; it must be percent-encoded or left out`,
    );
  }
  const question = url.indexOf('?');
  const path = question === -1 ? url : url.slice(0, question);
  const query = question === -1 ? '' : url.slice(question + 1);
  return pathRefusal(path) ?? (query === '' ? undefined : queryRefusal(query)) ?? specialVerbRefusal(path, query);
}

function firstUnsafeCharacter(url: string): string | undefined {
  for (let at = 0; at < url.length; at++) {
    const code = url.charCodeAt(at);
    if (code <= 0x20 || code === 0x7f) return 'a space or control character';
    if (code > 0x7f) return 'a character outside ASCII';
    if (code === 0x23) return 'a fragment ("#")';
    if (code === 0x5c) return 'a backslash';
  }
  return undefined;
}

function pathRefusal(path: string): Refusal | undefined {
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const next = path[at + 1];
    if (next === '/') return refuse('PathNotCanonical', 'the path holds an empty segment ("//")');
    if (next !== '.') continue;
    const end = path[at + 2] === '.' ? at + 3 : at + 2;
    if (end === path.length || path[end] === '/') {
      return refuse('PathNotCanonical', 'the path holds a "." or ".." segment; send the path that it stands for');
    }
  }
  if (!path.includes('%')) return undefined;
  const text = decode(path);
  if (text === undefined) return refuse('PathNotCanonical', 'the path holds a percent-encoding that is not UTF-8');
  for (let at = path.indexOf('%'); at !== -1; at = path.indexOf('%', at + 1)) {
    const byte = Number.parseInt(path.slice(at + 1, at + 3), 16);
    if (byte < 0x80 && !mayBeEncoded(byte)) {
      return refuse(
        'PathNotCanonical',
        `the path encodes a character as ${path.slice(at, at + 3)} that may not be encoded`,
      );
    }
  }
  return undefined;
}

/**
 * Encoded slashes and dots make other segments once decoded, an encoded "%" decodes twice on some ways, and who encodes
 * letters and digits has something to hide. What is left are the delimiters, which clients encode or not as they like.
 */
function mayBeEncoded(byte: number): boolean {
  const character = String.fromCharCode(byte);
  return byte >= 0x20 && byte !== 0x7f && !/[A-Za-z0-9._~/\\%-]/.test(character);
}

function queryRefusal(query: string): Refusal | undefined {
  if (query.includes(';')) {
    return refuse(
      'QueryNotCanonical',
      'the query holds ";", which some take for "&"; write "&", or %3B inside a value',
    );
  }
  if (query.includes('%')) {
    const text = decode(query);
    if (text === undefined) {
      return refuse('QueryNotCanonical', 'the query holds a malformed percent-encoding, or one that is not UTF-8');
    }
    if (text.includes('\0')) return refuse('QueryNotCanonical', 'the query holds an encoded NUL');
  }
  const parameters = parseQuery(query);
  if (parameters.length > maximumParameters) {
    return refuse('QueryNotCanonical', `the query has more than ${maximumParameters} parameters`);
  }
  return duplicateRefusal(parameters);
}

function duplicateRefusal(parameters: readonly QueryParameter[]): Refusal | undefined {
  if (parameters.length < 2) return undefined;
  const seen = new Set<string>();
  for (const {name} of parameters) {
    if (!singleParameters.has(name)) continue;
    if (seen.has(name)) return refuse('DuplicateParameter', `the query gives ${name} more than once; give it once`);
    seen.add(name);
  }
  return undefined;
}

/** `/api/v1/watch/...` is a watch whatever the query says, and a special verb without a resource is an error upstream. */
function specialVerbRefusal(path: string, query: string): Refusal | undefined {
  if (!path.includes('/watch') && !path.includes('/proxy')) return undefined;
  const api = readAPIPath(decodeURIComponent(path));
  if (!api.isResourceRequest || api.specialVerb === undefined) return undefined;
  if (api.rest.length === 0) {
    return refuse('PathNotCanonical', `the path ends with the special verb ${api.specialVerb}; a resource must follow`);
  }
  const watch = parseQuery(query).find(({name}) => name === 'watch');
  if (api.specialVerb === 'watch' && watch !== undefined && !isTrue(watch.value)) {
    return refuse('ContradictoryParameter', `the path asks to watch and the query says watch=${watch.value}; drop one`);
  }
  return undefined;
}

/** Undefined where an encoding is malformed or its bytes are not UTF-8. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
