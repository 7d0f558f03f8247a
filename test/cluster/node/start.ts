import {randomUUID} from 'node:crypto';
import {mkdir, readFile, rename, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {type CertificatePair, issueCertificate} from '../certificates.ts';
import {ClusterError} from '../error.ts';
import {clientKubeconfig} from '../kubeconfig.ts';
import type {Supervisor} from '../supervise.ts';
import {until} from '../until.ts';
import {nodeUnavailable} from './available.ts';
import {
  bridgeConfiguration,
  containerdConfiguration,
  kubeletConfiguration,
  type NodeNetwork,
  nodeDisk,
  nodeName,
  nodeNetwork,
} from './configuration.ts';
import {writeBaseImages} from './images.ts';

/** A node whose network and containerd are up; the kubelet waits for the address of the API server. */
export interface NodeWithoutKubelet {
  readonly network: NodeNetwork;
  /** Starts the kubelet: the API server must listen already, or it registers some seconds later. */
  readonly startKubelet: (serverURL: string, authority: CertificatePair) => Promise<void>;
}

/**
 * Starts a node up to its containerd; the images are imported meanwhile.
 *
 * @throws {ClusterError} where this machine cannot run one.
 */
export async function startNode(
  supervisor: Supervisor,
  dataDirectory: string,
  kubelet: string,
): Promise<NodeWithoutKubelet> {
  const disk = nodeDisk(dataDirectory);
  const etc = (name: string): string => path.join(disk, 'etc', name);
  for (const directory of ['kubernetes', 'containerd', 'cni/net.d']) await mkdir(etc(directory), {recursive: true});
  await writeBaseImages(path.join(disk, 'var/images'));
  await writeFile(etc('containerd/config.toml'), containerdConfiguration);
  await writeFile(etc('passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await writeFile(etc('group'), 'root:x:0:\n');
  await writeFile(etc('hosts'), `127.0.0.1 localhost ${nodeName}\n`);

  const cgroup = `lockkeeper-${randomUUID()}`;
  const script = path.join(import.meta.dirname, 'init.sh');
  supervisor.start('node', 'bash', [script, disk, kubelet, cgroup], {endsWithInput: true});
  const numberPath = path.join(disk, 'run/network');
  let number = Number.NaN;
  await until(supervisor, 'the network of the node is not up', async () => {
    number = Number.parseInt(await readFile(numberPath, 'utf8').catch(() => ''), 10);
    return !Number.isNaN(number);
  });
  const network = nodeNetwork(number);

  const startKubelet = async (serverURL: string, authority: CertificatePair): Promise<void> => {
    const user = `system:node:${nodeName}`;
    const [client, server] = await Promise.all([
      issueCertificate(authority, {usage: 'client', user, groups: ['system:nodes']}),
      issueCertificate(authority, {usage: 'server', names: [nodeName], addresses: [network.nodeAddress]}),
    ]);
    await writeFile(etc('kubernetes/ca.crt'), authority.certificate);
    await writeFile(etc('kubernetes/kubelet.crt'), server.certificate);
    await writeFile(etc('kubernetes/kubelet.key'), server.key, {mode: 0o600});
    await writeFile(etc('kubernetes/kubelet.yaml'), kubeletConfiguration(cgroup));
    await writeFile(etc('cni/net.d/bridge.conflist'), bridgeConfiguration(number));
    const kubeconfig = etc('kubernetes/kubelet.kubeconfig');
    await writeFile(`${kubeconfig}.new`, clientKubeconfig(serverURL, authority.certificate, user, client), {
      mode: 0o600,
    });
    await rename(`${kubeconfig}.new`, kubeconfig);
  };
  return {network, startKubelet};
}

export async function requireNode(): Promise<void> {
  const reason = await nodeUnavailable();
  if (reason !== undefined) throw new ClusterError('NodeUnavailable', reason);
}
