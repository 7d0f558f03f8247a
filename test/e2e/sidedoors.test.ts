import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {rootNamespace} from '../environment/environment.ts';
import {eventually} from '../eventually.ts';
import {allowEverything, namespace, Stack} from './stack.ts';

jest.setTimeout(60_000);

let stack: Stack;

const pods = `/api/v1/namespaces/${namespace}/pods`;

/** Policies that allow everything but a command in `web`, which is denied, and in `db`, which needs approval. */
beforeAll(async () => {
  stack = await Stack.start({audited: true, policies: {everything: allowEverything()}});
  const exec = (verb: string, name: string) => [
    {verbs: [verb], apiGroups: [''], resources: ['pods'], subresources: ['exec'], resourceNames: [name]},
  ];
  await stack.applyPolicies(
    {
      exec: {
        subjects: [{kind: 'User', name: '*'}],
        rules: [
          {name: 'never', effect: 'Deny', message: 'No commands in web.', operations: exec('create', 'web') as never},
          {name: 'ask', effect: 'RequireApproval', approval: {}, operations: exec('get', 'db') as never},
        ],
      },
    },
    namespace,
  );
  // It shuts these doors by itself; here the others are tried.
  await stack.cluster.mustKubectl(['delete', 'agentaccesspolicy', 'no-side-doors', `--namespace=${rootNamespace}`]);
  await stack.cluster.mustKubectl(['create', 'serviceaccount', 'default', `--namespace=${namespace}`]);
  for (const name of ['web', 'db', 'api']) {
    await stack.cluster.mustKubectl(['run', name, '--image=example.com/app', `--namespace=${namespace}`]);
  }
  await eventually(async () => {
    const answer = await stack.agent.call(`${pods}/api/ephemeralcontainers`);
    expect(answer.status).toBe(200);
  });
});

afterAll(() => stack?.stop());

/** What a client of each kind sends to open an exec. */
const opening = {
  GET: {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'sec-websocket-protocol': 'v5.channel.k8s.io',
  },
  POST: {connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io'},
} as const;

describe.each(['GET', 'POST'] as const)('an exec by %s', (method) => {
  const headers = opening[method];

  test('is denied by the rule on the other method', async () => {
    const answer = await stack.agent.call(`${pods}/web/exec?command=id`, {method, headers});
    expect(answer.failure).toMatchObject({code: 403, message: expect.stringContaining('No commands in web.')});
  });

  test('is held by it', async () => {
    const answer = await stack.agent.call(`${pods}/db/exec?command=id`, {method, headers});
    expect(answer.failure).toMatchObject({code: 403, details: {kind: 'accessrequests'}});
  });
});

test('both methods and every order of parameters join one AccessRequest', async () => {
  const ask = async (method: keyof typeof opening, query: string) => {
    const options = {method, headers: opening[method]};
    return (await stack.agent.call(`${pods}/db/exec?${query}`, options)).failure.details?.name;
  };
  const name = await ask('GET', 'command=sh&command=-c&command=id&container=db&stdout=true');
  expect(name).toMatch(/^ask-/);
  expect(await ask('POST', 'stdout=true&container=db&command=sh&command=-c&command=id')).toBe(name);
  expect(await ask('POST', 'stdout=true&container=db&command=sh&command=id&command=-c')).not.toBe(name);
});

describe('an ephemeral container', () => {
  const add = (pod: string) => stack.kubectl(['debug', pod, '--image=example.com/shell', '--attach=false', '--', 'sh']);

  test('is denied where the exec is', async () => {
    const {code, stderr} = await add('web');
    expect(code).toBe(1);
    expect(stderr).toContain('policy payments/exec, rule never: No commands in web.');
  });

  test('is held where the exec is', async () => {
    expect((await add('db')).stderr).toContain('(policy payments/exec, rule ask) waits for approval');
  });

  test('goes through where nothing restricts it', async () => {
    expect(await add('api')).toMatchObject({code: 0});
  });
});

// Pitfall 8. There is no node: what got past would be answered by the API server that there is none.
test.each([
  ['GET', '/api/v1/nodes/worker/proxy/exec/payments/web/app?command=id'],
  ['POST', '/api/v1/nodes/worker/proxy/run/payments/web/app?cmd=id'],
  ['GET', '/api/v1/nodes/https:worker:10250/proxy/exec/payments/web/app?command=id'],
  ['GET', '/api/v1/nodes/worker:10250/proxy/ATTACH/payments/web/app/'],
  ['GET', '/api/v1/proxy/nodes/worker/exec/payments/web/app?command=id'],
  ['POST', '/api/v1/proxy/namespaces/payments/pods/web/exec'],
])('%s %s is denied by what is built in', async (method, path) => {
  for (const call of ['call', 'call2'] as const) {
    const answer = await stack.agent[call](path, {method});
    expect(answer.failure).toMatchObject({code: 403, message: expect.stringMatching(/^built-in rule no-/)});
  }
});

test('reading through the kubelet is left to the policies', async () => {
  const answer = await stack.agent.call('/api/v1/nodes/worker/proxy/metrics');
  expect(answer.failure).toMatchObject({code: 404, message: expect.stringContaining('"worker" not found')});
});

test('nothing of what was denied or held reached the API server', async () => {
  const arrived = (await stack.arrived()).map(({requestURI}) => requestURI);
  expect(arrived.length).toBeGreaterThan(3);
  expect(arrived.filter((uri) => /\/(?:exec|run|attach)\b/i.test(uri))).toEqual([]);
});
