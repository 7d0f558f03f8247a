import {readFile} from 'node:fs/promises';
import type {RequestOptions} from 'node:https';
import {dirname, resolve} from 'node:path';
import {KubeConfig} from '@kubernetes/client-node';
import {parse} from 'yaml';

/** What a TLS connection to the API server needs. */
export interface TLSMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Credentials {
  /** Base URL of the API server, without a trailing slash. */
  readonly server: string;
  /** What to send with the next request. Files are read anew where they may have rotated. */
  current(): Promise<{readonly headers: Readonly<Record<string, string>>; readonly tls: TLSMaterial}>;
  /** Forgets everything held in memory: called when the API server answered 401, before the one retry. */
  reload(): Promise<void>;
}

/** The kubeconfig or the pod's ServiceAccount cannot be used; the message says what is wrong with it. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
  readonly code = 'Credentials';
}

/** Credentials of a kubeconfig's current context: client certificate, token, token file or exec plugin. */
export function kubeconfigCredentials(file: string): Promise<Credentials> {
  return credentials(`kubeconfig ${file}`, async () => {
    const text = await readFile(file, 'utf8');
    const config = new KubeConfig();
    config.loadFromString(text);
    config.makePathsAbsolute(dirname(resolve(file)));
    followTokenFiles(config, text, dirname(resolve(file)));
    return config;
  });
}

/** Credentials of the pod that this process runs in. The token file is read again at least once a minute. */
export function inClusterCredentials(environment: NodeJS.ProcessEnv): Promise<Credentials> {
  return credentials('the pod', async () => {
    if (!environment.KUBERNETES_SERVICE_HOST || !environment.KUBERNETES_SERVICE_PORT) {
      throw new Error('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no pod');
    }
    const config = new KubeConfig();
    config.loadFromCluster();
    return config;
  });
}

async function credentials(source: string, load: () => Promise<KubeConfig>): Promise<Credentials> {
  const loadChecked = async () => {
    try {
      const config = await load();
      return {config, server: serverOf(config)};
    } catch (cause) {
      throw new CredentialsError(`credentials of ${source}: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    }
  };
  const first = await loadChecked();
  let config = first.config;
  return {
    server: first.server,
    async current() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      return {headers: headersOf(options), tls: tlsOf(options)};
    },
    async reload() {
      config = (await loadChecked()).config;
    },
  };
}

function serverOf(config: KubeConfig): string {
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`the current context "${config.getCurrentContext() ?? ''}" names no cluster`);
  if (!config.getCurrentUser()) throw new Error(`the current context "${config.getCurrentContext()}" names no user`);
  // Transports other than TLS straight to the server would need their own dispatcher; refusing beats ignoring them.
  if (cluster.proxyUrl) throw new Error(`cluster "${cluster.name}" has a proxy-url, which is not supported`);
  const url = new URL(cluster.server);
  if (url.protocol !== 'https:') throw new Error(`cluster "${cluster.name}" has server ${cluster.server}: want https`);
  return cluster.server.replace(/\/+$/, '');
}

/**
 * client-node 2.0.1 does not know `tokenFile` of a kubeconfig's user (it reads `token-file`, once, when loading), so a
 * rotated token would be missed (kubernetes-client/javascript#317). Its FileAuth reads again every 60 s: use that.
 */
function followTokenFiles(config: KubeConfig, text: string, directory: string): void {
  const document: unknown = parse(text);
  const users = (document as {users?: unknown} | null)?.users;
  if (!Array.isArray(users)) return;
  for (const entry of users as {name?: unknown; user?: {tokenFile?: unknown} | null}[]) {
    const tokenFile = entry.user?.tokenFile;
    const user = config.getUsers().find(({name}) => name === entry.name);
    if (typeof tokenFile !== 'string' || tokenFile === '' || !user) continue;
    // kubectl lets tokenFile win over token.
    Object.assign(user, {
      token: undefined,
      authProvider: {name: 'tokenFile', config: {tokenFile: resolve(directory, tokenFile)}},
    });
  }
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file may end in a newline, which is no header value.
    if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
  }
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return headers;
}

function tlsOf(options: RequestOptions): TLSMaterial {
  const {ca, cert, key, servername, rejectUnauthorized} = options;
  return {
    ...(ca && {ca: ca as string | Buffer}),
    ...(cert && {cert: cert as string | Buffer}),
    ...(key && {key: key as string | Buffer}),
    ...(servername !== undefined && {servername}),
    ...(rejectUnauthorized !== undefined && {rejectUnauthorized}),
  };
}
