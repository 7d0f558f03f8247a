import https from 'node:https';
import type {CertificatePair} from './certificates.ts';

/** Whether the API server at `url` answers `/readyz` with 200; it does not while it starts. */
export function isReady(server: CertificatePair & {readonly url: string; readonly ca: string}): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get(
      `${server.url}/readyz`,
      {
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
