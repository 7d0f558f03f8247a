import type {Server as HttpServer} from 'node:http';
import * as http2 from 'node:http2';
import type {AddressInfo, Socket} from 'node:net';
import type {ServedRequest, ServedResponse} from '../path/call.ts';

/** Longer than the idle time of load balancers and client-go (90 s), so that it is never we who close under a request. */
const keepAliveMilliseconds = 120_000;
const maximumConcurrentStreams = 250;
const maximumHeaderBytes = 64 * 1024;

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
  readonly onRequest: (request: ServedRequest, response: ServedResponse) => void;
}): Promise<Listener> {
  const server = http2.createSecureServer({
    ...options.certificate,
    allowHTTP1: true,
    minVersion: 'TLSv1.2',
    settings: {maxConcurrentStreams: maximumConcurrentStreams, maxHeaderListSize: maximumHeaderBytes},
    // node:http's options for the HTTP/1.1 side, which the types do not know.
    ...({keepAliveTimeout: keepAliveMilliseconds, maxHeaderSize: maximumHeaderBytes} as object),
  });
  const sockets = new Set<Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('secureConnection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  // A client that breaks its connection is its own affair; the relay of each call hears of it by itself.
  server.on('sessionError', () => {});
  server.on('clientError', (_error, socket) => socket.destroy());
  server.on('tlsClientError', () => {});
  server.on('request', options.onRequest as unknown as (request: unknown, response: unknown) => void);
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
        server.close(() => resolve());
        for (const session of sessions) session.close();
        (server as unknown as Partial<HttpServer>).closeIdleConnections?.();
      }),
    destroy: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
