import {createServer, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {Registry} from 'prom-client';

export interface ObservationServerOptions {
  /** Undefined: every address of the machine. */
  readonly host: string | undefined;
  /** 0 for any free port. */
  readonly port: number;
  readonly registry: Registry;
  /** What readiness waits for, each by name; ready when all are true. */
  readonly checks: Readonly<Record<string, () => boolean>>;
}

export interface ObservationServer {
  readonly address: AddressInfo;
  close(): Promise<void>;
}

/**
 * Serves `/healthz`, `/readyz` and `/metrics`. `/readyz` lists its checks as the API server's does; a probe reads only
 * the code.
 */
export async function serveObservation(options: ObservationServerOptions): Promise<ObservationServer> {
  const server = createServer({requestTimeout: 10_000, headersTimeout: 10_000}, (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      answer(response, 405, 'method not allowed\n');
      return;
    }
    switch (request.url?.split('?', 1)[0]) {
      case '/healthz':
        answer(response, 200, 'ok\n');
        return;
      case '/readyz': {
        const results = Object.entries(options.checks).map(([name, check]) => ({name, ok: check()}));
        const lines = results.map(({name, ok}) => `[${ok ? '+' : '-'}]${name} ${ok ? 'ok' : 'not ready'}\n`);
        answer(response, results.every(({ok}) => ok) ? 200 : 503, lines.join(''));
        return;
      }
      case '/metrics':
        options.registry.metrics().then(
          (text) => answer(response, 200, text, options.registry.contentType),
          (error: unknown) => answer(response, 500, `${error}\n`),
        );
        return;
      default:
        answer(response, 404, 'not found\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    address: server.address() as AddressInfo,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, code: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(code, {'content-type': type, 'x-content-type-options': 'nosniff'});
  response.end(text);
}
