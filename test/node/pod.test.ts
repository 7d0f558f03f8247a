import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {afterAll, beforeAll, expect, test} from '@jest/globals';
import {Agent, request} from 'undici';
import type {Cluster} from '../cluster/cluster.ts';
import {describeWithNode} from '../cluster/node/describe.ts';
import {importImage, makeNodeRoot, writeImageArchive} from '../cluster/node/images.ts';
import {startPod} from '../cluster/node/pod.ts';
import {sharedNodeCluster} from '../cluster/node/shared.ts';

/** What a client in a pod does that is configured by nothing but its environment. */
const askServer = `
  const {readFileSync} = require('node:fs');
  const directory = '/var/run/secrets/kubernetes.io/serviceaccount/';
  const {KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port} = process.env;
  const options = {
    hostname, port, path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', method: 'POST',
    ca: readFileSync(directory + 'ca.crt'),
    headers: {authorization: 'Bearer ' + readFileSync(directory + 'token'), 'content-type': 'application/json'},
  };
  require('node:https').request(options, (response) => response.pipe(process.stdout))
    .end(JSON.stringify({apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview'}));`;

describeWithNode('a pod', () => {
  let cluster: Cluster;
  let namespace: string;
  let directory: string;
  const children = new Set<ChildProcess>();

  beforeAll(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-test-'));
    cluster = sharedNodeCluster();
    namespace = await cluster.createNamespace('pod');
    await startPod(cluster, {
      namespace,
      name: 'box',
      containers: [
        {name: 'main', command: ['sh', '-c', 'echo ready to serve; exec nc -ll -p 8080 -e cat']},
        {name: 'echo', command: ['cat'], stdin: true, stdinOnce: true},
      ],
    });
  }, 60_000);

  afterAll(async () => {
    for (const child of children) child.kill();
    await rm(directory, {recursive: true, force: true});
  });

  const inNamespace = (...args: readonly string[]): readonly string[] => ['--namespace', namespace, ...args];
  const podIP = (name: string): Promise<string> =>
    cluster.mustKubectl(inNamespace('get', 'pod', name, '--output=jsonpath={.status.podIP}'));

  /** What the server at the address sends back. */
  async function echoed(host: string, port: number, text: string): Promise<string> {
    const socket = net.connect(port, host);
    socket.write(text);
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return chunk.toString();
  }

  test('runs what kubectl exec asks of it, with its input, output and exit code', async () => {
    const exec = inNamespace(
      'exec',
      '--stdin',
      'box',
      '--container=main',
      '--',
      'sh',
      '-c',
      'cat; echo oops >&2; exit 7',
    );
    expect(await cluster.kubectl(exec, {input: 'typed'})).toEqual({
      code: 7,
      stdout: 'typed',
      stderr: expect.stringMatching(/^oops\n.*exit code 7/s),
    });
  });

  test('ignores no signal, as bash has it that starts all', async () => {
    const status = await cluster.mustKubectl(inNamespace('exec', 'box', '--', 'cat', '/proc/1/status'));
    // Of the standard signals: what is ignored beyond them is the business of who started all of this.
    expect(status).toMatch(/^SigIgn:\t[0-9a-f]{8}[08]0000000$/m);
  });

  test('gives kubectl logs what it printed', async () => {
    expect(await cluster.mustKubectl(inNamespace('logs', 'box', '--container=main'))).toBe('ready to serve\n');
  });

  test('hears kubectl attach and answers', async () => {
    const attach = inNamespace('attach', '--stdin', 'box', '--container=echo');
    expect((await cluster.kubectl(attach, {input: 'typed\n'})).stdout).toBe('typed\n');
  });

  test('is reached by kubectl port-forward', async () => {
    const args = inNamespace('port-forward', 'pod/box', ':8080', '--address=127.0.0.1');
    const child = spawn(cluster.kubectlPath, args, {env: cluster.kubectlEnvironment()});
    children.add(child);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1]);
    expect(await echoed('127.0.0.1', port, 'through the API server')).toBe('through the API server');
  });

  test('takes and gives files by kubectl cp', async () => {
    const here = path.join(directory, 'sent');
    await mkdir(here);
    await writeFile(path.join(here, 'file'), 'copied');
    await cluster.mustKubectl(inNamespace('cp', here, 'box:/tmp/copy', '--container=main'));
    await cluster.mustKubectl(inNamespace('cp', 'box:/tmp/copy', path.join(directory, 'back'), '--container=main'));
    expect(await readFile(path.join(directory, 'back/file'), 'utf8')).toBe('copied');
  });

  test('and this machine reach each other', async () => {
    expect(await echoed(await podIP('box'), 8080, 'from the machine')).toBe('from the machine');
    const server = net.createServer((socket) => socket.end('from the pod')).listen(0, cluster.node?.hostAddress);
    await once(server, 'listening');
    const {address, port} = server.address() as net.AddressInfo;
    const exec = inNamespace('exec', 'box', '--', 'nc', address, String(port));
    expect(await cluster.mustKubectl(exec)).toBe('from the pod');
    server.close();
  });

  test('has an image of a test, and finds the API server by its environment, with the token of its ServiceAccount', async () => {
    const root = path.join(directory, 'root');
    await makeNodeRoot(root);
    const image = `lockkeeper.dev/${namespace}:local`;
    await writeImageArchive(path.join(directory, 'image.tar'), image, root, {});
    await importImage(cluster, path.join(directory, 'image.tar'));
    await startPod(cluster, {namespace, name: 'client', containers: [{name: 'main', image}]});
    const exec = inNamespace('exec', 'client', '--', 'node', '--eval', askServer);
    expect(JSON.parse(await cluster.mustKubectl(exec))).toMatchObject({
      status: {userInfo: {username: `system:serviceaccount:${namespace}:default`}},
    });
  }, 60_000);

  test.each([
    {who: 'nobody', client: false, status: 401},
    {who: 'the administrator', client: true, status: 200},
  ])('is shown by the kubelet to $who with $status', async ({client, status}) => {
    const {status: node} = JSON.parse(await cluster.mustKubectl(['get', 'nodes', '--output=json'])).items[0];
    const {address} = node.addresses.find(({type}: {type: string}) => type === 'InternalIP');
    const {certificate: cert, key} = cluster.adminClient;
    const agent = new Agent({connect: {ca: cluster.ca, ...(client && {cert, key})}});
    const answer = await request(`https://${address}:10250/pods`, {dispatcher: agent});
    await answer.body.dump();
    await agent.close();
    expect(answer.statusCode).toBe(status);
  });
});
