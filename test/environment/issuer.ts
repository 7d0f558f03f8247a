import {generateKeyPairSync} from 'node:crypto';
import https from 'node:https';
import type {AddressInfo} from 'node:net';
import Provider from 'oidc-provider';
import type {CertificatePair} from '../cluster/certificates.ts';

/** An agent that gets tokens with its own credentials. */
export interface IssuerClient {
  /** The token's `sub`. */
  readonly id: string;
  readonly secret: string;
  readonly groups: readonly string[];
}

export interface Issuer {
  /** The `iss` of its tokens. */
  readonly url: string;
  close(): Promise<void>;
}

/** The `aud` of its tokens. */
export const agentAudience = 'lockkeeper';

/**
 * A development OIDC issuer on 127.0.0.1: client credentials in, a signed JWT access token with `groups` out.
 * Keys and tokens are in memory alone; it is no issuer for production.
 */
export async function startIssuer(options: {
  readonly clients: readonly IssuerClient[];
  readonly certificate: CertificatePair;
  readonly tokenLifetimeSeconds: number;
  readonly port?: number;
}): Promise<Issuer> {
  const server = https.createServer({cert: options.certificate.certificate, key: options.certificate.key});
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', provider(url, options).callback());
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function provider(
  url: string,
  {clients, tokenLifetimeSeconds}: {clients: readonly IssuerClient[]; tokenLifetimeSeconds: number},
): Provider {
  const key = generateKeyPairSync('ec', {namedCurve: 'P-256'}).privateKey.export({format: 'jwk'});
  return new Provider(url, {
    jwks: {keys: [{...key, kid: 'development', alg: 'ES256', use: 'sig'} as never]},
    clients: clients.map(({id, secret}) => ({
      client_id: id,
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    })),
    features: {
      devInteractions: {enabled: false},
      clientCredentials: {enabled: true},
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:lockkeeper',
        getResourceServerInfo: () => ({
          scope: '',
          audience: agentAudience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: tokenLifetimeSeconds,
          jwt: {sign: {alg: 'ES256'}},
        }),
      },
    },
    extraTokenClaims: (_context, token) => ({groups: clients.find(({id}) => id === token.clientId)?.groups ?? []}),
  });
}
