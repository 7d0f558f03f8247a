import {type Refusal, refuse} from './refusal.ts';

/** How browsers and some WebSocket clients send a token to Kubernetes: base64url behind this, as a subprotocol. */
const bearerPrefix = 'base64url.bearer.authorization.k8s.io.';

export interface Subprotocols {
  /** Bearer tokens, each still in base64url: for authentication, and for nobody else's eyes. */
  readonly bearers: readonly string[];
  /** What the client can speak, in its order of preference. */
  readonly offered: readonly string[];
}

const none: Subprotocols = {bearers: [], offered: []};

/** Reads `Sec-WebSocket-Protocol`: a list, whose several headers Node joins with commas. */
export function subprotocols(header: string | undefined): Subprotocols {
  if (header === undefined) return none;
  const bearers: string[] = [];
  const offered: string[] = [];
  for (const listed of header.split(',')) {
    const protocol = listed.trim();
    if (protocol.startsWith(bearerPrefix)) bearers.push(protocol.slice(bearerPrefix.length));
    else if (protocol !== '') offered.push(protocol);
  }
  return {bearers, offered};
}

/** Headers by their lower-case names, those that repeat joined with commas. */
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** As the API server tells a WebSocket request (k8s.io/streaming, httpstream/wsstream). */
export function asksForWebSocket(headers: Headers): boolean {
  const {upgrade, connection} = headers;
  return lowerCase(upgrade) === 'websocket' && lowerCase(connection)?.includes('upgrade') === true;
}

/** Says why a request that asks for a WebSocket cannot open one (RFC 6455, 4.2.1); undefined where it can. */
export function webSocketRefusal(method: string, headers: Headers): Refusal | undefined {
  if (method !== 'GET') return refuse('HandshakeNotClear', 'a WebSocket is opened by GET');
  if (headers['sec-websocket-version'] !== '13') {
    return refuse('HandshakeNotClear', 'the header sec-websocket-version must be 13');
  }
  const key = headers['sec-websocket-key'];
  if (typeof key !== 'string' || !/^[+/0-9A-Za-z]{22}==$/.test(key)) {
    return refuse('HandshakeNotClear', 'the header sec-websocket-key must be 16 bytes in base64');
  }
  return undefined;
}

function lowerCase(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value.toLowerCase() : undefined;
}
