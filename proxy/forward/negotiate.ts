/** A media type that the maskers read, or why it cannot be passed on. A schema can be searched, but not overwritten. */
export type Readable = {readonly mediaType: 'json' | 'text' | 'schema'} | {readonly unreadable: string};

/** OpenAPI documents as kubectl asks for them, and as the API server says what it gave: it writes the `@` as a dot. */
const schema = /^application\/com\.github\.proto-openapi\.spec\.v[23][@.]v1\.0\+protobuf$/;

const rememberedAccepts = 256;

/**
 * Gives the `Accept` to ask upstream for, so that the answer can be read: protobuf and CBOR fall away where the client
 * also takes JSON. `undefined` where nothing readable is left, which is a 406.
 *
 * Clients send a handful of values, so the answers are remembered.
 */
export function acceptNegotiator(): (accept: string | undefined) => string | undefined {
  const remembered = new Map<string, string | undefined>();
  return (accept) => {
    if (accept === undefined || accept === '') return 'application/json';
    if (remembered.has(accept)) return remembered.get(accept);
    const answer = readableAccept(accept);
    if (remembered.size >= rememberedAccepts) remembered.clear();
    remembered.set(accept, answer);
    return answer;
  };
}

function readableAccept(accept: string): string | undefined {
  const kept: string[] = [];
  for (const entry of accept.split(',')) {
    const type = baseType(entry);
    if (type === '*/*' || type === 'application/*') kept.push('application/json', entry.trim());
    else if (type === 'text/*' || kind(type) !== undefined) kept.push(entry.trim());
  }
  return kept.length === 0 ? undefined : kept.join(', ');
}

/** What is left of an `Accept` without Tables; undefined where that is nothing. */
export function withoutTables(accept: string): string | undefined {
  const kept = accept.split(',').filter((entry) => parameter(entry, 'as') !== 'table');
  return kept.length === 0 ? undefined : kept.join(',').trim();
}

/** Whether a client takes an object in JSON, and not only as a Table or another view of it. */
export function acceptsJSON(accept: string | undefined): boolean {
  if (accept === undefined || accept === '') return true;
  return accept.split(',').some((entry) => {
    const type = baseType(entry);
    const json = type === 'application/json' || type === 'application/*' || type === '*/*';
    return json && parameter(entry, 'as') === undefined;
  });
}

/** Whether a response with these headers can be masked. Source: RFC 9110, 8.3 and 8.4. */
export function readableResponse(contentType: string | undefined, contentEncoding: string | undefined): Readable {
  if (contentEncoding !== undefined && contentEncoding !== '' && contentEncoding !== 'identity') {
    return {unreadable: `content encoding "${contentEncoding}"`};
  }
  if (contentType === 'application/json') return {mediaType: 'json'};
  if (contentType === undefined) return {unreadable: 'no Content-Type'};
  const mediaType = kind(baseType(contentType));
  if (mediaType === undefined) return {unreadable: `media type "${contentType}"`};
  const charset = parameter(contentType, 'charset');
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'us-ascii')
    return {unreadable: `charset "${charset}"`};
  return {mediaType};
}

function baseType(value: string): string {
  const end = value.indexOf(';');
  return (end === -1 ? value : value.slice(0, end)).trim().toLowerCase();
}

function kind(type: string): 'json' | 'text' | 'schema' | undefined {
  if (type === 'application/json' || (type.startsWith('application/') && type.endsWith('+json'))) return 'json';
  if (type.startsWith('text/') || type === 'application/openmetrics-text') return 'text';
  return schema.test(type) ? 'schema' : undefined;
}

function parameter(value: string, name: string): string | undefined {
  for (const part of value.split(';').slice(1)) {
    const equals = part.indexOf('=');
    if (equals === -1 || part.slice(0, equals).trim().toLowerCase() !== name) continue;
    return part
      .slice(equals + 1)
      .trim()
      .replaceAll('"', '')
      .toLowerCase();
  }
  return undefined;
}
