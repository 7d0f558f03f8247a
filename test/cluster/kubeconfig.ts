import {stringify} from 'yaml';
import type {CertificatePair} from './certificates.ts';

/** A kubeconfig (client.config/v1) of one user at one cluster, everything embedded. */
export function clientKubeconfig(server: string, authority: string, user: string, client: CertificatePair): string {
  const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{name: 'lockkeeper', cluster: {server, 'certificate-authority-data': base64(authority)}}],
    users: [
      {
        name: user,
        user: {'client-certificate-data': base64(client.certificate), 'client-key-data': base64(client.key)},
      },
    ],
    contexts: [{name: 'lockkeeper', context: {cluster: 'lockkeeper', user}}],
    'current-context': 'lockkeeper',
  });
}
