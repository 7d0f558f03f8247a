import {mkdir, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {type CertificatePair, createAuthority, createServiceAccountKeys, issueCertificate} from './certificates.ts';
import type {ClusterFiles} from './control-plane.ts';
import {clientKubeconfig} from './kubeconfig.ts';
import type {NodeNetwork} from './node/configuration.ts';

/** What the processes of one cluster authenticate with, as far as others need it. */
export interface Pki {
  readonly authority: CertificatePair;
  readonly admin: CertificatePair;
  readonly controllerManager: CertificatePair;
  readonly scheduler: CertificatePair;
}

/** Makes a cluster's certificates and keys. */
export async function writePki(files: ClusterFiles, network: NodeNetwork | undefined): Promise<Pki> {
  const [authority, serviceAccount] = await Promise.all([createAuthority('lockkeeper'), createServiceAccountKeys()]);
  const client = (user: string, ...groups: string[]): Promise<CertificatePair> =>
    issueCertificate(authority, {usage: 'client', user, groups});
  const [apiserver, admin, controllerManager, scheduler, frontProxy, kubeletClient] = await Promise.all([
    issueCertificate(authority, {
      usage: 'server',
      names: ['kubernetes.default.svc', 'kubernetes.default', 'kubernetes', 'localhost'],
      addresses: ['127.0.0.1', ...(network ? [network.hostAddress] : [])],
    }),
    client('admin', 'system:masters'),
    client('system:kube-controller-manager'),
    client('system:kube-scheduler'),
    client('front-proxy'),
    client('kube-apiserver-kubelet-client', 'system:masters'),
  ]);
  await mkdir(files.pki, {mode: 0o700});
  await mkdir(files.users, {mode: 0o700});
  const write = (name: string, content: string): Promise<void> =>
    writeFile(path.join(files.pki, name), content, {mode: 0o600});
  const writePair = async (name: string, pair: CertificatePair): Promise<void> => {
    await write(`${name}.crt`, pair.certificate);
    await write(`${name}.key`, pair.key);
  };
  await Promise.all([
    writePair('ca', authority),
    writePair('apiserver', apiserver),
    writePair('admin', admin),
    writePair('front-proxy', frontProxy),
    writePair('kubelet-client', kubeletClient),
    write('service-account.key', serviceAccount.privateKey),
    write('service-account.pub', serviceAccount.publicKey),
  ]);
  return {authority, admin, controllerManager, scheduler};
}

/** Writes the kubeconfigs of the administrator and of the control plane. */
export async function writeKubeconfigs(files: ClusterFiles, serverURL: string, pki: Pki): Promise<void> {
  const write = (file: string, user: string, client: CertificatePair): Promise<void> =>
    writeFile(file, clientKubeconfig(serverURL, pki.authority.certificate, user, client), {mode: 0o600});
  await write(files.adminKubeconfig, 'admin', pki.admin);
  await write(files.controllerManagerKubeconfig, 'system:kube-controller-manager', pki.controllerManager);
  await write(files.schedulerKubeconfig, 'system:kube-scheduler', pki.scheduler);
}
