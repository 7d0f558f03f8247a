import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {chmod, mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import type {IncomingMessage, ServerResponse} from 'node:http';
import {createServer, type Server} from 'node:https';
import {type AddressInfo, createServer as createPlainServer} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from '@jest/globals';
import {decodeJwt} from 'jose';
import {lockkeeperCommand} from '../../cli/main.ts';
import type {IssuerConfiguration} from '../environment/issuer.ts';
import {eventually} from '../eventually.ts';
import {loopbackCertificate, type Presented} from '../proxy/upstream.ts';

let presented: Presented;
let directory: string;
let caFile: string;
let secretFile: string;
beforeAll(async () => {
  presented = await loopbackCertificate();
});
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lockkeeper-token-'));
  caFile = path.join(directory, 'ca.crt');
  secretFile = path.join(directory, 'secret');
  await writeFile(caFile, presented.ca);
  await writeFile(secretFile, 'very-secret\n');
  process.env.XDG_CACHE_HOME = path.join(directory, 'cache');
});
const before = process.env.XDG_CACHE_HOME;
afterEach(async () => {
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
  await rm(directory, {recursive: true});
});

interface Credential {
  readonly apiVersion: string;
  readonly kind: string;
  readonly status: {readonly token: string; readonly expirationTimestamp: string};
}

/** Runs `lockkeeper token` and gives what it printed. */
async function token(issuer: string, ...more: string[]): Promise<Credential> {
  const write = process.stdout.write;
  const printed: string[] = [];
  process.stdout.write = ((text: string) => printed.push(text) > 0) as typeof write;
  const flags = ['--issuer-url', issuer, '--client-id', 'build-bot', '--client-secret-file', secretFile];
  try {
    await lockkeeperCommand().parseAsync(['token', ...flags, '--certificate-authority', caFile, ...more], {
      from: 'user',
    });
  } finally {
    process.stdout.write = write;
  }
  expect(printed).toHaveLength(1);
  expect(printed[0]).toMatch(/^\{.*\}\n$/);
  return JSON.parse(printed[0] ?? '') as Credential;
}

describe('from a real issuer', () => {
  let issuer: ReturnType<typeof spawn>;
  let url: string;
  let files: string;

  beforeAll(async () => {
    files = await mkdtemp(path.join(tmpdir(), 'lockkeeper-issuer-'));
    const probe = createPlainServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const {port} = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    const file = (name: string) => path.join(files, name);
    const configuration: IssuerConfiguration = {
      port,
      certificateFile: file('tls.crt'),
      keyFile: file('tls.key'),
      audience: 'lockkeeper',
      tokenLifetimeSeconds: 600,
      clients: [{id: 'build-bot', secret: 'very-secret', groups: ['ai-agents']}],
    };
    await writeFile(file('tls.crt'), presented.cert);
    await writeFile(file('tls.key'), presented.key);
    await writeFile(file('issuer.json'), JSON.stringify(configuration));
    const program = path.resolve(import.meta.dirname, '../environment/issuer.ts');
    issuer = spawn(process.execPath, [program, file('issuer.json')], {stdio: 'ignore'});
    url = `https://127.0.0.1:${port}`;
  });
  afterAll(async () => {
    issuer.kill();
    await once(issuer, 'exit');
    await rm(files, {recursive: true});
  });

  test('an ExecCredential with its token is printed', async () => {
    const {apiVersion, kind, status} = await eventually(() => token(url));
    expect({apiVersion, kind}).toEqual({apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential'});
    const claims = decodeJwt(status.token);
    expect(claims).toMatchObject({iss: url, sub: 'build-bot', aud: 'lockkeeper', groups: ['ai-agents']});
    expect(status.expirationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Math.abs(Date.parse(status.expirationTimestamp) / 1000 - (claims.exp ?? 0))).toBeLessThan(60);
  });

  test('a wrong secret is refused, and the error says so', async () => {
    await eventually(() => token(url));
    await rm(path.join(directory, 'cache'), {recursive: true});
    await writeFile(secretFile, 'wrong');
    await expect(token(url)).rejects.toThrow(/^the issuer .* refused client build-bot: invalid_client/);
  });
});

describe('from an issuer that the test plays', () => {
  let server: Server;
  let url: string;
  let requested: string[];
  let answering: (request: IncomingMessage, response: ServerResponse) => void;

  beforeEach(async () => {
    requested = [];
    server = createServer(presented, async (request, response) => {
      if (request.url === '/.well-known/openid-configuration') {
        const endpoints = {
          token_endpoint: `${url}/token`,
          jwks_uri: `${url}/keys`,
          authorization_endpoint: `${url}/auth`,
        };
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({issuer: url, ...endpoints}));
        return;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      requested.push(Buffer.concat(chunks).toString());
      answering(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    answering = granting(3600);
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  const granting = (expiresIn: number) => (_request: IncomingMessage, response: ServerResponse) => {
    const token = {access_token: `token-${requested.length}`, token_type: 'Bearer', expires_in: expiresIn};
    response.writeHead(200, {'content-type': 'application/json'}).end(JSON.stringify(token));
  };
  const answers = (status: number, body: object) => (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, {'content-type': 'application/json'}).end(JSON.stringify(body));
  };

  const tokens = async (count: number, ...flags: string[]) => {
    const found: string[] = [];
    while (found.length < count) found.push((await token(url, ...flags)).status.token);
    return found;
  };

  test('one that lives on is used again', async () => {
    expect(await tokens(3)).toEqual(['token-1', 'token-1', 'token-1']);
  });

  test('one that has less than a minute to live is renewed', async () => {
    answering = granting(59);
    expect(await tokens(2)).toEqual(['token-1', 'token-2']);
  });

  test('one with a lifetime that nobody told is not used again', async () => {
    answering = answers(200, {access_token: 'token', token_type: 'Bearer'});
    await tokens(2);
    expect(requested).toHaveLength(2);
  });

  test('only its owner may read the file that keeps it, or the folder of that file', async () => {
    await token(url);
    const folder = path.join(directory, 'cache', 'lockkeeper', 'tokens');
    const [name = '', ...others] = await readdir(folder);
    expect(others).toEqual([]);
    expect((await stat(path.join(folder, name))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await readFile(path.join(folder, name), 'utf8')).not.toContain('very-secret');
  });

  test('one is kept for each client and what it asks for', async () => {
    expect(await tokens(2, '--scope', 'one')).toEqual(['token-1', 'token-1']);
    expect(await tokens(1, '--scope', 'two')).toEqual(['token-2']);
    expect(await tokens(1, '--resource', 'urn:lockkeeper')).toEqual(['token-3']);
    expect(await tokens(1, '--client-id', 'other')).toEqual(['token-4']);
    expect(requested.map((body) => Object.fromEntries(new URLSearchParams(body)))).toEqual([
      {grant_type: 'client_credentials', scope: 'one'},
      {grant_type: 'client_credentials', scope: 'two'},
      {grant_type: 'client_credentials', resource: 'urn:lockkeeper'},
      {grant_type: 'client_credentials'},
    ]);
  });

  test.each(['', '{', 'null', '{"token":1,"expiresAtMilliseconds":9e15}'])(
    'a damaged file %j is replaced',
    async (text) => {
      await token(url);
      const folder = path.join(directory, 'cache', 'lockkeeper', 'tokens');
      const [name = ''] = await readdir(folder);
      await writeFile(path.join(folder, name), text);
      expect(await tokens(2)).toEqual(['token-2', 'token-2']);
    },
  );

  test('a cache that cannot be written keeps nobody from a token', async () => {
    process.env.XDG_CACHE_HOME = path.join(secretFile, 'no-folder');
    expect(await tokens(2)).toEqual(['token-1', 'token-2']);
  });

  describe('what goes wrong is one clear sentence', () => {
    const failing = async (...flags: string[]) => {
      const error = await token(url, ...flags).then(
        () => undefined,
        (error: Error) => error,
      );
      expect(error?.message).not.toContain('\n');
      expect(error?.message).not.toContain('very-secret');
      return error?.message;
    };

    test('the issuer refuses the client', async () => {
      answering = answers(401, {error: 'invalid_client', error_description: 'client authentication failed'});
      expect(await failing()).toBe(
        `the issuer ${url} refused client build-bot: invalid_client (client authentication failed)`,
      );
    });

    test('the issuer refuses what is asked for', async () => {
      answering = answers(400, {error: 'invalid_scope'});
      expect(await failing('--scope', 'everything')).toBe(`the issuer ${url} refused client build-bot: invalid_scope`);
    });

    test.each<[string, number, object]>([
      ['fails', 500, {}],
      ['answers something else', 200, {hello: 'world'}],
    ])('the issuer %s', async (_name, status, body) => {
      answering = answers(status, body);
      expect(await failing()).toMatch(new RegExp(`^the issuer ${url} gave no token: .`));
    });

    test.each(['127.0.0.1:8443', 'http://127.0.0.1', ''])('%j is no issuer', async (issuer) => {
      const command = lockkeeperCommand();
      for (const each of command.commands) each.exitOverride().configureOutput({outputError: () => {}});
      const flags = ['--issuer-url', issuer, '--client-id', 'a', '--client-secret-file', secretFile];
      await expect(command.parseAsync(['token', ...flags], {from: 'user'})).rejects.toThrow(
        /'--issuer-url <url>' argument '.*' is invalid. Want https:/,
      );
    });

    test('nobody vouches for the issuer', async () => {
      await writeFile(caFile, (await loopbackCertificate()).ca);
      expect(await failing()).toMatch(/^the issuer .* gave no token: .*certificate/i);
    });

    test('the issuer cannot be reached', async () => {
      const closed = url;
      server.close();
      await once(server, 'close');
      server = createServer(presented).listen(0, '127.0.0.1');
      await once(server, 'listening');
      await expect(token(closed)).rejects.toThrow(/^the issuer .* gave no token: .*ECONNREFUSED/);
    });

    test.each(['client-secret-file', 'certificate-authority'])('the file of --%s is not there', async (flag) => {
      expect(await failing(`--${flag}`, '/not/there')).toMatch(
        new RegExp(`^--${flag} /not/there cannot be read: .*ENOENT`),
      );
    });

    test('a file may not be read', async () => {
      await chmod(secretFile, 0);
      // root may read it all the same.
      if (process.getuid?.() === 0) return;
      expect(await failing()).toMatch(/^--client-secret-file .* cannot be read: .*EACCES/);
    });

    test('the secret is empty', async () => {
      await writeFile(secretFile, '\n');
      expect(await failing()).toBe(`--client-secret-file ${secretFile} is empty; it must hold the client’s secret`);
    });
  });
});
