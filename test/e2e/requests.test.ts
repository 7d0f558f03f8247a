import type {OutgoingHttpHeaders} from 'node:http';
import {Readable} from 'node:stream';
import {BinaryWriter, WireType} from '@bufbuild/protobuf/wire';
import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {eventually} from '../eventually.ts';
import {allowEverything, configMap, namespace, Stack} from './stack.ts';

jest.setTimeout(60_000);

let stack: Stack;

const pod = `/api/v1/namespaces/${namespace}/pods/web`;
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;

beforeAll(async () => {
  stack = await Stack.start({
    audited: true,
    policies: {
      everything: allowEverything(),
      restrictions: {
        subjects: [{kind: 'User', name: '*'}],
        rules: [
          {
            name: 'no-attach',
            effect: 'Deny',
            message: 'Ask for exec instead.',
            operations: [{verbs: ['get', 'create'], apiGroups: [''], resources: ['pods'], subresources: ['attach']}],
          },
          {
            name: 'protected-labels',
            effect: 'Deny',
            operations: [{verbs: ['create', 'update'], apiGroups: [''], resources: ['configmaps']}],
            conditions: [
              {name: 'protected', expression: "has(object.metadata.labels) && 'protected' in object.metadata.labels"},
            ],
          },
          {
            name: 'own-images',
            effect: 'Deny',
            operations: [{verbs: ['create'], apiGroups: ['apps'], resources: ['deployments']}],
            conditions: [
              {
                name: 'foreign',
                expression: "!object.spec.template.spec.containers.all(c, c.image.startsWith('example.com/'))",
              },
            ],
          },
        ],
      },
    },
  });
  await stack.cluster.mustKubectl(['create', 'serviceaccount', 'default', `--namespace=${namespace}`]);
  await stack.cluster.mustKubectl(['run', 'web', '--image=example.com/web', `--namespace=${namespace}`]);
  // There is no node; kubectl forwards ports of pods that run.
  await stack.cluster.mustKubectl([
    ...['patch', 'pod', 'web', `--namespace=${namespace}`, '--subresource=status'],
    ...['-p', '{"status":{"phase":"Running"}}'],
  ]);
});

afterAll(() => stack?.stop());

/** Requests that reached the API server with this path, as its own audit log tells. */
async function arrivals(path: string) {
  return (await stack.arrived()).filter(({requestURI}) => requestURI.startsWith(path));
}

/** What a client says who opens a stream, by the protocol that it upgrades to. */
const handshakes: Readonly<Record<string, OutgoingHttpHeaders>> = {
  websocket: {
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'sec-websocket-protocol': 'v5.channel.k8s.io',
  },
  'SPDY/3.1': {'x-stream-protocol-version': 'v4.channel.k8s.io'},
};

// There is no node here: streams into pods that run are tried in test/node.
describe('upgrades', () => {
  test.each([
    ['exec', ['exec', 'web', '--', 'id']],
    ['port-forward', ['port-forward', 'pod/web', '18080:80']],
  ])('kubectl %s, allowed by policy, hears what the API server has against it', async (_verb, args) => {
    const {code, stderr} = await stack.kubectl(args);
    expect(code).not.toBe(0);
    expect(stderr).toContain('pod web does not have a host assigned');
  });

  test('kubectl attach, denied by policy, is told so', async () => {
    const {code, stderr} = await stack.kubectl(['attach', 'web']);
    expect(code).toBe(1);
    expect(stderr).toContain('Ask for exec instead.');
  });

  test.each([
    ['SPDY/3.1', 'POST', 400, `${pod}/exec?command=id&stdout=true`, 'does not have a host assigned'],
    ['websocket', 'GET', 400, `${pod}/exec?command=id&stdout=true`, 'does not have a host assigned'],
    ['websocket', 'GET', 403, `${pod}/attach?stdout=true`, 'Ask for exec instead.'],
    ['SPDY/3.1', 'POST', 403, `${pod}/attach?stdout=true`, 'Ask for exec instead.'],
    // A watch can be had as a websocket too.
    ['websocket', 'GET', 501, `${configMaps}?watch=1`, 'would become a stream'],
  ])('%s by %s: %i', async (protocol, method, code, path, message) => {
    const headers = {connection: 'Upgrade', upgrade: protocol, ...handshakes[protocol]};
    const answer = await stack.agent.call(path, {method, headers});
    expect(answer.status).toBe(code);
    expect(answer.failure.message).toContain(message);
  });

  test.each(['websocket', 'SPDY/3.1'])('half a handshake of %s is refused', async (protocol) => {
    const headers = {connection: 'Upgrade', upgrade: protocol};
    const answer = await stack.agent.call(`${pod}/exec?command=id&stdout=true`, {headers});
    expect([answer.status, answer.failure.reason]).toEqual([400, 'BadRequest']);
  });

  test('exec without an upgrade runs nothing', async () => {
    const answer = await stack.agent.call(`${pod}/exec?command=id&stdout=true`, {method: 'POST'});
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });

  test.each(Object.entries(handshakes))(
    'pitfall 20: nothing that follows a refused upgrade to %s on its connection is read',
    async (protocol, handshake) => {
      // Were the connection handed to the upstream, this would go past every check.
      const head = 'Host: gateway\nAuthorization: Bearer {token}\n';
      const headers = Object.entries(handshake).map(([name, value]) => `${name}: ${value}\n`);
      const answer = await stack.agent.raw(
        `GET ${pod}/exec?command=id&stdout=true HTTP/1.1\n${head}Connection: Upgrade\nUpgrade: ${protocol}\n` +
          `${headers.join('')}\nGET ${pod}/attach HTTP/1.1\n${head}Connection: close\n\n`,
      );
      expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
      expect(answer.toLowerCase()).toContain('connection: close');
      expect(answer).toContain('does not have a host assigned');
    },
  );

  test('nothing of what policy denies reached the API server', async () => {
    const streams = (await arrivals(pod)).filter(({requestURI}) => requestURI.includes('attach'));
    expect(streams).toEqual([]);
  });
});

describe('what the API server answers', () => {
  test.each([
    ['404 of an object', 'GET', `${configMaps}/absent`],
    ['404 of a kind', 'GET', '/apis/example.com/v1/things'],
    ['404 of a path', 'GET', '/nothing'],
    ['405', 'HEAD', `${configMaps}/absent`],
    ['405 with a body', 'PUT', '/version'],
    ['415', 'POST', `/api/v1/namespaces/${namespace}/services`],
    ['401 of no one', 'DELETE', '/healthz'],
  ])('%s passes unchanged', async (what, method, path) => {
    const body = what === '415' ? {body: 'x', headers: {'content-type': 'text/x-unknown'}} : {};
    const direct = await stack.direct().call(path, {method, ...body});
    for (const answer of [
      await stack.agent.call(path, {method, ...body}),
      await stack.agent.call2(path, {method, ...body}),
    ]) {
      expect(answer.status).toBe(direct.status);
      expect(answer.text).toBe(direct.text);
      expect(answer.headers['content-type']).toBe(direct.headers['content-type']);
    }
  });

  test('409 of a create, and of an update of an old version', async () => {
    const object = configMap('conflict');
    expect((await stack.agent.call(configMaps, {method: 'POST', body: object})).status).toBe(201);
    const again = await stack.agent.call(configMaps, {method: 'POST', body: object});
    expect(again.status).toBe(409);
    expect(again.failure.reason).toBe('AlreadyExists');
    const stale = {...object, metadata: {...object.metadata, resourceVersion: '1'}};
    const update = await stack.agent.call2(`${configMaps}/conflict`, {method: 'PUT', body: stale});
    expect(update.status).toBe(409);
    expect(update.failure.reason).toBe('Conflict');
  });

  test('422 and warnings', async () => {
    const answer = await stack.agent.call(configMaps, {method: 'POST', body: configMap('Not A Name')});
    expect(answer.status).toBe(422);
    const warned = await stack.agent.call(`${configMaps}?fieldValidation=Warn&dryRun=All`, {
      method: 'POST',
      body: {...configMap('warned'), unknown: 'x'},
    });
    expect(warned.status).toBe(201);
    expect(warned.headers.warning).toContain('unknown field');
  });
});

describe('plain kubectl', () => {
  const manifest = JSON.stringify(configMap('applied', {color: 'red'}));

  test('apply, apply --server-side, diff and every kind of patch', async () => {
    const kubectl = async (args: readonly string[], input?: string) => {
      const result = await stack.kubectl(args, input);
      if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
      return result.stdout;
    };
    expect(await kubectl(['apply', '-f', '-'], manifest)).toContain('created');
    const changed = manifest.replace('red', 'green');
    const diff = await stack.kubectl(['diff', '-f', '-'], changed);
    expect(diff.code).toBe(1);
    expect(diff.stdout).toContain('+  color: green');
    expect(await kubectl(['apply', '-f', '-'], changed)).toContain('configured');
    const serverSide = manifest.replace('red', 'blue');
    const flags = ['apply', '--server-side', '--force-conflicts', '-f', '-'];
    expect(await kubectl(flags, serverSide)).toContain('serverside-applied');
    const patches = [
      ['--type=merge', '-p', '{"data":{"merge":"1"}}'],
      ['--type=strategic', '-p', '{"data":{"strategic":"1"}}'],
      ['--type=json', '-p', '[{"op":"add","path":"/data/json","value":"1"}]'],
    ];
    for (const patch of patches) await kubectl(['patch', 'configmap', 'applied', ...patch]);
    await kubectl(['label', 'configmap', 'applied', 'a=b']);
    expect(JSON.parse(await kubectl(['get', 'configmap', 'applied', '-o', 'json']))).toMatchObject({
      metadata: {labels: {a: 'b'}},
      data: {color: 'blue', merge: '1', strategic: '1', json: '1'},
    });
    expect(await kubectl(['delete', 'configmap', 'applied'])).toContain('deleted');
  });

  test.each([
    [['explain', 'pods.spec.containers'], 'containers'],
    [['auth', 'can-i', 'create', 'pods'], 'yes'],
    [['auth', 'whoami'], 'agent:build-bot'],
    [['get', '--raw', '/healthz'], 'ok'],
    [['api-resources', '--api-group=lockkeeper.dev'], 'accessrequests'],
    [['version'], 'Server Version: v1.36'],
    [['get', 'pods', '-o', 'wide'], 'web'],
    [['describe', 'pod', 'web'], 'example.com/web'],
    [['get', 'configmaps', '-A'], 'extension-apiserver-authentication'],
  ])('%j', async (args, shown) => {
    const {stdout, stderr} = await stack.kubectl(args);
    expect(stderr).toBe('');
    expect(stdout).toContain(shown);
  });
});

describe('large bodies', () => {
  // 2 MB, near the API server's own limit of 3 MiB; more than etcd stores, so it is a dry run.
  const revisions = `/apis/apps/v1/namespaces/${namespace}/controllerrevisions?dryRun=All`;
  const revision = Buffer.from(
    JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {name: 'large', namespace},
      revision: 1,
      data: {text: 'x'.repeat(2_000_000)},
    }),
  );
  const chunks = () =>
    Readable.from(Array.from({length: 64}, (_, i) => revision.subarray(i * 32_768, (i + 1) * 32_768)));
  const json = {'content-type': 'application/json'};

  test.each([
    ['with a length over HTTP/1.1', 'call', () => ({body: revision})],
    ['by chunks over HTTP/1.1', 'call', () => ({body: chunks(), headers: json})],
    ['with a length over HTTP/2', 'call2', () => ({body: revision})],
    ['without a length over HTTP/2', 'call2', () => ({body: chunks(), headers: json})],
  ] as const)('%s arrive whole', async (_what, call, body) => {
    const answer = await stack.agent[call](revisions, {method: 'POST', ...body()});
    expect(answer.status).toBe(201);
    expect(answer.json<{data: {text: string}}>().data.text).toHaveLength(2_000_000);
  });

  test.each(['call', 'call2'] as const)(
    'past what the API server takes get 413, from whoever reads them first (%s)',
    async (call) => {
      const answer = await stack.agent[call](revisions, {method: 'POST', body: Buffer.alloc(4 * 1024 * 1024, ' ')});
      expect(answer.status).toBe(413);
      expect(answer.failure.message).toContain('3145728');
    },
  );

  test.each(['call', 'call2'] as const)('past what policy reads get 413 (%s)', async (call) => {
    const data = {text: 'x'.repeat(3 * 1024 * 1024)};
    const declared = await stack.agent[call](configMaps, {method: 'POST', body: configMap('too-large', data)});
    expect(declared.status).toBe(413);
    const text = JSON.stringify(configMap('too-large', data));
    const pieces = Readable.from([text.slice(0, 1_000_000), text.slice(1_000_000)]);
    const streamed = await stack.agent[call](configMaps, {method: 'POST', body: pieces, headers: json});
    expect(streamed.status).toBe(413);
    expect(streamed.failure.reason).toBe('RequestEntityTooLarge');
  });

  test('past what policy reads leave the connection to the next call', async () => {
    const text = JSON.stringify(configMap('too-large', {text: 'x'.repeat(4 * 1024 * 1024)}));
    const head = 'Host: gateway\nAuthorization: Bearer {token}\n';
    const answers = await stack.agent.raw(
      `POST ${configMaps} HTTP/1.1\n${head}Content-Type: application/json\nTransfer-Encoding: chunked\n\n` +
        `${text.length.toString(16)}\n${text}\n0\n\nGET /version HTTP/1.1\n${head}Connection: close\n\n`,
    );
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
    const session = stack.agent.session();
    const body = Readable.from([text.slice(0, 4_000_000), text.slice(4_000_000)]);
    const answer = await stack.agent.callOn(session, configMaps, {method: 'POST', body, headers: json});
    expect(answer.status).toBe(413);
    // Calls back when no stream is left.
    await new Promise<void>((resolve) => session.close(resolve));
  });

  test('a body that policy reads decides, however it is sent', async () => {
    const object = configMap('protected');
    const body = {...object, metadata: {...object.metadata, labels: {protected: 'yes'}}};
    for (const call of ['call', 'call2'] as const) {
      const denied = await stack.agent[call](configMaps, {method: 'POST', body});
      expect(denied.status).toBe(403);
      expect(denied.failure.message).toContain('lockkeeper-system/restrictions, rule protected-labels');
      const allowed = await stack.agent[call](`${configMaps}?dryRun=All`, {method: 'POST', body: object});
      expect(allowed.status).toBe(201);
    }
    // Where protobuf cannot be read, the condition that would look at it counts as holding.
    const headers = {'content-type': 'application/vnd.kubernetes.protobuf'};
    for (const [bytes, status] of [
      [protobufConfigMap({protected: 'yes'}), 403],
      [protobufConfigMap({}), 201],
      [protobufConfigMap({}).subarray(0, -1), 403],
    ] as const) {
      const answer = await stack.agent.call(`${configMaps}?dryRun=All`, {method: 'POST', body: bytes, headers});
      expect(answer.status).toBe(status);
    }
    const zipped = {body, headers: {'content-encoding': 'gzip'}};
    expect((await stack.agent.call(configMaps, {method: 'POST', ...zipped})).status).toBe(415);
  });

  test('kubectl sends protobuf, and a condition looks into it', async () => {
    const create = (image: string) => stack.kubectl(['create', 'deployment', 'built', `--image=${image}`, '-v=8']);
    const denied = await create('other.example.org/web');
    expect(denied.code).toBe(1);
    expect(denied.stderr).toContain('application/vnd.kubernetes.protobuf');
    expect(denied.stderr).toContain('lockkeeper-system/restrictions, rule own-images');
    const allowed = await create('example.com/web');
    expect([allowed.code, allowed.stdout]).toEqual([0, 'deployment.apps/built created\n']);
  });

  test('Expect: 100-continue is answered before the body is sent', async () => {
    const body = JSON.stringify(configMap('expected'));
    const answer = await stack.agent.raw(
      `POST ${configMaps}?dryRun=All HTTP/1.1\nHost: gateway\nAuthorization: Bearer {token}\nConnection: close\n` +
        `Content-Type: application/json\nContent-Length: ${body.length}\nExpect: 100-continue\n\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
  });
});

/** A ConfigMap as client-go encodes it, with labels. */
function protobufConfigMap(labels: Readonly<Record<string, string>>): Buffer {
  const field = (number: number, content: string | Uint8Array) =>
    new BinaryWriter()
      .uint32((number << 3) | WireType.LengthDelimited)
      .bytes(Buffer.from(content as string))
      .finish();
  const entries = Object.entries(labels).map(([key, value]) =>
    field(11, Buffer.concat([field(1, key), field(2, value)])),
  );
  const metadata = field(1, Buffer.concat([field(1, 'encoded'), field(3, namespace), ...entries]));
  const type = field(1, Buffer.concat([field(1, 'v1'), field(2, 'ConfigMap')]));
  return Buffer.concat([Buffer.from('k8s\0'), type, field(2, metadata)]);
}

test('every call that reached the API server was on record first, under the same ID', async () => {
  const arrived = await eventually(async () => {
    const events = (await stack.arrived()).filter(({impersonatedUser}) => impersonatedUser !== undefined);
    expect(events.length).toBeGreaterThan(30);
    return events;
  });
  const intents = new Set(
    (await stack.records()).filter(({stage}) => stage === 'RequestReceived').map(({auditID}) => auditID),
  );
  expect(arrived.filter(({auditID}) => !intents.has(auditID))).toEqual([]);
});
