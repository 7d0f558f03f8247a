import {type ChildProcess, spawn} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import type {AddressInfo} from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {request} from 'undici';
import {createLogger} from 'winston';
import {stringify} from 'yaml';
import type {AgentAccessPolicy, StatusCondition} from '../../core/api/agentaccesspolicy.ts';
import type {Bundle} from '../../core/policy/bundle.ts';
import {systemClock} from '../../operator/kube/clock.ts';
import {runOperator} from '../../operator/run.ts';
import {type StartedCluster, startCluster} from '../cluster/start.ts';
import {eventually} from '../eventually.ts';
import {ControlCaller, ControlCertificate} from './controlapi.ts';

const root = path.resolve(import.meta.dirname, '../..');
const rootNamespace = 'lockkeeper-system';

// A cluster of its own: operators of other tests would write the status of the same policies.
let cluster: StartedCluster;
let directory: string;
let certificate: ControlCertificate;
let proxyToken: string;

/** An operator in this process, with the rights of its ServiceAccount. */
interface Replica {
  readonly identity: string;
  readonly control: AddressInfo;
  readonly metrics: AddressInfo;
  stop(): Promise<void>;
}
const replicas: Replica[] = [];

async function startReplica(): Promise<Replica> {
  const stop = new AbortController();
  const identity = `replica-${randomUUID()}`;
  const started = Promise.withResolvers<{control: AddressInfo; metrics: AddressInfo}>();
  const done = runOperator(
    {
      kubeconfig: path.join(directory, 'operator.kubeconfig'),
      rootNamespace,
      controlAddress: {host: '127.0.0.1', port: 0},
      tlsCertificateFile: certificate.certificateFile,
      tlsPrivateKeyFile: certificate.keyFile,
      metricsAddress: {host: '127.0.0.1', port: 0},
      gatewayServiceAccounts: [{namespace: rootNamespace, name: 'lockkeeper-gateway'}],
      admissionDirectory: path.join(root, 'config/admission'),
      leaderElect: true,
      logLevel: 'error',
    },
    {
      signal: stop.signal,
      log: createLogger({silent: true}),
      clock: systemClock,
      random: Math.random,
      identity,
      environment: {},
      listening: started.resolve,
    },
  );
  const addresses = await Promise.race([started.promise, done.then(() => Promise.reject(new Error('it ended')))]);
  const replica = {
    identity,
    ...addresses,
    async stop() {
      stop.abort();
      await done;
    },
  };
  replicas.push(replica);
  return replica;
}

/** A proxy that follows the bundles of a replica and acknowledges them to the same or another one. */
function startProxy(name: string, replica: Replica, answerTo = replica) {
  const bundles: Bundle[] = [];
  const stop = new AbortController();
  const stream = new ControlCaller(replica.control.port, certificate.authority.certificate, proxyToken);
  const answers = new ControlCaller(answerTo.control.port, certificate.authority.certificate, proxyToken);
  const reading = (async () => {
    for await (const message of stream.bundles(name, stop.signal)) {
      if (message.type === 'Bundle') bundles.push(message.bundle);
    }
  })();
  return {
    bundles,
    acknowledge({hash, revision}: Bundle, result: 'Applied' | 'Rejected', reason?: string) {
      return answers.post('/v1/acknowledgements', {proxy: name, hash, revision, result, ...(reason && {reason})});
    },
    async stop() {
      stop.abort();
      await reading;
      await stream.close();
      await answers.close();
    },
  };
}

const proxies: ReturnType<typeof startProxy>[] = [];

function policy(namespace: string, name: string, conditions: {name: string; expression: string}[] = []) {
  return {
    apiVersion: 'lockkeeper.dev/v1alpha1',
    kind: 'AgentAccessPolicy',
    metadata: {namespace, name},
    spec: {
      subjects: [{kind: 'Group', name: 'ai-agents'}],
      rules: [
        {
          name: 'read',
          effect: 'Allow',
          operations: [{verbs: ['get'], apiGroups: [''], resources: ['pods']}],
          conditions,
        },
      ],
    },
  };
}

async function apply(object: unknown): Promise<void> {
  await cluster.mustKubectl(['apply', '-f', '-'], {input: JSON.stringify(object)});
}

async function statusOf(namespace: string, name: string): Promise<NonNullable<AgentAccessPolicy['status']>> {
  const text = await cluster.mustKubectl(['get', 'aap', name, '-n', namespace, '-o', 'json']);
  return (JSON.parse(text) as AgentAccessPolicy).status ?? {};
}

async function conditionOf(namespace: string, name: string, type: string): Promise<Partial<StatusCondition>> {
  const {conditions = []} = await statusOf(namespace, name);
  return conditions.find((condition) => condition.type === type) ?? {};
}

async function leader(): Promise<string> {
  const lease = ['lease', 'lockkeeper-operator', '-n', rootNamespace];
  return cluster.mustKubectl(['get', ...lease, '-o', 'jsonpath={.spec.holderIdentity}']);
}

async function scrape(replica: Replica, target: string): Promise<{code: number; text: string}> {
  const {statusCode, body} = await request(`http://127.0.0.1:${replica.metrics.port}${target}`);
  return {code: statusCode, text: await body.text()};
}

beforeAll(async () => {
  cluster = await startCluster();
  directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-operator-'));
  certificate = await ControlCertificate.create();
  await cluster.mustKubectl(['apply', '--server-side', '-k', path.join(root, 'config/local')]);
  const crds = ['crd/agentaccesspolicies.lockkeeper.dev', 'crd/accessrequests.lockkeeper.dev'];
  await cluster.mustKubectl(['wait', '--for=condition=Established', '--timeout=30s', ...crds]);
  for (const namespace of ['payments', 'other']) await cluster.mustKubectl(['create', 'namespace', namespace]);
  await eventually(() => apply(policy('other', 'before')));
  const token = (name: string, audience: string) =>
    cluster.serviceAccountToken({namespace: rootNamespace, name, audience, expirationSeconds: 3600});
  proxyToken = await token('lockkeeper-gateway', 'lockkeeper-operator');
  await writeFile(path.join(directory, 'token'), await token('lockkeeper-operator', cluster.serviceAccountIssuer));
  await writeFile(
    path.join(directory, 'operator.kubeconfig'),
    stringify({
      clusters: [
        {
          name: 'c',
          cluster: {
            server: cluster.serverURL,
            'certificate-authority-data': Buffer.from(cluster.ca).toString('base64'),
          },
        },
      ],
      users: [{name: 'u', user: {tokenFile: 'token'}}],
      contexts: [{name: 'x', context: {cluster: 'c', user: 'u'}}],
      'current-context': 'x',
    }),
  );
  await startReplica();
  await startReplica();
}, 120_000);

afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  await Promise.all(replicas.map((replica) => replica.stop()));
  await cluster?.stop();
  await certificate?.remove();
  await rm(directory, {recursive: true, force: true});
});

function replica(index: number): Replica {
  const found = replicas[index];
  if (!found) throw new Error(`no replica ${index}`);
  return found;
}

describe('operator', () => {
  test('is ready once its caches hold the cluster, and serves metrics under the known names', async () => {
    for (const each of replicas) {
      await eventually(async () => expect(await scrape(each, '/readyz')).toMatchObject({code: 200}));
      expect(await scrape(each, '/healthz')).toEqual({code: 200, text: 'ok\n'});
    }
    await eventually(async () => {
      const texts = await Promise.all(replicas.map((each) => scrape(each, '/metrics')));
      const leading = texts.map(({text}) => /leader_election_master_status\{[^}]*\} 1/.test(text));
      expect(leading.filter(Boolean)).toHaveLength(1);
      expect(texts.map(({text}) => text).join()).toMatch(/controller_runtime_reconcile_total\{[^}]*result="success"/);
      expect(texts[0]?.text).toMatch(/rest_client_requests_total\{code="200",method="GET"/);
      expect(texts[0]?.text).toContain('lockkeeper_policies{accepted="true"} 1');
    });
  });

  test('tells the author of a policy that it compiles, and that no proxy enforces it yet', async () => {
    await apply(policy('payments', 'agents'));
    await eventually(async () => {
      expect(await statusOf('payments', 'agents')).toMatchObject({
        observedGeneration: 1,
        conditions: [
          {type: 'Accepted', status: 'True', reason: 'Compiled', observedGeneration: 1},
          {type: 'Programmed', status: 'Unknown', reason: 'NoProxies', observedGeneration: 1},
        ],
        proxies: {applied: 0, rejected: 0, connected: 0},
      });
    });
  });

  test('names the field that does not compile, keeps the policy in the bundle, and says when it is mended', async () => {
    await apply(policy('payments', 'broken', [{name: 'c', expression: 'request.verb +'}]));
    await eventually(async () => {
      expect(await conditionOf('payments', 'broken', 'Accepted')).toMatchObject({
        status: 'False',
        reason: 'InvalidExpression',
        message: expect.stringContaining('spec.rules[0].conditions[0].expression'),
        observedGeneration: 1,
      });
    });
    await apply(policy('payments', 'broken', [{name: 'c', expression: "request.verb == 'get'"}]));
    await eventually(async () => {
      expect(await conditionOf('payments', 'broken', 'Accepted')).toMatchObject({
        status: 'True',
        observedGeneration: 2,
      });
    });
    await eventually(async () => {
      const events = await cluster.mustKubectl(['events', '-n', 'payments', '--for=aap/broken', '--no-headers']);
      expect(events).toMatch(/Warning\s+InvalidExpression/);
      expect(events).toMatch(/Normal\s+Accepted/);
    });
  });

  test('streams every edit to the proxies of every replica', async () => {
    const first = startProxy('first', replica(0));
    // Its acknowledgements go to the other replica than its stream, as a load balancer would have it.
    const second = startProxy('second', replica(1), replica(0));
    proxies.push(first, second);
    await eventually(() => expect([first.bundles.length, second.bundles.length]).toEqual([1, 1]));
    expect(first.bundles[0]?.hash).toBe(second.bundles[0]?.hash);
    expect(first.bundles[0]?.policies.map(({name}) => name)).toEqual(['before', 'agents', 'broken']);

    await apply(policy('payments', 'agents', [{name: 'c', expression: 'true'}]));
    for (const {bundles} of [first, second]) {
      await eventually(() => expect(bundles.at(-1)?.policies.find(({name}) => name === 'agents')?.generation).toBe(2));
    }
    expect(first.bundles.at(-1)?.hash).toBe(second.bundles.at(-1)?.hash);
  });

  test('counts acknowledgements of all replicas: waiting, rejected, applied', async () => {
    const [first, second] = proxies;
    const newest = first?.bundles.at(-1);
    if (!first || !second || !newest) throw new Error('no proxies');
    const programmed = () => conditionOf('payments', 'agents', 'Programmed');

    expect((await first.acknowledge(newest, 'Applied')).code).toBe(204);
    await eventually(async () => {
      expect(await programmed()).toMatchObject({
        status: 'False',
        reason: 'WaitingForProxies',
        message: '1 of 2 connected proxies applied it.',
      });
    });
    await second.acknowledge(newest, 'Rejected', 'unknown field spec.future');
    await eventually(async () => {
      const {status, reason, message} = await programmed();
      expect({status, reason}).toEqual({status: 'False', reason: 'RejectedByProxy'});
      expect(message).toContain('second: unknown field spec.future');
    });
    await second.acknowledge(newest, 'Applied');
    await eventually(async () => {
      expect(await programmed()).toMatchObject({status: 'True', reason: 'Applied', observedGeneration: 2});
      expect((await statusOf('payments', 'agents')).proxies).toEqual({applied: 2, rejected: 0, connected: 2});
    });
    const waited = await cluster.kubectl(['wait', '--for=condition=Programmed', 'aap/agents', '-n', 'payments']);
    expect(waited).toMatchObject({code: 0});
  });

  test('an edit of one policy leaves the others programmed, and the spec is never written', async () => {
    const before = await cluster.mustKubectl(['get', 'aap', 'agents', '-n', 'payments', '-o', 'json']);
    await apply(policy('other', 'before', [{name: 'c', expression: 'true'}]));
    await eventually(async () => {
      expect(await conditionOf('other', 'before', 'Programmed')).toMatchObject({
        reason: 'WaitingForProxies',
        observedGeneration: 2,
      });
    });
    expect(await cluster.mustKubectl(['get', 'aap', 'agents', '-n', 'payments', '-o', 'json'])).toBe(before);
    const fields = JSON.parse(
      await cluster.mustKubectl(['get', 'aap', 'agents', '-n', 'payments', '-o', 'json', '--show-managed-fields']),
    ) as {metadata: {managedFields: {manager: string; subresource?: string; fieldsV1: object}[]}};
    const own = fields.metadata.managedFields.filter(({manager}) => manager === 'lockkeeper-operator');
    expect(own.map(({subresource, fieldsV1}) => [subresource, Object.keys(fieldsV1)])).toEqual([
      ['status', ['f:status']],
    ]);
  });

  test('puts back a status that somebody else wrote over', async () => {
    const patch = {status: {proxies: {applied: 99, rejected: 0, connected: 99}, observedGeneration: 99}};
    const flags = ['--subresource=status', '--type=merge', '-p', JSON.stringify(patch)];
    await cluster.mustKubectl(['patch', 'aap', 'agents', '-n', 'payments', ...flags]);
    await eventually(async () => {
      expect(await statusOf('payments', 'agents')).toMatchObject({
        observedGeneration: 2,
        proxies: {applied: 2, rejected: 0, connected: 2},
      });
    });
  });

  test('takes a deleted policy out of the bundle', async () => {
    await cluster.mustKubectl(['delete', 'aap', 'broken', '-n', 'payments']);
    for (const {bundles} of proxies) {
      await eventually(() => {
        expect(bundles.at(-1)?.policies.map(({name}) => name)).toEqual(['before', 'agents']);
      });
    }
  });

  test('when the leader shuts down the other replica leads at once and goes on where it was', async () => {
    const held = await leader();
    const [gone, left] = held === replica(0).identity ? [0, 1] : [1, 0];
    await proxies[gone]?.stop();
    const remaining = proxies[left];
    proxies.splice(gone, 1);
    await replica(gone).stop();
    await eventually(async () => expect(await leader()).toBe(replica(left).identity), 10);
    await apply(policy('payments', 'agents', [{name: 'c', expression: 'false'}]));
    await eventually(() => {
      expect(remaining?.bundles.at(-1)?.policies.find(({name}) => name === 'agents')?.generation).toBe(3);
    });
    await eventually(async () => {
      expect(await conditionOf('payments', 'agents', 'Accepted')).toMatchObject({
        status: 'True',
        observedGeneration: 3,
      });
    });
  });
});

describe('operator as a process', () => {
  const children: ChildProcess[] = [];

  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
  });

  function start(...flags: string[]) {
    const child = spawn(process.execPath, [path.join(root, 'operator/main.ts'), ...flags], {
      env: {PATH: process.env.PATH},
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    const output = {stdout: '', stderr: ''};
    child.stdout.on('data', (chunk) => {
      output.stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output.stderr += chunk;
    });
    return {child, output, exit: once(child, 'close') as Promise<[number | null, string | null]>};
  }
  const flags = () => [
    `--kubeconfig=${path.join(directory, 'operator.kubeconfig')}`,
    `--admission-directory=${path.join(root, 'config/admission')}`,
    `--tls-certificate-file=${certificate.certificateFile}`,
    `--tls-private-key-file=${certificate.keyFile}`,
    '--control-address=127.0.0.1:0',
  ];

  test('says in one sentence which flag it cannot read, and exits with 2', async () => {
    const {output, exit} = start('--log-level=loud');
    expect(await exit).toEqual([2, null]);
    expect(output.stdout).toBe('');
    expect(output.stderr).toMatch(/^lockkeeper-operator: .*--log-level.*\n$/);
  });

  test('says in one sentence which address is taken, and exits with 1', async () => {
    const taken = replicas.at(-1)?.metrics.port;
    const {output, exit} = start(...flags(), `--metrics-address=127.0.0.1:${taken}`);
    expect(await exit).toEqual([1, null]);
    expect(output.stdout).toContain(`--metrics-address 127.0.0.1:${taken} cannot be listened at`);
  });

  test('exits with 0 on SIGTERM, and gives the lease back', async () => {
    for (const each of replicas) await each.stop();
    const {child, output, exit} = start(...flags(), '--metrics-address=127.0.0.1:0');
    await eventually(() => expect(output.stdout).toContain('leadership won'));
    expect(await leader()).not.toBe('');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    expect(await leader()).toBe('');
    for (const line of output.stdout.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('timestamp');
  });
});
