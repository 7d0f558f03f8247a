import {readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {parse, stringify} from 'yaml';
import type {Approval, Rule} from '../../core/api/agentaccesspolicy.ts';
import type {Status} from '../../core/status.ts';
import {eventually} from '../eventually.ts';
import {Approvers, pendingOf} from './approvers.ts';
import {type AgentClient, collect, type Protocol, protocols} from './client.ts';
import {ForgingIssuer} from './issuer.ts';
import {agentGroup, allowEverything, namespace, Stack} from './stack.ts';
import {Upstream} from './upstream.ts';

jest.setTimeout(120_000);

const base = `/api/v1/namespaces/${namespace}`;
/** What the proxy promises, and what kubectl and a loaded machine take on top of it. */
const promisedMilliseconds = 2_000;
const alice = {user: 'alice@example.com', groups: ['oncall']};
const bob = {user: 'bob@example.com', groups: ['oncall']};

let stack: Stack;
let approvers: Approvers;
let issuer: ForgingIssuer;
let upstream: Upstream;
let toOwnUpstream: AgentClient;
let ownUpstreamURL: string;
let ownUpstreamLog: string;

beforeAll(async () => {
  issuer = await ForgingIssuer.start();
  stack = await Stack.start({policies: {everything: allowEverything()}});
  approvers = await Approvers.of(stack, ['oncall']);
  const ask = (name: string, resource: string, approval: Approval): Rule => ({
    name,
    effect: 'RequireApproval',
    operations: [{verbs: ['watch'], apiGroups: [''], resources: [resource]}],
    approval: {approvers: {groups: ['oncall']}, ...approval},
  });
  await stack.applyPolicies(
    {
      approvals: {
        subjects: [{kind: 'User', name: '*'}],
        rules: [
          ask('window', 'secrets', {grant: 'Window'}),
          ask('once', 'services', {grant: 'Once'}),
          ask('soon-over', 'serviceaccounts', {grant: 'Once', expireAfter: '1m'}),
        ],
      },
    },
    namespace,
  );
  upstream = await Upstream.start(stack.environment.directory);
  const proxy = await stack.startProxy('to-own-upstream', upstream.flags);
  toOwnUpstream = stack.client({url: proxy.url});
  ownUpstreamURL = proxy.url;
  ownUpstreamLog = proxy.auditLogPath;
  const configurationFile = path.join(stack.environment.directory, 'authentication.yaml');
  const configuration = parse(await readFile(configurationFile, 'utf8')) as {jwt: unknown[]};
  configuration.jwt.push({
    issuer: {url: issuer.url, audiences: ['lockkeeper'], certificateAuthority: issuer.certificateAuthority},
    claimMappings: {username: {claim: 'sub', prefix: 'agent:'}, groups: {claim: 'groups', prefix: ''}},
  });
  await writeFile(configurationFile, stringify(configuration));
});

afterAll(async () => {
  await stack?.stop();
  await upstream?.stop();
  await issuer?.stop();
});

interface Ended {
  /** What came last. */
  readonly event: {readonly type: string; readonly object: Status};
  readonly atMilliseconds: number;
}

/** A watch that has begun; `ended` rejects where it breaks off. */
async function watching(
  protocol: Protocol,
  requestURI: string,
  client = stack.agent,
): Promise<{ended: Promise<Ended>}> {
  const before = (await recordsOf(requestURI)).length;
  const stream = await client.stream(protocol, requestURI);
  const ended = collect(stream).then((body) => ({
    event: JSON.parse(body.toString().trimEnd().split('\n').at(-1) ?? ''),
    atMilliseconds: performance.now(),
  }));
  // Handled where it is awaited.
  ended.catch(() => {});
  await eventually(async () =>
    expect((await recordsOf(requestURI)).slice(before).map(({stage}) => stage)).toEqual([
      'RequestReceived',
      'ResponseStarted',
    ]),
  );
  return {ended};
}

async function recordsOf(requestURI: string) {
  return (await stack.records()).filter((event) => event.requestURI === requestURI);
}

async function endedBy(code: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${stack.environment.gatewayMetricsPort}/metrics`);
  const counted = new RegExp(`^lockkeeper_proxy_streams_ended_total\\{reason="${code}"\\} (\\d+)$`, 'm');
  return Number(counted.exec(await response.text())?.[1] ?? 0);
}

const watchOf = (resource: string) => `${base}/${resource}?watch=true`;

/** A watch that lives on a grant, and its AccessRequest. */
async function watchingByGrant(protocol: Protocol, requestURI: string) {
  const name = pendingOf(await stack.agent.call(requestURI));
  await approvers.approve(alice, name);
  return {name, ...(await watching(protocol, requestURI))};
}

function deny(resource: string) {
  return {
    subjects: [{kind: 'User' as const, name: '*'}],
    rules: [
      {
        name: 'frozen',
        effect: 'Deny' as const,
        message: 'frozen for the audit',
        operations: [{verbs: ['watch' as const], apiGroups: [''], resources: [resource]}],
      },
    ],
  };
}

async function frozen(resource: string): Promise<number> {
  await stack.cluster.mustKubectl(['apply', '-f', '-'], {
    input: stringify({
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'AgentAccessPolicy',
      metadata: {name: `freeze-${resource}`, namespace},
      spec: deny(resource),
    }),
  });
  return performance.now();
}

async function noLogsOf(pod: string): Promise<void> {
  const operations: Rule['operations'] = [
    {verbs: ['get'], apiGroups: [''], resources: ['pods'], subresources: ['log'], resourceNames: [pod]},
  ];
  const policy = {...deny('pods'), rules: [{name: 'no-logs', effect: 'Deny' as const, operations}]};
  await stack.applyPolicies({[`no-logs-of-${pod}`]: policy}, namespace);
}

describe.each(protocols)('over %s', (protocol) => {
  test('a policy that denies ends the watch with the rule that does, and others go on', async () => {
    const resource = protocol === 'HTTP/1.1' ? 'configmaps' : 'endpoints';
    const counted = await endedBy('PolicyDenied');
    const uri = watchOf(resource);
    const [{ended}, other] = [await watching(protocol, uri), await watching(protocol, watchOf('pods'))];
    const appliedAt = await frozen(resource);
    const {event, atMilliseconds} = await ended;
    expect(atMilliseconds - appliedAt).toBeLessThan(promisedMilliseconds);
    expect(event).toMatchObject({
      type: 'ERROR',
      object: {
        kind: 'Status',
        code: 403,
        reason: 'Forbidden',
        message: expect.stringContaining('frozen for the audit'),
      },
    });
    await eventually(async () =>
      expect((await recordsOf(uri)).at(-1)).toMatchObject({
        stage: 'ResponseComplete',
        responseStatus: {code: 403, reason: 'Forbidden', message: expect.stringContaining('rule frozen')},
        annotations: {'lockkeeper.dev/decision': 'Allowed', 'lockkeeper.dev/refusal': 'PolicyDenied'},
      }),
    );
    expect(await endedBy('PolicyDenied')).toBe(counted + 1);
    const pending = Symbol('goes on');
    expect(await Promise.race([other.ended, sleep(500, pending)])).toBe(pending);
    expect((await stack.agent.call(uri)).failure.code).toBe(403);
  });

  test('a watch ends with its token', async () => {
    const expiresAt = Math.ceil(Date.now() / 1000) + 6;
    const token = await issuer.token({exp: expiresAt, groups: [agentGroup]});
    const client = stack.client({token});
    await eventually(async () => expect((await client.call(`${base}/pods`)).status).toBe(200));
    const {ended} = await watching(protocol, `${watchOf('pods')}&token=${protocol.length}`, client);
    expect(Date.now()).toBeLessThan(expiresAt * 1000);
    const {event} = await ended;
    const late = Date.now() - expiresAt * 1000;
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(promisedMilliseconds);
    expect(event).toMatchObject({type: 'ERROR', object: {code: 401, reason: 'Unauthorized'}});
  });

  test('a revoked Window ends the watches that live on it, and cannot be used again', async () => {
    const uri = watchOf('secrets');
    const {name, ended} = await watchingByGrant(protocol, uri);
    const second = await watching(protocol, uri);
    const {code, stderr} = await approvers.decide(alice, name, 'Revoked', 'incident is over');
    const revokedAt = performance.now();
    expect([code, stderr]).toEqual([0, '']);
    for (const {event, atMilliseconds} of [await ended, await second.ended]) {
      expect(atMilliseconds - revokedAt).toBeLessThan(promisedMilliseconds);
      expect(event).toMatchObject({
        type: 'ERROR',
        object: {
          code: 403,
          message: expect.stringContaining(
            `AccessRequest ${namespace}/${name}, which let the call through, was revoked by ${alice.user}: incident is over`,
          ),
          details: {name, kind: 'accessrequests', causes: [{reason: 'AccessRequestRevoked'}]},
        },
      });
    }
    expect(await approvers.phase(name)).toBe('Revoked');
    expect(pendingOf(await stack.agent.call(uri))).not.toBe(name);
    await eventually(async () =>
      expect(
        (await recordsOf(uri)).filter(({annotations}) => annotations?.['lockkeeper.dev/refusal'] === 'ApprovalRevoked')
          .length,
      ).toBeGreaterThanOrEqual(2),
    );
  });

  test.each([
    ['somebody else revokes', (name: string) => approvers.decide(bob, name, 'Revoked')],
    [
      'somebody deletes',
      (name: string) => stack.cluster.kubectl(['delete', 'accessrequest', name, `--namespace=${namespace}`]),
    ],
  ])('a watch whose grant is spent ends when %s its AccessRequest', async (what, take) => {
    const {name, ended} = await watchingByGrant(protocol, `${watchOf('services')}&n=${protocol.length}${what.length}`);
    expect(await approvers.phase(name)).toBe('Consumed');
    expect((await take(name)).code).toBe(0);
    const takenAt = performance.now();
    const {event, atMilliseconds} = await ended;
    expect(atMilliseconds - takenAt).toBeLessThan(promisedMilliseconds);
    expect(event).toMatchObject({type: 'ERROR', object: {code: 403}});
  });

  test('a log that is followed breaks off when a policy denies it', async () => {
    upstream.serve = (_request, response) => {
      response.writeHead(200, {'content-type': 'text/plain'});
      response.write('line\n');
    };
    const pod = `web-${protocol.length}`;
    const stream = await toOwnUpstream.stream(protocol, `${base}/pods/${pod}/log?follow=true`);
    const [first] = (await stream.iterator({destroyOnReturn: false}).next()).value.toString().split('\n');
    expect(first).toBe('line');
    const rest = collect(stream);
    rest.catch(() => {});
    await noLogsOf(pod);
    await expect(rest).rejects.toThrow();
  });
});

test('kubectl wait says why its watch has ended', async () => {
  const waitedFor = {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: {name: 'waited-for', namespace},
    spec: {limits: []},
  };
  await stack.cluster.mustKubectl(['create', '-f', '-'], {input: stringify(waitedFor)});
  const waiting = stack.kubectl(['wait', 'limitrange/waited-for', '--for=jsonpath={.data.ready}=yes', '--timeout=10s']);
  await eventually(async () =>
    expect(
      (await stack.records()).some(
        ({requestURI, stage, verb}) =>
          requestURI.includes('waited-for') && verb === 'watch' && stage === 'ResponseStarted',
      ),
    ).toBe(true),
  );
  await frozen('limitranges');
  expect((await waiting).stderr).toMatch(/watch ended with error.*rule frozen: frozen for the audit/);
});

test('kubectl fails on a log that breaks off', async () => {
  upstream.serve = (_request, response) => {
    response.writeHead(200, {'content-type': 'text/plain'});
    response.write('line\n');
  };
  const uri = `${base}/pods/followed/log?follow=true`;
  const following = stack.kubectl(['get', `--server=${ownUpstreamURL}`, `--raw=${uri}`]);
  await eventually(async () =>
    expect((await stack.records(ownUpstreamLog)).some(({requestURI}) => requestURI === uri)).toBe(true),
  );
  await noLogsOf('followed');
  const {code, stdout, stderr} = await following;
  expect([code, stdout]).toEqual([1, 'line\n']);
  expect(stderr).toContain('error: stream error');
});

test('a watch ends with the time of its grant, though that is spent', async () => {
  const uri = watchOf('serviceaccounts');
  const {name, ended} = await watchingByGrant('HTTP/2', uri);
  const [request] = (await approvers.requests()).filter(({metadata}) => metadata?.name === name);
  const {event} = await ended;
  const late = Date.now() - Date.parse(request?.spec.expiresAt ?? '');
  expect(Math.abs(late)).toBeLessThan(promisedMilliseconds);
  expect(event).toMatchObject({
    type: 'ERROR',
    object: {code: 403, details: {name, causes: [{reason: 'AccessRequestExpired'}]}},
  });
});
