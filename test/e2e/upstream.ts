import {writeFile} from 'node:fs/promises';
import type {IncomingMessage, ServerResponse} from 'node:http';
import * as http2 from 'node:http2';
import type {AddressInfo, Socket} from 'node:net';
import path from 'node:path';
import {createAuthority, issueCertificate} from '../cluster/certificates.ts';

export type Serve = (request: IncomingMessage, response: ServerResponse) => void;

/** A server in the API server's place, so that a test sees what arrives and decides how the answer goes wrong. */
export class Upstream {
  /** For a proxy that is to forward to it. */
  readonly flags: readonly string[];
  /** What it does with a request; a test sets it. */
  serve: Serve = (_request, response) => response.writeHead(500).end();
  readonly #server: http2.Http2SecureServer;
  readonly #sockets = new Set<Socket>();

  private constructor(server: http2.Http2SecureServer, caFile: string) {
    this.#server = server;
    const {port} = server.address() as AddressInfo;
    this.flags = [`--upstream-url=https://127.0.0.1:${port}`, `--upstream-ca-file=${caFile}`];
    server.on('secureConnection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) =>
      this.serve(request as unknown as IncomingMessage, response as unknown as ServerResponse),
    );
    server.on('sessionError', () => {});
  }

  /** @param directory where it writes the authority of its certificate. */
  static async start(directory: string): Promise<Upstream> {
    const authority = await createAuthority('upstream of the tests');
    const serving = await issueCertificate(authority, {usage: 'server', names: [], addresses: ['127.0.0.1']});
    const caFile = path.join(directory, 'own-upstream-ca.crt');
    await writeFile(caFile, authority.certificate);
    const server = http2.createSecureServer({cert: serving.certificate, key: serving.key, allowHTTP1: true});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Upstream(server, caFile);
  }

  /** Cuts every connection without a word of goodbye. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.hangUp();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
