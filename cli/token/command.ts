import {createHash} from 'node:crypto';
import {mkdir, readFile, rename, writeFile} from 'node:fs/promises';
import {homedir} from 'node:os';
import path from 'node:path';
import {Command} from 'commander';
import * as oidc from 'openid-client';
import {Agent, fetch as undiciFetch} from 'undici';

/** A token is asked for anew when it has less than this to live: kubectl calls may take a while. */
const renewBeforeSeconds = 60;

interface TokenOptions {
  readonly issuerUrl: string;
  readonly clientId: string;
  readonly clientSecretFile: string;
  readonly certificateAuthority?: string;
  readonly resource?: string;
  readonly scope?: string;
}

interface Token {
  readonly token: string;
  readonly expiresAtMilliseconds: number;
}

/** `lockkeeper token`: an exec credential plugin for kubeconfigs (client.authentication.k8s.io/v1). */
export function tokenCommand(): Command {
  return new Command('token')
    .description(
      'Get a short-lived OIDC token by client credentials and print it as an ExecCredential, for the exec section of a kubeconfig.',
    )
    .requiredOption('--issuer-url <url>', 'the OIDC issuer')
    .requiredOption('--client-id <id>', 'the agent’s client at the issuer')
    .requiredOption('--client-secret-file <file>', 'file that holds the client’s secret')
    .option('--certificate-authority <file>', 'PEM authority of the issuer; the system’s where absent')
    .option('--resource <uri>', 'resource indicator to ask for (RFC 8707)')
    .option('--scope <scope>', 'scope to ask for')
    .action(async (options: TokenOptions) => {
      const {token, expiresAtMilliseconds} = await currentToken(options, Date.now());
      const credential = {
        apiVersion: 'client.authentication.k8s.io/v1',
        kind: 'ExecCredential',
        status: {token, expirationTimestamp: new Date(expiresAtMilliseconds).toISOString().replace(/\.\d+Z$/, 'Z')},
      };
      process.stdout.write(`${JSON.stringify(credential)}\n`);
    });
}

/** kubectl runs the plugin anew for each command, so a token that is still good is kept in a file of the user's own. */
async function currentToken(options: TokenOptions, now: number): Promise<Token> {
  const cache = cacheFile(options);
  const kept = await readToken(cache);
  if (kept !== undefined && kept.expiresAtMilliseconds - now > renewBeforeSeconds * 1000) return kept;
  const token = await requestToken(options);
  await mkdir(path.dirname(cache), {recursive: true, mode: 0o700});
  const temporary = `${cache}.${process.pid}`;
  await writeFile(temporary, JSON.stringify(token), {mode: 0o600});
  await rename(temporary, cache);
  return token;
}

function cacheFile(options: TokenOptions): string {
  const {issuerUrl, clientId, resource, scope} = options;
  const key = createHash('sha256')
    .update(JSON.stringify([issuerUrl, clientId, resource, scope]))
    .digest('hex');
  const directory = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');
  return path.join(directory, 'lockkeeper', 'tokens', `${key}.json`);
}

async function readToken(file: string): Promise<Token | undefined> {
  try {
    const value = JSON.parse(await readFile(file, 'utf8')) as Partial<Token>;
    if (typeof value.token === 'string' && typeof value.expiresAtMilliseconds === 'number') return value as Token;
  } catch {
    // Absent or damaged: a new token takes its place.
  }
  return undefined;
}

async function requestToken(options: TokenOptions): Promise<Token> {
  const secret = (await readFile(options.clientSecretFile, 'utf8')).trim();
  const discovery: oidc.DiscoveryRequestOptions = {};
  if (options.certificateAuthority !== undefined) {
    const dispatcher = new Agent({connect: {ca: await readFile(options.certificateAuthority)}});
    discovery[oidc.customFetch] = ((url: string, init: object) => undiciFetch(url, {...init, dispatcher})) as never;
  }
  const configuration = await oidc.discovery(
    new URL(options.issuerUrl),
    options.clientId,
    secret,
    oidc.ClientSecretBasic(secret),
    discovery,
  );
  const parameters: Record<string, string> = {};
  if (options.resource !== undefined) parameters.resource = options.resource;
  if (options.scope !== undefined) parameters.scope = options.scope;
  const answer = await oidc.clientCredentialsGrant(configuration, parameters);
  return {token: answer.access_token, expiresAtMilliseconds: Date.now() + (answer.expires_in ?? 0) * 1000};
}
