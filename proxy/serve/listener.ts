import {type Server as HttpServer, ServerResponse} from 'node:http';
import * as http2 from 'node:http2';
import {type AddressInfo, Socket} from 'node:net';
import type {ServedRequest, ServedResponse} from '../path/call.ts';
import type {RecordUnreadable} from '../path/unreadable.ts';
import {AgentConnection} from '../stream/agentconnection.ts';
import {refuseUnreadable} from './unreadable.ts';

/** Longer than the idle time of load balancers and client-go (90 s), so that it is never we who close under a request. */
const keepAliveMilliseconds = 120_000;
/** Of silence, before the kernel asks whether the agent is still there. */
const probeMilliseconds = 30_000;
const maximumConcurrentStreams = 250;
const maximumHeaderBytes = 64 * 1024;
/** How often connections that became idle are looked for while draining. */
const idleCheckMilliseconds = 100;

export interface Certificate {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface Listener {
  readonly address: AddressInfo;
  /** Presents another certificate to the connections to come. */
  setCertificate(certificate: Certificate): void;
  /** Takes no further connection, tells HTTP/2 clients to go away, resolves when the last connection has ended. */
  drain(): Promise<void>;
  /** Destroys every connection that is left. */
  destroy(): void;
}

/** The TLS listener for agents: HTTP/2 and HTTP/1.1 by ALPN. */
export async function listen(options: {
  readonly host: string | undefined;
  readonly port: number;
  readonly certificate: Certificate;
  readonly onRequest: (request: ServedRequest, response: ServedResponse, connection?: AgentConnection) => void;
  /** Told of what is not even a request. */
  readonly onUnreadable: RecordUnreadable;
}): Promise<Listener> {
  const server = http2.createSecureServer({
    ...options.certificate,
    allowHTTP1: true,
    minVersion: 'TLSv1.2',
    // An agent that vanished without a word would keep its quiet watches open for ever.
    keepAlive: true,
    keepAliveInitialDelay: probeMilliseconds,
    settings: {maxConcurrentStreams: maximumConcurrentStreams, maxHeaderListSize: maximumHeaderBytes},
    // node:http's options for the HTTP/1.1 side, which the types do not know.
    ...({
      keepAliveTimeout: keepAliveMilliseconds,
      maxHeaderSize: maximumHeaderBytes,
      // The operation filter says so with a Status; Node answers with nothing.
      requireHostHeader: false,
    } as object),
  });
  const sockets = new Set<Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();
  let draining = false;
  server.on('secureConnection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => {});
    // It was in its handshake when draining began.
    if (draining) session.close();
  });
  // A client that breaks its connection is its own affair; the relay of each call hears of it by itself.
  server.on('sessionError', () => {});
  server.on('clientError', refuseUnreadable(options.onUnreadable));
  server.on('tlsClientError', () => {});
  const onRequest = (request: ServedRequest, response: ServedResponse, connection?: AgentConnection) => {
    // Node's parser reads no request that came together with the one that asks to upgrade.
    if (draining || request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    options.onRequest(request, response, connection);
  };
  server.on('request', onRequest as unknown as (request: unknown, response: unknown) => void);
  // Node lets go of the connection, whatever becomes of the request.
  server.on('upgrade', ((request: ServedRequest, socket: Socket, head: Buffer) => {
    onRequest(request, lastResponse(request, socket), new AgentConnection(socket, head));
  }) as unknown as (request: unknown, socket: unknown, head: unknown) => void);
  // Refused on the path too, where Node would answer with a bare 417.
  server.on('checkExpectation', onRequest as unknown as (request: unknown, response: unknown) => void);
  // Refused on the path like any other method that is not known, where Node would hang up without a word.
  server.on('connect', ((request: ServedRequest, to: ServedResponse | Socket) => {
    onRequest(request, to instanceof Socket ? lastResponse(request, to) : to);
  }) as unknown as (session: unknown, socket: unknown) => void);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  return {
    address: server.address() as AddressInfo,
    setCertificate: (certificate) => server.setSecureContext(certificate),
    drain: () =>
      new Promise((resolve) => {
        draining = true;
        // An HTTP/1 connection is closed when it is idle, which one that carries a call is only later.
        const closeIdle = () => (server as unknown as HttpServer).closeIdleConnections();
        const timer = setInterval(closeIdle, idleCheckMilliseconds);
        server.close(() => {
          clearInterval(timer);
          resolve();
        });
        for (const session of sessions) session.close();
        closeIdle();
      }),
    destroy: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The response to a request whose connection Node has let go of. */
function lastResponse(request: ServedRequest, socket: Socket): ServedResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once('finish', () => socket.end());
  socket.on('error', () => {});
  return response;
}
