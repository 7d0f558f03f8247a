import type {IncomingMessage} from 'node:http';
import {WebSocket} from 'ws';
import type {UpstreamTarget} from '../../forward/transport.ts';
import {keepAliveMilliseconds, maximumMessageBytes} from './limits.ts';

const connectTimeoutMilliseconds = 10_000;
/** As for any other call: kube-apiserver gives up after 60 s by itself. */
const answerTimeoutMilliseconds = 65_000;

export interface WebSocketRequest {
  /** Path and query as received. */
  readonly path: string;
  /** Flat name, value array; names may repeat. */
  readonly headers: readonly string[];
  /** In the client's order; a bearer token is none of them. */
  readonly subprotocols: readonly string[];
  /** Aborts where the agent has gone. */
  readonly signal: AbortSignal;
}

export type WebSocketAnswer =
  | {
      readonly kind: 'Open';
      /** Paused, so that nothing is lost until somebody listens. */
      readonly socket: WebSocket;
      /** One of those offered; "" where none was. */
      readonly protocol: string;
    }
  /**
   * Anything but a WebSocket, 2xx included. The body is the caller's to read, within the time for an answer; the
   * connection ends with it and is never used again (CVE-2018-1002105).
   */
  | {readonly kind: 'Refused'; readonly response: IncomingMessage};

/**
 * Asks the API server for a WebSocket, on a connection of its own. Rejects where no answer came or none that could be
 * understood, and with the signal's reason where it was aborted.
 */
export function openWebSocketUpstream(
  {origin, tls}: UpstreamTarget,
  {path, headers, subprotocols, signal}: WebSocketRequest,
): Promise<WebSocketAnswer> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    if (/[^!-~]/.test(path)) throw new TypeError('the path must be printable ASCII');
    let protocol = '';
    let failure: Error | undefined;
    const fail = (error: Error) => {
      failure ??= error;
      socket.terminate();
    };
    const socket = new WebSocket(origin, {
      ...tls,
      perMessageDeflate: false,
      maxPayload: maximumMessageBytes,
      autoPong: false,
      // ws would parse the path, which must arrive as it came, and knows neither headers that repeat nor, in a
      // subprotocol, the slash of a tunnel.
      finishRequest(request) {
        request.path = path;
        for (let i = 0; i + 1 < headers.length; i += 2) {
          request.appendHeader(headers[i] as string, headers[i + 1] as string);
        }
        if (subprotocols.length > 0) request.setHeader('sec-websocket-protocol', subprotocols.join(', '));
        request.once('socket', (connection) => {
          connection.setKeepAlive(true, keepAliveMilliseconds);
          connection.once(origin.startsWith('https:') ? 'secureConnect' : 'connect', connected);
        });
        request.end();
      },
    });
    let timer = setTimeout(fail, connectTimeoutMilliseconds, timedOut(`no connection to ${origin}`));
    const connected = () => {
      clearTimeout(timer);
      timer = setTimeout(fail, answerTimeoutMilliseconds, timedOut(`no answer from ${origin}`));
    };
    const abort = () => fail(signal.reason);
    signal.addEventListener('abort', abort);
    const settled = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    socket.once('upgrade', (response) => {
      protocol = response.headers['sec-websocket-protocol'] ?? '';
      // Compared here, for ws was not told what is offered.
      delete response.headers['sec-websocket-protocol'];
      if (subprotocols.length === 0 ? protocol !== '' : !subprotocols.includes(protocol)) {
        fail(new Error(`the API server chose the subprotocol "${protocol}", which was not offered`));
      }
    });
    socket.once('unexpected-response', (_request, response) => {
      const connection = response.socket;
      response.once('close', () => {
        settled();
        // Node would keep it open, for nobody.
        connection.destroy();
      });
      resolve({kind: 'Refused', response});
    });
    socket.once('open', () => {
      settled();
      socket.pause();
      resolve({kind: 'Open', socket, protocol});
    });
    // Stays: an error between here and a relay that listens would end the process.
    socket.on('error', (error) => {
      settled();
      reject(failure ?? error);
    });
  });
}

function timedOut(what: string): Error {
  return Object.assign(new Error(`${what} within the time allowed`), {code: 'ETIMEDOUT'});
}
