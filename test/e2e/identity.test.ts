import {readFile, writeFile} from 'node:fs/promises';
import type {IncomingHttpHeaders} from 'node:http';
import http from 'node:http';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {parse, stringify} from 'yaml';
import {rootNamespace} from '../environment/environment.ts';
import {eventually} from '../eventually.ts';
import {type AgentClient, collect} from './client.ts';
import {ForgingIssuer, trustIssuer} from './issuer.ts';
import {agentGroup, allowEverything, namespace, Stack} from './stack.ts';
import {Upstream} from './upstream.ts';

jest.setTimeout(60_000);

interface UserInfo {
  readonly username: string;
  readonly groups: readonly string[];
}

const reviews = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const gateway = `${rootNamespace}:lockkeeper-gateway`;

let stack: Stack;
let issuer: ForgingIssuer;
let configurationFile: string;

beforeAll(async () => {
  issuer = await ForgingIssuer.start();
  stack = await Stack.start({policies: {everything: allowEverything()}});
  const {cluster} = stack;
  configurationFile = path.join(stack.environment.directory, 'authentication.yaml');
  for (const name of ['builder', 'rotated']) {
    await cluster.mustKubectl(['create', 'serviceaccount', name, `--namespace=${namespace}`]);
  }
  await cluster.mustKubectl([
    ...['create', 'rolebinding', 'lockkeeper-gateway', `--namespace=${namespace}`],
    ...['--clusterrole=lockkeeper-gateway-serviceaccounts', `--serviceaccount=${gateway}`],
  ]);
  // Groups of agents are listed at install; these are this cluster's own.
  await cluster.mustKubectl([
    ...['create', 'clusterrole', 'agent-groups', '--verb=impersonate', '--resource=groups'],
    ...['--resource-name=reviewers', '--resource-name=deployers'],
  ]);
  await cluster.mustKubectl([
    ...['create', 'clusterrolebinding', 'agent-groups', '--clusterrole=agent-groups', `--serviceaccount=${gateway}`],
  ]);
  await trustIssuer(configurationFile, issuer);
  await eventually(async () => expect((await review(await issuer.token())).status).toBe(201));
});

afterAll(async () => {
  await stack?.stop();
  await issuer?.stop();
});

function review(token: string | undefined, headers: http.OutgoingHttpHeaders = {}, url?: string) {
  const body = {apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview'};
  const client: AgentClient = stack.client({token, ...(url !== undefined && {url})});
  return client.call(reviews, {method: 'POST', body, headers});
}

/** Who the API server takes the bearer of a token for. */
async function whoIs(token: string, headers: http.OutgoingHttpHeaders = {}, url?: string): Promise<UserInfo> {
  const answer = await review(token, headers, url);
  if (answer.status !== 201) throw new Error(`${answer.status}: ${answer.text}`);
  return answer.json<{status: {userInfo: UserInfo}}>().status.userInfo;
}

async function changeConfiguration(change: (configuration: {jwt: unknown[]}) => void): Promise<void> {
  const configuration = parse(await readFile(configurationFile, 'utf8')) as {jwt: unknown[]};
  change(configuration);
  await writeFile(configurationFile, stringify(configuration));
}

function serviceAccountToken(name: string, options: {audience?: string; expirationSeconds?: number; of?: string} = {}) {
  const {audience = 'lockkeeper', expirationSeconds = 600, of = namespace} = options;
  return stack.cluster.serviceAccountToken({namespace: of, name, audience, expirationSeconds});
}

describe('who the agent is to the API server', () => {
  test('kubectl with the token plugin: the issuer’s subject behind the prefix, with its group', async () => {
    const {stdout} = await stack.kubectl(['auth', 'whoami', '-o', 'json']);
    const {status} = JSON.parse(stdout) as {status: {userInfo: UserInfo}};
    expect(status.userInfo).toMatchObject({
      username: 'agent:build-bot',
      groups: [agentGroup, 'system:authenticated'],
    });
  });

  test('pitfall 4: every group of the token arrives', async () => {
    const token = await issuer.token({groups: ['reviewers', agentGroup, 'deployers']});
    expect((await whoIs(token)).groups).toEqual(['reviewers', agentGroup, 'deployers', 'system:authenticated']);
  });

  test('a name beyond ASCII arrives as it is', async () => {
    expect((await whoIs(await issuer.token({sub: 'bäcker-機器'}))).username).toBe('agent:bäcker-機器');
  });

  test('a ServiceAccount is itself, in the groups that the API server gives it', async () => {
    expect(await whoIs(await serviceAccountToken('builder'))).toMatchObject({
      username: `system:serviceaccount:${namespace}:builder`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    });
  });

  test.each([
    [
      'a ServiceAccount of a namespace that did not let the gateway in',
      () => serviceAccountToken('lockkeeper-operator', {of: rootNamespace}),
    ],
    ['a group that was not listed at install', () => issuer.token({groups: ['payments-oncall']})],
  ])('pitfall 3: %s is refused by the API server', async (_who, token) => {
    // The gateway's account has no right but to impersonate agents.
    const answer = await review(await token());
    expect(answer.status).toBe(403);
    expect(answer.failure.message).toContain('cannot impersonate');
  });
});

describe('a token that is not good gets 401 and the reason', () => {
  const now = () => Math.floor(Date.now() / 1000);
  test.each([
    ['none', async () => undefined, 'no bearer token'],
    ['no JWT', async () => 'abc', 'not a signed JWT'],
    ['expired', () => issuer.token({iat: now() - 700, exp: now() - 100}), 'expired at'],
    ['made to live for too long', () => issuer.token({exp: now() + 7200}), '7200 s'],
    ['without an end', () => issuer.token({exp: undefined}), 'never expires'],
    ['for another audience', () => issuer.token({aud: 'kubernetes'}), 'audience'],
    ['of an issuer that is not accepted', () => issuer.token({iss: 'https://issuer.example.com'}), 'not accepted here'],
    ['signed with another key', () => issuer.token({}, {unpublishedKey: true}), 'signature'],
    ['in system:masters', () => issuer.token({groups: [agentGroup, 'system:masters']}), 'system:masters'],
    [
      'a ServiceAccount’s for the API server',
      () => serviceAccountToken('builder', {audience: stack.cluster.serviceAccountIssuer}),
      'audience',
    ],
    ['a ServiceAccount’s of two hours', () => serviceAccountToken('builder', {expirationSeconds: 7200}), '7200 s'],
  ])('%s', async (_what, token, reason) => {
    const answer = await review(await token());
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(answer.failure).toMatchObject({reason: 'Unauthorized', message: expect.stringContaining(reason)});
  });

  test('a name that only a prefix keeps from being Kubernetes’ own is an agent', async () => {
    expect((await whoIs(await issuer.token({sub: 'system:admin'}))).username).toBe('agent:system:admin');
  });

  test('a verdict is not kept for longer than the token lives', async () => {
    const token = await issuer.token({exp: now() + 3});
    expect((await whoIs(token)).username).toBe('agent:forger');
    await eventually(async () => expect((await review(token)).status).toBe(401), 10);
  });
});

describe('an agent cannot say who it is but by its token', () => {
  test.each([
    ['Impersonate-User', 'alice@example.com'],
    ['impersonate-group', 'system:masters'],
    ['Impersonate-Uid', '1'],
    ['Impersonate-Extra-Scopes', 'all'],
  ])('pitfall 2: %s is refused with 403', async (name, value) => {
    const answer = await review(stack.token, {[name]: value});
    expect(answer.status).toBe(403);
    expect(answer.failure.message).toContain(name.toLowerCase());
  });

  test('kubectl --as is refused', async () => {
    // kubectl keeps the reason of a refused discovery to itself; its cache has it from a call that was not refused.
    expect((await stack.kubectl(['get', 'pods'])).code).toBe(0);
    const {code, stderr} = await stack.kubectl(['get', 'pods', '--as=alice@example.com']);
    expect(code).toBe(1);
    expect(stderr).toContain('agents may not impersonate');
  });

  test.each([
    // Stripped as hop-by-hop, the call would run as the gateway.
    {connection: 'Impersonate-User, Impersonate-Group, Authorization, close'},
    {'x-remote-user': 'admin', 'x-remote-group': 'system:masters'},
    {'X-Remote-Extra-Scopes': 'all', forwarded: 'for=10.0.0.1', 'x-forwarded-for': '10.0.0.1'},
  ])('pitfall 1: %j changes nothing', async (headers) => {
    expect(await whoIs(stack.token, headers)).toMatchObject({
      username: 'agent:build-bot',
      groups: [agentGroup, 'system:authenticated'],
    });
  });

  test('pitfall 36: two Authorization headers are refused', async () => {
    const other = await issuer.token();
    const answer = await stack.agent.raw(
      `GET /version HTTP/1.1\nHost: gateway\nAuthorization: Bearer {token}\nAuthorization: Bearer ${other}\nConnection: close\n\n`,
    );
    expect(answer.slice(0, 12)).toBe('HTTP/1.1 400');
  });

  test('pitfall 21: the token of a websocket counts as one, and not beside another', async () => {
    const protocol = `base64url.bearer.authorization.k8s.io.${Buffer.from(stack.token).toString('base64url')}`;
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol': `v5.channel.k8s.io, ${protocol}`,
    };
    const exec = `/api/v1/namespaces/${namespace}/pods/absent/exec?command=id&stdout=true`;
    const answer = await stack.client({token: undefined}).call(exec, {headers});
    expect([answer.status, answer.failure.message]).toEqual([404, 'pods "absent" not found']);
    expect((await stack.agent.call(exec, {headers})).status).toBe(401);
  });

  test('nothing that names the caller reaches the API server but what the gateway says', async () => {
    const upstream = await Upstream.start(stack.environment.directory);
    try {
      let seen: IncomingHttpHeaders = {};
      upstream.serve = (request, response) => {
        seen = request.headers;
        response.writeHead(200, {'content-type': 'application/json'}).end('{}');
      };
      const {url} = await stack.startProxy('to-own-upstream', upstream.flags);
      const secret = `base64url.bearer.authorization.k8s.io.${Buffer.from('x').toString('base64url')}`;
      const headers = {'x-remote-user': 'admin', cookie: 'a=b', 'proxy-authorization': 'Basic x', te: 'trailers'};
      const answer = await stack.client({url}).call('/api/v1/pods', {headers});
      expect(answer.status).toBe(200);
      const own = await readFile(path.join(stack.environment.directory, 'gateway-token'), 'utf8');
      expect(seen).toMatchObject({
        authorization: `Bearer ${own}`,
        'impersonate-user': 'agent:build-bot',
        'impersonate-group': agentGroup,
      });
      const names = Object.keys(seen).filter((name) => !name.startsWith('impersonate-'));
      const expected = ['accept', 'accept-encoding', 'audit-id', 'authorization', 'connection', 'host', 'user-agent'];
      expect(expected).toEqual(expect.arrayContaining(names));
      expect(JSON.stringify(seen)).not.toContain(secret);
    } finally {
      await upstream.stop();
    }
  });
});

describe('what changes while the proxy runs', () => {
  test('a configuration that cannot be used leaves the last good one in force; a good one takes over', async () => {
    const good = await readFile(configurationFile, 'utf8');
    await writeFile(configurationFile, good.replace('claimMappings:', 'claimMapping:'));
    await eventually(async () => expect(await metric('reloads_total{result="Rejected"}')).toBeGreaterThan(0));
    expect((await whoIs(await issuer.token())).username).toBe('agent:forger');
    await writeFile(configurationFile, good);
    await changeConfiguration((configuration) => {
      const own = configuration.jwt.at(-1) as {claimMappings: unknown; claimValidationRules: unknown};
      own.claimValidationRules = [{expression: "claims.sub != 'forger'", message: 'no forgers'}];
    });
    await eventually(async () => {
      const answer = await review(await issuer.token());
      expect([answer.status, answer.failure.message]).toEqual([401, expect.stringContaining('no forgers')]);
    });
    await writeFile(configurationFile, good);
    await eventually(async () => expect((await review(await issuer.token())).status).toBe(201));
  });

  test('tokens signed with a key that the issuer rotated to are accepted', async () => {
    issuer.rotate();
    await eventually(async () => expect((await review(await issuer.token())).status).toBe(201), 30);
  });
});

describe('as a sidecar', () => {
  test('pitfall 5: it forwards as the ServiceAccount of the token in its file, also when that rotates', async () => {
    const tokenFile = path.join(stack.environment.directory, 'sidecar-token');
    const rotate = async (name: string) => {
      const audience = stack.cluster.serviceAccountIssuer;
      await writeFile(tokenFile, await serviceAccountToken(name, {audience}));
    };
    await rotate('builder');
    const {url} = await stack.startProxy('sidecar', ['--mode=sidecar', `--upstream-token-file=${tokenFile}`]);
    expect((await whoIs(stack.token, {}, url)).username).toBe(`system:serviceaccount:${namespace}:builder`);
    await rotate('rotated');
    await eventually(async () => {
      expect((await whoIs(stack.token, {}, url)).username).toBe(`system:serviceaccount:${namespace}:rotated`);
    }, 30);
    const refused = await review(stack.token, {'impersonate-user': 'agent:other'}, url);
    expect(refused.status).toBe(403);
  });
});

async function metric(series: string): Promise<number> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http
      .get({host: '127.0.0.1', port: stack.environment.gatewayMetricsPort, path: '/metrics'}, resolve)
      .once('error', reject);
  });
  const line = (await collect(response))
    .toString()
    .split('\n')
    .find((text) => text.includes(series));
  return Number(line?.split(' ').at(-1) ?? 0);
}
