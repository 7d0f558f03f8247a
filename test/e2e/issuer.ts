import {generateKeyPairSync, type KeyObject, randomUUID} from 'node:crypto';
import {readFile, writeFile} from 'node:fs/promises';
import https from 'node:https';
import type {AddressInfo} from 'node:net';
import {SignJWT} from 'jose';
import {parse, stringify} from 'yaml';
import {createAuthority, issueCertificate} from '../cluster/certificates.ts';

interface SigningKey {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** An OIDC issuer that signs whatever claims it is asked to, and rotates its key at will. */
export class ForgingIssuer {
  readonly url: string;
  /** PEM. */
  readonly certificateAuthority: string;
  readonly #server: https.Server;
  #published: SigningKey = newKey();

  private constructor(server: https.Server, certificateAuthority: string) {
    this.#server = server;
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.certificateAuthority = certificateAuthority;
    server.on('request', (request, response) => {
      const document =
        request.url === '/jwks'
          ? {keys: [{...this.#published.publicKey.export({format: 'jwk'}), kid: this.#published.id, alg: 'ES256'}]}
          : {issuer: this.url, jwks_uri: `${this.url}/jwks`};
      response.writeHead(200, {'content-type': 'application/json'}).end(JSON.stringify(document));
    });
  }

  static async start(): Promise<ForgingIssuer> {
    const authority = await createAuthority('issuer of the tests');
    const serving = await issueCertificate(authority, {usage: 'server', names: [], addresses: ['127.0.0.1']});
    const server = https.createServer({cert: serving.certificate, key: serving.key});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ForgingIssuer(server, authority.certificate);
  }

  /** Publishes another key in the place of the one that it signed with so far. */
  rotate(): void {
    this.#published = newKey();
  }

  /** A token for the audience `lockkeeper` that lives for ten minutes from now, but for what is given; undefined leaves a claim out. */
  token(
    claims: Readonly<Record<string, unknown>> = {},
    options: {readonly unpublishedKey?: boolean} = {},
  ): Promise<string> {
    const key = options.unpublishedKey ? {...newKey(), id: this.#published.id} : this.#published;
    const now = Math.floor(Date.now() / 1000);
    const all = {
      iss: this.url,
      sub: 'forger',
      aud: 'lockkeeper',
      iat: now,
      exp: now + 600,
      jti: randomUUID(),
      ...claims,
    };
    return new SignJWT(all).setProtectedHeader({alg: 'ES256', kid: key.id}).sign(key.privateKey);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Adds an issuer to those whose tokens the proxies of an AuthenticationConfiguration take; they read it again by themselves. */
export async function trustIssuer(
  configurationFile: string,
  {url, certificateAuthority}: ForgingIssuer,
): Promise<void> {
  const configuration = parse(await readFile(configurationFile, 'utf8')) as {jwt: unknown[]};
  configuration.jwt.push({
    issuer: {url, audiences: ['lockkeeper'], certificateAuthority},
    claimMappings: {username: {claim: 'sub', prefix: 'agent:'}, groups: {claim: 'groups', prefix: ''}},
  });
  await writeFile(configurationFile, stringify(configuration));
}

function newKey(): SigningKey {
  return {id: randomUUID(), ...generateKeyPairSync('ec', {namedCurve: 'P-256'})};
}
