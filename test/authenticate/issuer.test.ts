import {once} from 'node:events';
import {createServer, type Server} from 'node:https';
import type {AddressInfo} from 'node:net';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {exportJWK, generateKeyPair, SignJWT} from 'jose';
import {stringify} from 'yaml';
import {createAuthenticator} from '../../proxy/authenticate/authenticator.ts';
import {fetchDocument} from '../../proxy/authenticate/document.ts';
import {AuthenticationUnavailable} from '../../proxy/authenticate/errors.ts';
import {parseConfiguration} from '../../proxy/authenticate/parseconfiguration.ts';
import {type CertificatePair, createAuthority, issueCertificate} from '../cluster/certificates.ts';

/** What the issuer answers at a path. */
type Answer = {readonly status?: number; readonly location?: string; readonly body: string};

let authority: CertificatePair;
let server: Server;
let answers: Map<string, Answer>;
let url: string;
let warnings: string[];

beforeEach(async () => {
  authority = await createAuthority('issuer authority');
  const {certificate, key} = await issueCertificate(authority, {usage: 'server', names: [], addresses: ['127.0.0.1']});
  answers = new Map();
  warnings = [];
  server = createServer({cert: certificate, key}, (request, response) => {
    const {status = 200, location, body} = answers.get(request.url ?? '') ?? {status: 404, body: ''};
    response.writeHead(status, {'content-type': 'application/json', ...(location && {location})}).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

/** Publishes a new key under discovery and gives what signs with it. */
async function publish(kid: string): Promise<(sub: string) => Promise<string>> {
  const {privateKey, publicKey} = await generateKeyPair('RS256');
  const keys = {keys: [{kid, alg: 'RS256', use: 'sig', ...(await exportJWK(publicKey))}]};
  answers.set('/.well-known/openid-configuration', {body: JSON.stringify({issuer: url, jwks_uri: `${url}/keys`})});
  answers.set('/keys', {body: JSON.stringify(keys)});
  return (sub) =>
    new SignJWT({iss: url, aud: 'lockkeeper', sub})
      .setProtectedHeader({alg: 'RS256', kid})
      .setIssuedAt()
      .setExpirationTime('10m')
      .sign(privateKey);
}

function authenticator(issuer: object = {certificateAuthority: authority.certificate}) {
  const text = stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [{issuer: {url, audiences: ['lockkeeper'], ...issuer}, claimMappings: {username: {claim: 'sub'}}}],
  });
  const clock = {ahead: 0};
  const {authenticate} = createAuthenticator({
    configuration: parseConfiguration(text, undefined),
    maximumTokenLifetimeSeconds: 3600,
    fetch: fetchDocument,
    fetchServiceAccountKeys: () => Promise.reject(new Error('not asked for')),
    now: () => Date.now() + clock.ahead,
    log: {warn: (message) => warnings.push(message)},
  });
  return {clock, authenticate: async (token: string) => authenticate(token)};
}

describe('an issuer over HTTPS', () => {
  test('is discovered, and followed when it rotates its key', async () => {
    const {clock, authenticate} = authenticator();
    const sign = await publish('one');
    await expect(authenticate(await sign('bot'))).resolves.toMatchObject({username: 'agent:bot', issuer: url});
    const signAnew = await publish('two');
    clock.ahead = 11_000;
    await expect(authenticate(await signAnew('bot2'))).resolves.toMatchObject({username: 'agent:bot2'});
    await expect(authenticate(await sign('bot3'))).rejects.toMatchObject({code: 'UnknownKey'});
  });

  test('is discovered elsewhere where the configuration says so', async () => {
    const sign = await publish('one');
    const [[, document] = ['', {body: ''}]] = [...answers];
    answers.delete('/.well-known/openid-configuration');
    answers.set('/elsewhere', document);
    const discovery = {certificateAuthority: authority.certificate, discoveryURL: `${url}/elsewhere`};
    await expect(authenticator(discovery).authenticate(await sign('bot'))).resolves.toMatchObject({issuer: url});
  });

  test('is not trusted with a certificate of another authority', async () => {
    const sign = await publish('one');
    const other = await createAuthority('other authority');
    const {authenticate} = authenticator({certificateAuthority: other.certificate});
    await expect(authenticate(await sign('bot'))).rejects.toBeInstanceOf(AuthenticationUnavailable);
    expect(warnings).toEqual([expect.stringMatching(/certificate|signature/i)]);
  });

  test.each<[string, string, Answer, string]>([
    ['answers 500', '/keys', {status: 500, body: ''}, 'answered 500'],
    ['redirects', '/keys', {status: 302, location: '/other', body: ''}, 'redirect'],
    ['answers with no JSON', '/keys', {body: '<html>'}, 'JSON'],
    ['answers with no keys', '/keys', {body: '{}'}, 'JSON Web Key Set'],
    ['answers without end', '/keys', {body: ' '.repeat(2 * 1024 * 1024)}, 'more than 1048576 bytes'],
    ['has an empty document', '/.well-known/openid-configuration', {body: 'null'}, 'names the issuer undefined'],
    [
      'publishes its keys in the clear',
      '/.well-known/openid-configuration',
      {body: 'http'},
      'jwks_uri must be an https URL',
    ],
  ])('that %s is unavailable', async (_, path, answer, warning) => {
    const sign = await publish('one');
    const inTheClear = JSON.stringify({issuer: url, jwks_uri: 'http://127.0.0.1/keys'});
    answers.set(path, answer.body === 'http' ? {body: inTheClear} : answer);
    await expect(authenticator().authenticate(await sign('bot'))).rejects.toBeInstanceOf(AuthenticationUnavailable);
    expect(warnings).toEqual([expect.stringContaining(warning)]);
  });

  test('that is down is unavailable, and back when it is up again', async () => {
    const sign = await publish('one');
    const {clock, authenticate} = authenticator();
    const {port} = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    await expect(authenticate(await sign('bot'))).rejects.toBeInstanceOf(AuthenticationUnavailable);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    clock.ahead = 6_000;
    await expect(authenticate(await sign('bot'))).resolves.toMatchObject({username: 'agent:bot'});
  });
});
