/**
 * A development OIDC issuer on 127.0.0.1, as a process of its own: node issuer.ts CONFIGURATION. Client credentials in, a
 * signed JWT access token with `groups` out. Keys and tokens are in memory alone; it is no issuer for production.
 */
import {generateKeyPairSync} from 'node:crypto';
import {readFileSync} from 'node:fs';
import https from 'node:https';
import Provider from 'oidc-provider';

/** An agent that gets tokens with its own credentials. */
export interface IssuerClient {
  /** The token's `sub`. */
  readonly id: string;
  readonly secret: string;
  readonly groups: readonly string[];
}

/** What the configuration file holds, as JSON. */
export interface IssuerConfiguration {
  readonly port: number;
  readonly certificateFile: string;
  readonly keyFile: string;
  /** The `aud` of its tokens. */
  readonly audience: string;
  readonly tokenLifetimeSeconds: number;
  readonly clients: readonly IssuerClient[];
}

function provider({port, clients, audience, tokenLifetimeSeconds}: IssuerConfiguration): Provider {
  const key = generateKeyPairSync('ec', {namedCurve: 'P-256'}).privateKey.export({format: 'jwk'});
  return new Provider(`https://127.0.0.1:${port}`, {
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
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: tokenLifetimeSeconds,
          jwt: {sign: {alg: 'ES256'}},
        }),
      },
    },
    ttl: {ClientCredentials: tokenLifetimeSeconds},
    extraTokenClaims: (_context, token) => ({groups: clients.find(({id}) => id === token.clientId)?.groups ?? []}),
  });
}

if (import.meta.main) {
  const configuration = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as IssuerConfiguration;
  const certificate = {cert: readFileSync(configuration.certificateFile), key: readFileSync(configuration.keyFile)};
  https.createServer(certificate, provider(configuration).callback()).listen(configuration.port, '127.0.0.1');
}
