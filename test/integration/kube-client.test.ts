import {randomUUID} from 'node:crypto';
import {readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {createLogger} from 'winston';
import {stringify} from 'yaml';
import {systemClock} from '../../operator/kube/clock.ts';
import {kubeconfigCredentials} from '../../operator/kube/credentials.ts';
import {KubeConnectionError, KubeError} from '../../operator/kube/error.ts';
import {KubeHTTPClient} from '../../operator/kube/http.ts';
import {LeaderElection} from '../../operator/kube/lease.ts';
import {Reflector} from '../../operator/kube/reflector.ts';
import {sharedCluster} from '../cluster/shared.ts';
import {eventually} from '../eventually.ts';

interface ConfigMap {
  readonly metadata: {readonly name: string; readonly uid: string; readonly resourceVersion: string};
  readonly data?: Readonly<Record<string, string>>;
}

const cluster = sharedCluster();
const log = createLogger({silent: true});
let client: KubeHTTPClient;
let namespace: string;
let configMaps: string;

async function clientFor(kubeconfig: string, timeoutMilliseconds = 10_000): Promise<KubeHTTPClient> {
  const credentials = await kubeconfigCredentials(kubeconfig);
  return new KubeHTTPClient({credentials, userAgent: 'lockkeeper-test', timeoutMilliseconds, observe: () => {}});
}

function configMap(name: string, data: Record<string, string> = {}) {
  return {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name}, data};
}

beforeAll(async () => {
  client = await clientFor(cluster.kubeconfigPath);
  namespace = await cluster.createNamespace('kube-client');
  configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
});

const stops: AbortController[] = [];

/** Also aborted when the test fails, so that nothing runs on. */
function stopAtEnd(): AbortController {
  const stop = new AbortController();
  stops.push(stop);
  return stop;
}

afterAll(async () => {
  for (const stop of stops) stop.abort();
  await client.close();
});

describe('client', () => {
  test('creates, reads, updates, applies and deletes', async () => {
    const created = await client.create<ConfigMap>(configMaps, configMap('crud', {a: '1'}));
    expect(await client.get<ConfigMap>(`${configMaps}/crud`)).toEqual(created);
    const updated = await client.update<ConfigMap>(`${configMaps}/crud`, {...created, data: {a: '2'}});
    expect(updated.data).toEqual({a: '2'});
    const applied = await client.apply<ConfigMap>(`${configMaps}/crud`, configMap('crud', {b: '3'}));
    expect(applied.data).toEqual({a: '2', b: '3'});
    await client.delete(`${configMaps}/crud`);
    await expect(client.get(`${configMaps}/crud`)).rejects.toMatchObject({code: 404, reason: 'NotFound'});
  });

  test('an update of an older version, and a delete with a precondition that does not hold, are conflicts', async () => {
    const first = await client.create<ConfigMap>(configMaps, configMap('fenced'));
    await client.update<ConfigMap>(`${configMaps}/fenced`, {...first, data: {a: '1'}});
    const late = client.update(`${configMaps}/fenced`, {...first, data: {a: '2'}});
    await expect(late).rejects.toMatchObject({code: 409, reason: 'Conflict'});
    const {resourceVersion} = first.metadata;
    const deletion = client.delete(`${configMaps}/fenced`, {resourceVersion});
    await expect(deletion).rejects.toMatchObject({code: 409, reason: 'Conflict'});
    expect(KubeError.hasCode(await deletion.catch((error: unknown) => error), 409)).toBe(true);
  });

  test('a token that rotated is used at once: what was refused with 401 is sent again with the new one', async () => {
    const tokenFile = path.join(cluster.dataDirectory, `rotating-${namespace}`);
    const request = {namespace, name: 'default', audience: cluster.serviceAccountIssuer, expirationSeconds: 600};
    const kubeconfig = `${tokenFile}.kubeconfig`;
    const ca = Buffer.from(cluster.ca).toString('base64');
    await writeFile(
      kubeconfig,
      stringify({
        clusters: [{name: 'c', cluster: {server: cluster.serverURL, 'certificate-authority-data': ca}}],
        users: [{name: 'u', user: {tokenFile: path.basename(tokenFile)}}],
        contexts: [{name: 'x', context: {cluster: 'c', user: 'u'}}],
        'current-context': 'x',
      }),
    );
    await writeFile(tokenFile, 'not-a-token\n');
    const rotating = await clientFor(kubeconfig);
    const review = () =>
      rotating.create<{status: {userInfo: {username: string}}}>('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'SelfSubjectReview',
      });
    await expect(review()).rejects.toMatchObject({code: 401});
    await writeFile(tokenFile, `${await cluster.serviceAccountToken(request)}\n`);
    expect((await review()).status.userInfo.username).toBe(`system:serviceaccount:${namespace}:default`);
    await rotating.close();
  });

  test('a server whose certificate another authority signed is not spoken to', async () => {
    const file = path.join(cluster.dataDirectory, `wrong-ca-${namespace}.kubeconfig`);
    const text = await readFile(cluster.kubeconfigPath, 'utf8');
    const other = Buffer.from(cluster.adminClient.certificate).toString('base64');
    await writeFile(file, text.replace(/certificate-authority-data: .*/, `certificate-authority-data: ${other}`));
    const wary = await clientFor(file);
    await expect(wary.get('/version')).rejects.toThrow(KubeConnectionError);
    await wary.close();
  });

  test('a watch outlives the time that bounds a call, and ends when its signal aborts', async () => {
    const hasty = await clientFor(cluster.kubeconfigPath, 300);
    const stop = stopAtEnd();
    const seen: string[] = [];
    const path = `${configMaps}?watch=true&fieldSelector=metadata.name=watched`;
    const watching = (async () => {
      for await (const {type} of hasty.watch(path, stop.signal)) seen.push(type);
    })();
    await new Promise((resolve) => setTimeout(resolve, 900));
    await client.create(configMaps, configMap('watched'));
    await eventually(() => expect(seen).toEqual(['ADDED']));
    stop.abort(new Error('enough'));
    await expect(watching).rejects.toThrow('enough');
    await hasty.close();
  });
});

describe('reflector', () => {
  test('holds many objects, follows deletes, and goes on over ends of its watch', async () => {
    const names = Array.from({length: 1200}, (_, index) => `many-${String(index).padStart(4, '0')}`);
    for (let start = 0; start < names.length; start += 100) {
      const chunk = names.slice(start, start + 100);
      await Promise.all(
        chunk.map((name) => client.create(configMaps, {...configMap(name), metadata: {name, labels: {set: 'many'}}})),
      );
    }
    let watches = 0;
    // The server ends each of these watches after a second.
    const impatient: KubeHTTPClient = Object.create(client, {
      watch: {
        value: (path: string, signal: AbortSignal) => {
          watches += 1;
          return client.watch(path.replace(/timeoutSeconds=\d+/, 'timeoutSeconds=1'), signal);
        },
      },
      get: {value: client.get.bind(client)},
    });
    const reflector = new Reflector<ConfigMap>({
      client: impatient,
      path: `${configMaps}?labelSelector=set%3Dmany`,
      parse: (object) => object as ConfigMap,
      clock: systemClock,
      random: Math.random,
      log,
    });
    const stop = stopAtEnd();
    const running = reflector.run(stop.signal);
    await reflector.untilSynced();
    expect(reflector.list()).toHaveLength(1200);
    await eventually(() => expect(watches).toBeGreaterThan(2));
    await client.delete(`${configMaps}/many-0007`);
    await client.apply(`${configMaps}/many-0008`, {...configMap('many-0008', {seen: 'yes'})});
    await eventually(() => expect(reflector.get(`${namespace}/many-0007`)).toBeUndefined());
    await eventually(() => expect(reflector.get(`${namespace}/many-0008`)?.data).toEqual({seen: 'yes'}));
    await client.delete(`${configMaps}?labelSelector=set%3Dmany`);
    await eventually(() => expect(reflector.list()).toEqual([]));
    stop.abort();
    await running;
  }, 60_000);
});

describe('leader election', () => {
  test('two candidates: one leads; when it gives the lease back the other does', async () => {
    const terms: string[] = [];
    let leading = 0;
    let most = 0;
    const candidate = (identity: string) => {
      const stop = stopAtEnd();
      const election = new LeaderElection({
        client,
        namespace,
        name: 'election',
        identity,
        async lead(signal) {
          terms.push(identity);
          leading += 1;
          most = Math.max(most, leading);
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          leading -= 1;
        },
        observe: () => {},
        clock: systemClock,
        random: Math.random,
        log,
      });
      return {identity, stop, done: election.run(stop.signal)};
    };
    const candidates = [candidate(`a-${randomUUID()}`), candidate(`b-${randomUUID()}`)];
    await eventually(() => expect(terms).toHaveLength(1));
    const winner = candidates.find(({identity}) => identity === terms[0]);
    winner?.stop.abort();
    await winner?.done;
    await eventually(() => expect(terms).toHaveLength(2));
    for (const {stop} of candidates) stop.abort();
    await Promise.all(candidates.map(({done}) => done));
    expect(most).toBe(1);
    const lease = await client.get<{spec: {holderIdentity: string; leaseTransitions: number}}>(
      `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/election`,
    );
    expect(lease.spec).toMatchObject({holderIdentity: '', leaseTransitions: 1});
  }, 30_000);
});
