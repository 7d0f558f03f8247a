import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync} from 'node:fs';
import {mkdir, mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {Cluster} from './cluster.ts';
import {type StartedCluster, startCluster} from './start.ts';
import {processesIn} from './testdata/processes.ts';

const startMilliseconds = 120_000;

/** Whether somebody listens at the URL's port. */
async function answers(serverURL: string): Promise<boolean> {
  const socket = net.connect(Number(new URL(serverURL).port), '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe('two clusters at once', () => {
  let clusters: StartedCluster[];

  beforeAll(async () => {
    clusters = await Promise.all([startCluster(), startCluster()]);
  }, startMilliseconds);

  afterAll(async () => {
    await Promise.all(clusters.map((cluster) => cluster.stop()));
  });

  test('each answers at a port of its own, with state of its own', async () => {
    const [one, other] = clusters as [StartedCluster, StartedCluster];
    expect(one.serverURL).not.toBe(other.serverURL);
    const namespace = await one.createNamespace('only-here');
    expect((await one.kubectl(['get', 'namespace', namespace])).code).toBe(0);
    expect((await other.kubectl(['get', 'namespace', namespace])).stderr).toContain('NotFound');
  });

  test("one does not accept the other's clients", async () => {
    const [one, other] = clusters as [StartedCluster, StartedCluster];
    const server = `--server=${other.serverURL}`;
    const {code, stderr} = await one.kubectl([server, '--insecure-skip-tls-verify', 'get', 'namespaces']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/provide credentials|Unauthorized/);
  });

  test('pods are accepted at once: the default ServiceAccount exists without a controller-manager', async () => {
    const [cluster] = clusters as [StartedCluster];
    const pod = ['run', 'pod', '--image=example.com/nothing', '--namespace=default'];
    expect(await cluster.kubectl(pod)).toMatchObject({code: 0, stderr: ''});
  });

  test('kubectl neither reads nor writes below the home directory', async () => {
    const [cluster] = clusters as [StartedCluster];
    const {HOME, KUBECONFIG, KUBECACHEDIR} = cluster.kubectlEnvironment();
    for (const used of [HOME, KUBECONFIG, KUBECACHEDIR]) expect(used).toContain(cluster.dataDirectory);
    expect(JSON.parse(await cluster.mustKubectl(['config', 'view', '--output=json'])).clusters).toEqual([
      expect.objectContaining({cluster: expect.objectContaining({server: cluster.serverURL})}),
    ]);
  });

  test('another process sees the same cluster by its data directory', async () => {
    const [cluster] = clusters as [StartedCluster];
    const opened = Cluster.open(cluster.dataDirectory);
    expect(opened.serverURL).toBe(cluster.serverURL);
    expect(await opened.mustKubectl(['get', '--raw', '/readyz'])).toBe('ok');
  });

  test('a port that is taken is refused with its number, and leaves nothing behind', async () => {
    const [cluster] = clusters as [StartedCluster];
    const port = Number(new URL(cluster.serverURL).port);
    const parent = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-test-'));
    const started = startCluster({port, dataDirectory: path.join(parent, 'data')});
    await expect(started).rejects.toMatchObject({
      code: 'PortInUse',
      message: expect.stringContaining(`Port ${port} of 127.0.0.1 is in use`),
    });
    expect(await readdir(parent)).toEqual([]);
    await rm(parent, {recursive: true});
  });

  test('after stop, no process, no port and no file is left', async () => {
    for (const cluster of clusters) expect(processesIn(cluster.dataDirectory)).toBe(2);
    await Promise.all(clusters.map((cluster) => cluster.stop()));
    for (const cluster of clusters) {
      expect(processesIn(cluster.dataDirectory)).toBe(0);
      expect(existsSync(cluster.dataDirectory)).toBe(false);
      expect(await answers(cluster.serverURL)).toBe(false);
    }
  });
});

test(
  'a cluster ends with the process that started it, even when that is killed',
  async () => {
    const starter = spawn(process.execPath, [path.join(import.meta.dirname, 'testdata/start.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(starter.stdout, 'data')) as [Buffer];
    const {dataDirectory, serverURL} = JSON.parse(line.toString()) as {dataDirectory: string; serverURL: string};
    expect(processesIn(dataDirectory)).toBe(2);
    expect(await answers(serverURL)).toBe(true);

    starter.kill('SIGKILL');
    await once(starter, 'exit');
    // jest's own limit ends the wait for a cluster that stays.
    while (existsSync(dataDirectory)) await sleep(50);
    expect(processesIn(dataDirectory)).toBe(0);
    expect(await answers(serverURL)).toBe(false);
  },
  startMilliseconds,
);

test('a data directory with files in it is refused and left alone', async () => {
  const dataDirectory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-test-'));
  await mkdir(path.join(dataDirectory, 'photographs'));
  await writeFile(path.join(dataDirectory, 'notes'), 'mine');
  await expect(startCluster({dataDirectory})).rejects.toMatchObject({code: 'DataDirectoryNotEmpty'});
  expect((await readdir(dataDirectory)).sort()).toEqual(['notes', 'photographs']);
  await rm(dataDirectory, {recursive: true});
});

test('an API server that does not start is an error with its last words, and leaves nothing behind', async () => {
  const parent = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-test-'));
  const auditPolicy = {apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{level: 'Everything'}]};
  const started = startCluster({auditPolicy, dataDirectory: path.join(parent, 'data')});
  await expect(started).rejects.toMatchObject({
    code: 'ProcessExited',
    message: expect.stringMatching(/^kube-apiserver ended \(exit code 1\): .*Everything/s),
  });
  expect(await readdir(parent)).toEqual([]);
  await rm(parent, {recursive: true});
}, 60_000);
