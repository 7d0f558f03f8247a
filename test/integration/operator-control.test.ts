import {readFile, writeFile} from 'node:fs/promises';
import {connect} from 'node:tls';
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {Registry} from 'prom-client';
import {createLogger} from 'winston';
import type {Acknowledgement} from '../../core/control/messages.ts';
import type {Bundle, BundlePolicy} from '../../core/policy/bundle.ts';
import {bundleHash} from '../../core/policy/hash.ts';
import {loadBundle} from '../../core/policy/loadbundle.ts';
import {checkpointsName} from '../../operator/control/checkpoints.ts';
import {type ControlServer, createControlServer} from '../../operator/control/server.ts';
import {systemClock} from '../../operator/kube/clock.ts';
import {kubeconfigCredentials} from '../../operator/kube/credentials.ts';
import {createEventRecorder} from '../../operator/kube/events.ts';
import {KubeHTTPClient} from '../../operator/kube/http.ts';
import {readCertificate} from '../../serve/certificate.ts';
import {AccessRequestServer} from '../accessrequestserver.ts';
import {sharedCluster} from '../cluster/shared.ts';
import {eventually} from '../eventually.ts';
import {ControlCaller, ControlCertificate} from './controlapi.ts';

const cluster = sharedCluster();
const log = createLogger({silent: true});
const hash = (digit: string) => digit.repeat(64);

let client: KubeHTTPClient;
let namespace: string;
let certificate: ControlCertificate;
const opened: (ControlServer | ControlCaller)[] = [];
const tokens: Record<'gateway' | 'sidecar' | 'otherAudience', string> = {gateway: '', sidecar: '', otherAudience: ''};

beforeAll(async () => {
  const credentials = await kubeconfigCredentials(cluster.kubeconfigPath);
  client = new KubeHTTPClient({
    credentials,
    userAgent: 'lockkeeper-test',
    timeoutMilliseconds: 10_000,
    observe: () => {},
  });
  namespace = await cluster.createNamespace('control');
  certificate = await ControlCertificate.create();
  for (const name of ['gateway', 'sidecar']) {
    await cluster.mustKubectl(['create', 'serviceaccount', name, '-n', namespace]);
  }
  const token = (name: string, audience: string) =>
    cluster.serviceAccountToken({namespace, name, audience, expirationSeconds: 600});
  tokens.gateway = await token('gateway', 'lockkeeper-operator');
  tokens.sidecar = await token('sidecar', 'lockkeeper-operator');
  tokens.otherAudience = await token('gateway', 'something-else');
});

afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()));
  await client.close();
  await certificate.remove();
});

function policy(name: string, subject: BundlePolicy['subjects'][number]): BundlePolicy {
  return {
    namespace: 'lockkeeper-system',
    name,
    uid: `uid-${name}`,
    generation: 1,
    enforcementMode: 'Enforce',
    subjects: [subject],
    rules: [],
    masking: [],
    auditLevel: 'Metadata',
    recordInput: false,
  };
}

function bundle(revision: string, ...policies: readonly BundlePolicy[]): Bundle {
  const content = {rootNamespace: 'lockkeeper-system', policies};
  return {schemaVersion: 1, revision, ...content, hash: bundleHash(content)};
}

class Publisher {
  readonly #listeners = new Set<(bundle: Bundle) => void>();
  #current = bundle('1');
  current = () => this.#current;
  subscribe(listener: (bundle: Bundle) => void) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  publish(published: Bundle) {
    this.#current = published;
    for (const listener of this.#listeners) listener(published);
  }
}

/** One replica, with a registry of proxies that only takes notes. */
async function replica() {
  const publisher = new Publisher();
  const registry = new Registry();
  const connected: string[] = [];
  const acknowledged: Acknowledgement[] = [];
  const server = await createControlServer({
    client,
    clock: systemClock,
    log,
    registry,
    rootNamespace: namespace,
    events: createEventRecorder({client, instance: 'test', clock: systemClock, log}),
    announce: () => {},
    accessRequests: new AccessRequestServer().cache,
    admission: {standing: () => ({ok: true})},
    publisher,
    proxies: {
      connected: (proxy) => void connected.push(proxy),
      disconnected: (proxy) => void connected.splice(connected.indexOf(proxy), 1),
      recordAcknowledgement: (acknowledgement) => void acknowledged.push(acknowledgement),
    },
    gatewayServiceAccounts: [{namespace, name: 'gateway'}],
    certificate,
  });
  const {port} = await server.listen(0, '127.0.0.1');
  opened.push(server);
  const as = (token: string | undefined) => {
    const caller = new ControlCaller(port, certificate.authority.certificate, token);
    opened.push(caller);
    return caller;
  };
  return {server, port, publisher, registry, connected, acknowledged, as};
}

describe('a caller', () => {
  test.each([
    ['without a token', () => undefined],
    ['with an invented token', () => 'invented.token.x'],
    ['with a token of another audience', () => tokens.otherAudience],
  ])('%s gets 401 and a Status', async (_name, token) => {
    const {as} = await replica();
    const {code, headers, body} = await as(token()).get('/v1/bundle?proxy=p');
    expect(code).toBe(401);
    expect(headers['www-authenticate']).toBe('Bearer');
    expect(body).toMatchObject({
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      reason: 'Unauthorized',
      code: 401,
    });
    expect(body.message).toContain('lockkeeper-operator');
  });

  test('whose ServiceAccount is deleted gets in no more', async () => {
    await cluster.mustKubectl(['create', 'serviceaccount', 'leaving', '-n', namespace]);
    const token = await cluster.serviceAccountToken({
      namespace,
      name: 'leaving',
      audience: 'lockkeeper-operator',
      expirationSeconds: 600,
    });
    await cluster.mustKubectl(['delete', 'serviceaccount', 'leaving', '-n', namespace]);
    await eventually(async () => {
      const {as} = await replica();
      expect((await as(token).post('/v1/acknowledgements', {})).code).toBe(401);
    });
  });
});

describe('a body', () => {
  test.each([
    ['that is no JSON', '{', 400, 'JSON'],
    ['with a field that is not known', {origin: 'o', sequence: 1, hash: hash('a'), extra: 1}, 400, 'extra'],
    ['with a field of the wrong type', {origin: 'o', sequence: '1', hash: hash('a')}, 400, 'sequence'],
    ['that is too large', JSON.stringify('x'.repeat(600_000)), 413, 'bytes'],
  ])('%s is refused, and the connection serves on', async (_name, content, code, named) => {
    const {as} = await replica();
    const caller = as(tokens.gateway);
    const refused = await caller.post('/v1/checkpoints', content);
    expect([refused.code, refused.body.kind]).toEqual([code, 'Status']);
    expect(refused.body.message).toContain(named);
    expect((await caller.post('/v1/nothing', {})).code).toBe(404);
  });

  test('whose field is wrong is refused with the field in the cause', async () => {
    const {as} = await replica();
    const {body} = await as(tokens.gateway).post('/v1/acknowledgements', {proxy: 'p'});
    expect(body.details?.causes).toEqual([expect.objectContaining({reason: 'FieldInvalid', field: 'revision'})]);
  });
});

describe('the bundle stream', () => {
  test('gives a gateway every policy, and a sidecar its own part', async () => {
    const {as, publisher, connected} = await replica();
    const mine = policy('mine', {kind: 'Group', name: `system:serviceaccounts:${namespace}`});
    const others = policy('others', {kind: 'Group', name: 'ai-agents'});
    publisher.publish(bundle('2', mine, others));
    const stop = new AbortController();
    const gateway = as(tokens.gateway).bundles('gw-0', stop.signal);
    const sidecar = as(tokens.sidecar).bundles('pod-0', stop.signal);
    const first = [(await gateway.next()).value, (await sidecar.next()).value];
    publisher.publish(bundle('3', others));
    const second = [(await gateway.next()).value, (await sidecar.next()).value];
    const names = [...first, ...second].map((message) =>
      message?.type === 'Bundle'
        ? loadBundle(message.bundle) && message.bundle.policies.map(({name}) => name)
        : undefined,
    );
    expect(names).toEqual([['mine', 'others'], ['mine'], ['others'], []]);
    expect(connected.sort()).toEqual([`${namespace}/gateway/gw-0`, `${namespace}/sidecar/pod-0`]);
    stop.abort();
    await Promise.all([gateway.next(), sidecar.next()]);
    await eventually(() => expect(connected).toEqual([]));
  });

  test('ends when the server closes, and closing waits for it', async () => {
    const {as, server, connected, registry} = await replica();
    const stream = as(tokens.gateway).bundles('gw-0', new AbortController().signal);
    await stream.next();
    expect(await registry.metrics()).toContain('lockkeeper_control_bundle_streams 1');
    await server.close();
    await expect(stream.next()).resolves.toMatchObject({done: true});
    expect(connected).toEqual([]);
    expect(await registry.metrics()).toContain('lockkeeper_control_requests_total{route="bundle",code="200"} 1');
  });
});

test('an acknowledgement is recorded in the proven name of the proxy', async () => {
  const {as, acknowledged, publisher} = await replica();
  const applied = {proxy: 'gw-0', revision: '1', hash: publisher.current().hash, result: 'Applied'};
  expect((await as(tokens.sidecar).post('/v1/acknowledgements', applied)).code).toBe(204);
  expect(acknowledged).toEqual([{...applied, proxy: `${namespace}/sidecar/gw-0`}]);
});

describe('checkpoints', () => {
  async function stored(): Promise<{origin: string; sequence: number; proxy: string}[]> {
    const path = `/api/v1/namespaces/${namespace}/configmaps/${checkpointsName}`;
    const {data = {}} = await client.get<{data?: Record<string, string>}>(path);
    return Object.values(data).map((text) => JSON.parse(text));
  }

  test('from many proxies through two replicas are all kept', async () => {
    const replicas = await Promise.all([replica(), replica()]);
    const callers = replicas.map(({as}) => as(tokens.gateway));
    const codes = await Promise.all(
      Array.from({length: 60}, async (_, i) => {
        const answer = await callers[i % 2]?.post('/v1/checkpoints', {origin: `gw-${i}`, sequence: i, hash: hash('a')});
        return answer?.code;
      }),
    );
    expect(codes).toEqual(Array.from({length: 60}, () => 204));
    const entries = await stored();
    expect(
      entries
        .filter(({origin}) => origin.startsWith('gw-'))
        .map(({sequence}) => sequence)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({length: 60}, (_, i) => i));
    expect(entries[0]?.proxy).toBe(`system:serviceaccount:${namespace}:gateway`);
  });

  test('that go back are refused, whichever replica hears of it, and an Event says so', async () => {
    const [first, second] = await Promise.all([replica(), replica()]);
    const head = {origin: 'regressing', sequence: 9, hash: hash('a')};
    expect((await first.as(tokens.gateway).post('/v1/checkpoints', head)).code).toBe(204);
    const {code, body} = await second.as(tokens.gateway).post('/v1/checkpoints', {...head, sequence: 8});
    expect([code, body.details?.causes?.[0]?.reason]).toEqual([409, 'AuditChainRegressed']);
    await eventually(async () => {
      const events = await cluster.mustKubectl([
        'get',
        'events',
        '-n',
        namespace,
        '-o',
        'name',
        '--field-selector=reason=AuditChainRegressed',
      ]);
      expect(events).not.toBe('');
    });
  });
});

describe('the certificate', () => {
  function served(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({port, host: '127.0.0.1', ca: certificate.authority.certificate}, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  }

  test('is served anew after it changed on disk; a pair that does not fit changes nothing', async () => {
    const {port, server} = await replica();
    const before = await served(port);
    await certificate.renew();
    await server.reloadCertificate();
    const renewed = await served(port);
    expect(renewed).not.toBe(before);
    const key = await readFile(certificate.keyFile);
    await certificate.renew();
    await writeFile(certificate.keyFile, key);
    await server.reloadCertificate();
    expect(await served(port)).toBe(renewed);
    await certificate.renew();
  });

  test('that cannot be read keeps the server from starting, with one clear error', async () => {
    const missing = {certificateFile: '/nowhere/tls.crt', keyFile: '/nowhere/tls.key'};
    await expect(readCertificate(missing)).rejects.toMatchObject({
      code: 'Certificate',
      message: expect.stringContaining('/nowhere/tls.crt'),
    });
  });
});
