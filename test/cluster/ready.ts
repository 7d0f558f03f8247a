import https from 'node:https';
import type {CertificatePair} from './certificates.ts';

/** Whether the API server at `port` of 127.0.0.1 answers `/readyz` with 200; it does not while it starts. */
export function isReady(server: CertificatePair & {readonly port: number; readonly ca: string}): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get(
      {
        host: '127.0.0.1',
        port: server.port,
        path: '/readyz',
        ca: server.ca,
        cert: server.certificate,
        key: server.key,
        agent: false,
        timeout: 5_000,
      },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
    request.once('close', () => resolve(false));
  });
}
