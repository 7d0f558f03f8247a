import {type Refusal, refuse} from './refusal.ts';

/** Headers of which there may be one at most: readers differ on whether the first or the last of several counts. */
const singleHeaders: ReadonlySet<string> = new Set([
  ':authority',
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/**
 * Says why the headers of a request are refused; undefined where they are not.
 *
 * HTTP/1.0 is refused because Node's parser gives `RTSP/1.0` the same name, and because it has no chunked coding to
 * agree about. Node calls `GET / HTTP/2.0` on an HTTP/1 connection "2.0" too; only real HTTP/2 has pseudo-headers.
 *
 * @param rawHeaders names and values in turn, as Node gives them for HTTP/1 and HTTP/2
 * @param httpVersion as Node gives it: "1.1", "2.0"
 */
export function headersRefusal(
  method: string,
  rawHeaders: readonly string[],
  httpVersion: string,
): Refusal | undefined {
  const single = new Map<string, string>();
  let pseudoHeaders = false;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    if (name.startsWith('impersonate-')) {
      return refuse('Impersonation', `the header ${name} is not yours to send: agents may not impersonate`);
    }
    if (name === ':method') pseudoHeaders = true;
    if (!singleHeaders.has(name)) continue;
    if (single.has(name)) return refuse('DuplicateHeader', `the header ${name} is there more than once; send it once`);
    single.set(name, rawHeaders[at + 1] ?? '');
  }
  const http2 = httpVersion === '2.0' && pseudoHeaders;
  if (!http2 && (httpVersion !== '1.1' || pseudoHeaders)) {
    return refuse('ProtocolNotKnown', 'the request must be HTTP/1.1 or HTTP/2');
  }
  return hostRefusal(single) ?? framingRefusal(method, single, http2) ?? upgradeRefusal(single.get('upgrade'));
}

function hostRefusal(single: ReadonlyMap<string, string>): Refusal | undefined {
  const authority = single.get(':authority');
  const host = single.get('host');
  if (authority !== undefined && host !== undefined && authority !== host) {
    return refuse('DuplicateHeader', 'the headers :authority and host name different hosts');
  }
  return undefined;
}

function framingRefusal(method: string, single: ReadonlyMap<string, string>, http2: boolean): Refusal | undefined {
  const length = single.get('content-length');
  const coding = single.get('transfer-encoding');
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) {
    return refuse('FramingNotClear', 'the header content-length must be a decimal number');
  }
  if (coding !== undefined) {
    if (http2) return refuse('FramingNotClear', 'HTTP/2 knows no header transfer-encoding');
    if (length !== undefined) return refuse('FramingNotClear', 'send content-length or transfer-encoding, not both');
    if (coding.toLowerCase() !== 'chunked') {
      return refuse('FramingNotClear', 'the only transfer-encoding that is taken is chunked');
    }
  }
  const expectation = single.get('expect');
  if (expectation !== undefined && expectation.toLowerCase() !== '100-continue') {
    return refuse('ExpectationNotKnown', 'the only expectation that is met is 100-continue');
  }
  const hasBody = coding !== undefined || (length !== undefined && Number(length) > 0);
  if (hasBody && (method === 'GET' || method === 'HEAD')) {
    return refuse('FramingNotClear', `a ${method} request must have no body`);
  }
  return undefined;
}

function upgradeRefusal(upgrade: string | undefined): Refusal | undefined {
  if (upgrade === undefined) return undefined;
  const protocol = upgrade.toLowerCase();
  if (protocol === 'websocket' || protocol === 'spdy/3.1') return undefined;
  return refuse('UpgradeNotKnown', 'the header upgrade must be websocket or SPDY/3.1');
}
