import {spawn} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import type {KubectlResult} from '../cluster/cluster.ts';
import type {ClusterAccess} from './access.ts';

interface KubeconfigView {
  readonly clusters?: readonly {
    readonly cluster: {readonly server: string; readonly 'certificate-authority-data'?: string};
  }[];
}

/** A cluster that somebody else runs, reached with the rights of a kubeconfig's current context. */
export async function existingCluster(kubeconfig: string): Promise<ClusterAccess> {
  const kubeconfigPath = path.resolve(kubeconfig);
  await readFile(kubeconfigPath).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`KUBECONFIG=${kubeconfig} cannot be read (${cause.code}).`);
  });
  const kubectl = (args: readonly string[], options: {kubeconfig?: string; input?: string} = {}) =>
    runKubectl(args, options.kubeconfig ?? kubeconfigPath, options.input ?? '');
  const mustKubectl = async (args: readonly string[], options: {kubeconfig?: string; input?: string} = {}) => {
    const {code, stdout, stderr} = await kubectl(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} failed: ${stderr.trim()}`);
    return stdout;
  };
  const view = JSON.parse(
    await mustKubectl(['config', 'view', '--raw', '--minify', '--flatten', '--output=json']),
  ) as KubeconfigView;
  const cluster = view.clusters?.[0]?.cluster;
  const authority = cluster?.['certificate-authority-data'];
  if (cluster === undefined || authority === undefined) {
    throw new Error(`KUBECONFIG=${kubeconfig}: its current context must name a cluster with a certificate authority.`);
  }
  const discovery = JSON.parse(await mustKubectl(['get', '--raw', '/.well-known/openid-configuration'])) as {
    issuer: string;
  };
  return {
    serverURL: new URL(cluster.server).origin,
    ca: Buffer.from(authority, 'base64').toString(),
    kubeconfigPath,
    kubectlPath: 'kubectl',
    serviceAccountIssuer: discovery.issuer,
    kubectl,
    mustKubectl,
    serviceAccountToken: async ({namespace, name, audience, expirationSeconds}) =>
      (
        await mustKubectl([
          ...['create', 'token', name, `--namespace=${namespace}`],
          ...[`--audience=${audience}`, `--duration=${expirationSeconds}s`],
        ])
      ).trim(),
  };
}

function runKubectl(args: readonly string[], kubeconfig: string, input: string): Promise<KubectlResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('kubectl', args, {env: {...process.env, KUBECONFIG: kubeconfig}});
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.once('error', (cause: NodeJS.ErrnoException) =>
      reject(cause.code === 'ENOENT' ? new Error('KUBECONFIG is given, but there is no kubectl on the PATH.') : cause),
    );
    child.once('close', (code) =>
      resolve({code: code ?? 1, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString()}),
    );
    // kubectl may end without reading its input.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
