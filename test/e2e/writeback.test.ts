import {spawn} from 'node:child_process';
import {readFile, rm} from 'node:fs/promises';
import {afterAll, beforeAll, beforeEach, describe, expect, jest, test} from '@jest/globals';
import type {KubectlResult} from '../cluster/cluster.ts';
import {allowEverything, namespace, Stack} from './stack.ts';

jest.setTimeout(60_000);

const pan = '4111111111111111';
const masked = '************1111';
const base64 = (text: string) => Buffer.from(text).toString('base64');

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.start({
    policies: {everything: {...allowEverything(), masking: [{name: 'cards', detector: 'PAN'}]}},
  });
});

afterAll(() => stack?.stop());

const orders = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {name: 'orders', namespace},
  data: {card: pan, color: 'red'},
};
const vault = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {name: 'vault', namespace},
  data: {card: base64(pan), color: base64('red')},
};

/** As the administrator, so that the whole objects are in last-applied-configuration as well. */
beforeEach(async () => {
  await stack.cluster.mustKubectl([
    'delete',
    'configmap,secret',
    `--namespace=${namespace}`,
    'orders',
    'vault',
    '--ignore-not-found',
  ]);
  await stack.cluster.mustKubectl(['apply', '-f', '-'], {
    input: JSON.stringify({apiVersion: 'v1', kind: 'List', items: [orders, vault]}),
  });
});

/** What is stored, whoever may see it. */
async function stored(): Promise<Record<string, string>> {
  const [config, secret] = await Promise.all(
    ['configmap/orders', 'secret/vault'].map((name) =>
      stack.cluster.mustKubectl(['get', name, `--namespace=${namespace}`, '-o', 'json']),
    ),
  );
  const {card = '', color = ''} = JSON.parse(secret ?? '').data;
  const decoded = (text: string) => Buffer.from(text, 'base64').toString();
  return {...JSON.parse(config ?? '').data, secretCard: decoded(card), secretColor: decoded(color)};
}

const untouched = {card: pan, color: 'red', secretCard: pan, secretColor: 'red'};

/** What the agent reads, as it would put it in a file. */
async function read(name: string): Promise<string> {
  const {stdout} = await stack.kubectl(['get', name, '-o', 'yaml']);
  expect(stdout).toContain(name.startsWith('secret') ? base64(masked) : masked);
  expect(stdout).not.toContain(pan);
  return stdout;
}

/** `kubectl edit` with sed in the place of a person. */
function edit(name: string, script: string): Promise<KubectlResult> {
  const {cluster, kubeconfig} = stack;
  const child = spawn(cluster.kubectlPath, [`--namespace=${namespace}`, 'edit', name], {
    env: {...cluster.kubectlEnvironment(kubeconfig), KUBE_EDITOR: `sed -i ${script}`},
  });
  return new Promise((resolve, reject) => {
    const said = {stdout: '', stderr: ''};
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        said[stream] += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({code: code ?? -1, ...said}));
  });
}

function expectRefused({code, stderr}: KubectlResult, ...fields: string[]): void {
  expect(code).not.toBe(0);
  for (const field of fields) {
    expect(stderr).toContain(`${field}: a masked value would take the place of the real one`);
  }
}

describe.each([
  ['configmap/orders', 'card', masked],
  ['secret/vault', 'secretCard', base64(masked)],
])('what the agent reads of %s', (name, _field, shown) => {
  test('cannot be put in its place by replace', async () => {
    const file = (await read(name)).replace('color: red', 'color: green');
    expectRefused(await stack.kubectl(['replace', '-f', '-'], file), 'data.card');
    expect(await stored()).toEqual(untouched);
  });

  test('cannot be applied by server-side apply', async () => {
    const file = (await read(name)).replace(/ {2}(uid|resourceVersion|creationTimestamp):.*\n/g, '');
    expectRefused(await stack.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], file), 'data.card');
    expect(await stored()).toEqual(untouched);
  });

  test('cannot be created under another name', async () => {
    const file = (await read(name))
      .replace(/ {2}(uid|resourceVersion|creationTimestamp):.*\n/g, '')
      .replace(/ {2}name:.*/, '  name: copy');
    expectRefused(await stack.kubectl(['create', '-f', '-'], file), 'data.card');
  });

  test.each([
    ['merge', `{"data":{"card":"${shown}"}}`],
    ['strategic', `{"data":{"card":"${shown}"}}`],
    ['json', `[{"op":"replace","path":"/data/card","value":"${shown}"}]`],
  ])('cannot be written by a patch of type %s', async (type, patch) => {
    expectRefused(await stack.kubectl(['patch', name, `--type=${type}`, '-p', patch]), 'data.card');
    expect(await stored()).toEqual(untouched);
  });

  test('stays where it is when something else is patched', async () => {
    const color = name.startsWith('secret') ? base64('green') : 'green';
    const {code, stderr} = await stack.kubectl(['patch', name, '--type=merge', '-p', `{"data":{"color":"${color}"}}`]);
    expect({code, stderr}).toEqual({code: 0, stderr: ''});
    const changed = name.startsWith('secret') ? {secretColor: 'green'} : {color: 'green'};
    expect(await stored()).toEqual({...untouched, ...changed});
  });

  test('stays where it is when something else is edited', async () => {
    const script = name.startsWith('secret') ? `s/${base64('red')}/${base64('green')}/` : 's/red/green/';
    const {code, stderr} = await edit(name, script);
    expect({code, stderr}).toEqual({code: 0, stderr: ''});
    const changed = name.startsWith('secret') ? {secretColor: 'green'} : {color: 'green'};
    expect(await stored()).toEqual({...untouched, ...changed});
  });

  test('stays where it is when it is applied with a change of something else', async () => {
    const file = (await read(name)).replace('color: red', 'color: green').replace(base64('red'), base64('green'));
    const {code} = await stack.kubectl(['apply', '-f', '-'], file);
    expect(code).toBe(0);
    const changed = name.startsWith('secret') ? {secretColor: 'green'} : {color: 'green'};
    expect(await stored()).toEqual({...untouched, ...changed});
  });
});

test('an edit that would write back a masked value says so in the editor', async () => {
  const {code, stderr} = await edit('configmap/orders', '/-new/!s/1111/1111-new/');
  expect(code).not.toBe(0);
  const copy = /stored to "(.*?)"/.exec(stderr)?.[1] ?? '';
  const shown = await readFile(copy, 'utf8');
  await rm(copy);
  expect(shown).toContain('data.card: a masked value would take the place of the real one');
  expect(await stored()).toEqual(untouched);
});

test('a masked value in protobuf is refused too', async () => {
  const created = await stack.kubectl(['create', 'secret', 'generic', 'copy', `--from-literal=card=${masked}`]);
  expectRefused(created, 'data.card');
});

test('a body that cannot be searched is refused', async () => {
  const answer = await stack.agent.call(`/api/v1/namespaces/${namespace}/configmaps/orders`, {
    method: 'PUT',
    headers: {'content-type': 'application/json', 'content-encoding': 'gzip'},
    body: 'x',
  });
  expect([answer.status, answer.failure.reason]).toEqual([415, 'UnsupportedMediaType']);
});

test('the record and the metrics say why', async () => {
  await stack.kubectl(['patch', 'configmap/orders', '--type=merge', '-p', `{"data":{"card":"${masked}"}}`]);
  const refused = (await stack.records()).filter(
    ({annotations}) => annotations?.['lockkeeper.dev/refusal'] === 'MaskedWriteBack',
  );
  expect(refused.at(-1)).toMatchObject({verb: 'patch', responseStatus: {code: 422}});
});
