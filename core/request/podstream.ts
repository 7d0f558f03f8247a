import type {RequestInfo} from './resolve.ts';

const subresources: ReadonlySet<string> = new Set(['attach', 'exec', 'portforward']);

/**
 * Whether a request opens a stream into a pod. One operation with two methods: WebSocket clients send GET and SPDY
 * clients POST, so neither its method nor RequestInfo's verb says what it does (kubernetes#78741, #133515).
 */
export function opensPodStream(info: Pick<RequestInfo, 'apiGroup' | 'resource' | 'subresource' | 'verb'>): boolean {
  return (
    subresources.has(info.subresource) &&
    info.resource === 'pods' &&
    info.apiGroup === '' &&
    (info.verb === 'get' || info.verb === 'create')
  );
}
