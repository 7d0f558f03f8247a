import type {IncomingMessage} from 'node:http';
import https from 'node:https';
import type {Duplex} from 'node:stream';
import type {UpstreamTarget} from '../forward/transport.ts';

const connectTimeoutMilliseconds = 10_000;
/** As for any other call: kube-apiserver gives up after 60 s by itself. */
const answerTimeoutMilliseconds = 65_000;
const keepAliveMilliseconds = 30_000;

/** The remote command protocols over SPDY, and the one of port-forward. Source: k8s.io/apimachinery, remotecommand. */
const protocols: ReadonlySet<string> = new Set([
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
  'portforward.k8s.io',
]);

export interface SpdyRequest {
  readonly method: string;
  /** Path and query as received. */
  readonly path: string;
  /** Flat name, value array; names may repeat. */
  readonly headers: readonly string[];
  /** In the client's order, from {@link offeredProtocols}. */
  readonly protocols: readonly string[];
  readonly signal: AbortSignal;
}

export type SpdyAnswer =
  | {readonly kind: 'Open'; readonly socket: Duplex; readonly head: Buffer; readonly protocol: string}
  /** Its connection is closed with it and never used again (CVE-2018-1002105). */
  | {readonly kind: 'Refused'; readonly response: IncomingMessage};

/** The versions of its protocol that a client offers, each in a header of its own, as far as they are known here. */
export function offeredProtocols({headersDistinct}: IncomingMessage): readonly string[] {
  const offered = headersDistinct['x-stream-protocol-version'] ?? [];
  return offered.flatMap((line) => line.split(',').map((name) => name.trim())).filter((name) => protocols.has(name));
}

/** Asks the API server for SPDY/3.1. Rejects where no answer came, or one that could not be understood. */
export function openSpdyUpstream({origin, tls}: UpstreamTarget, request: SpdyRequest): Promise<SpdyAnswer> {
  return new Promise((resolve, reject) => {
    const {host, hostname, port} = new URL(origin);
    const sent = https.request({
      ...tls,
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? 443 : Number(port),
      method: request.method,
      path: request.path,
      // A connection of its own, which nothing else will use.
      agent: false,
      signal: request.signal,
      headers: [
        'Host',
        host,
        ...request.headers,
        'Connection',
        'Upgrade',
        'Upgrade',
        'SPDY/3.1',
        'Content-Length',
        '0',
      ].concat(request.protocols.flatMap((protocol) => ['X-Stream-Protocol-Version', protocol])),
    });
    let timer = setTimeout(() => sent.destroy(timedOut(`no connection to ${origin}`)), connectTimeoutMilliseconds);
    sent.once('socket', (socket) => {
      socket.once('secureConnect', () => {
        clearTimeout(timer);
        timer = setTimeout(() => sent.destroy(timedOut('no answer')), answerTimeoutMilliseconds);
      });
    });
    sent.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.once('response', (response) => {
      clearTimeout(timer);
      resolve({kind: 'Refused', response});
    });
    sent.once('upgrade', (response, socket, head) => {
      clearTimeout(timer);
      const protocol = response.headers['x-stream-protocol-version'] ?? '';
      const offered = request.protocols.length === 0 ? protocol === '' : request.protocols.includes(String(protocol));
      if (response.headers.upgrade?.toLowerCase() !== 'spdy/3.1' || !offered) {
        socket.destroy();
        reject(
          new Error(`the API server switched to ${response.headers.upgrade} "${protocol}", which was not asked for`),
        );
        return;
      }
      socket.setKeepAlive(true, keepAliveMilliseconds);
      resolve({kind: 'Open', socket, head, protocol: String(protocol)});
    });
    sent.end();
  });
}

function timedOut(what: string): Error {
  return Object.assign(new Error(`${what} within the time allowed`), {code: 'ETIMEDOUT'});
}
