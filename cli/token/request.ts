import {readFile} from 'node:fs/promises';
import * as oidc from 'openid-client';
import {Agent, fetch as undiciFetch} from 'undici';

/** Whose token is asked for, and what for. */
export interface TokenOptions {
  readonly issuerUrl: string;
  readonly clientId: string;
  readonly clientSecretFile: string;
  readonly certificateAuthority?: string;
  readonly resource?: string;
  readonly scope?: string;
}

export interface Token {
  readonly token: string;
  readonly expiresAtMilliseconds: number;
}

/** There is no token to be had; the message is one sentence for a person. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly code: 'FileUnreadable' | 'ClientRefused' | 'IssuerFailed';

  constructor(code: TokenError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Gets a token from the issuer by client credentials (RFC 6749, 4.4).
 *
 * @throws {TokenError}
 */
export async function requestToken(options: TokenOptions): Promise<Token> {
  const {issuerUrl, clientId, clientSecretFile, certificateAuthority, resource, scope} = options;
  const secret = (await readFlagFile('--client-secret-file', clientSecretFile)).trim();
  if (secret === '') {
    const message = `--client-secret-file ${clientSecretFile} is empty; it must hold the client’s secret`;
    throw new TokenError('FileUnreadable', message);
  }
  const discovery: oidc.DiscoveryRequestOptions = {};
  if (certificateAuthority !== undefined) {
    const ca = await readFlagFile('--certificate-authority', certificateAuthority);
    const dispatcher = new Agent({connect: {ca}});
    discovery[oidc.customFetch] = ((url: string, init: object) => undiciFetch(url, {...init, dispatcher})) as never;
  }
  try {
    const authentication = oidc.ClientSecretBasic(secret);
    const configuration = await oidc.discovery(new URL(issuerUrl), clientId, secret, authentication, discovery);
    const answer = await oidc.clientCredentialsGrant(configuration, {
      ...(resource !== undefined && {resource}),
      ...(scope !== undefined && {scope}),
    });
    return {token: answer.access_token, expiresAtMilliseconds: Date.now() + (answer.expires_in ?? 0) * 1000};
  } catch (cause) {
    const refusal = refusalOf(cause);
    if (refusal !== undefined) {
      const message = `the issuer ${issuerUrl} refused client ${clientId}: ${refusal}`;
      throw new TokenError('ClientRefused', message, {cause});
    }
    throw new TokenError('IssuerFailed', `the issuer ${issuerUrl} gave no token: ${reasonOf(cause)}`, {cause});
  }
}

async function readFlagFile(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TokenError('FileUnreadable', `${flag} ${file} cannot be read: ${reasonOf(cause)}`, {cause});
  }
}

/** What the issuer says is wrong with the request (RFC 6749, 5.2), in its body or in a challenge. */
function refusalOf(error: unknown): string | undefined {
  const said =
    error instanceof oidc.WWWAuthenticateChallengeError
      ? error.cause[0]?.parameters
      : error instanceof oidc.ResponseBodyError
        ? error
        : undefined;
  if (said?.error === undefined) return undefined;
  return said.error_description === undefined ? said.error : `${said.error} (${said.error_description})`;
}

/** The message with those of what caused it: `fetch failed` alone helps nobody. */
function reasonOf(error: unknown): string {
  if (!Error.isError(error)) return String(error);
  const {message, cause} = error;
  return Error.isError(cause) && cause.message !== message ? `${message}: ${reasonOf(cause)}` : message;
}
