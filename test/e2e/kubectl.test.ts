import {spawn} from 'node:child_process';
import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import type {AgentAccessPolicySpec} from '../../core/api/agentaccesspolicy.ts';
import type {KubectlResult} from '../cluster/cluster.ts';
import {rootNamespace} from '../environment/environment.ts';
import {eventually} from '../eventually.ts';
import {allowEverything, Stack} from './stack.ts';

jest.setTimeout(60_000);

/** Where the agent works, and where the administrator does the same without the gateway. */
const namespaces = {through: 'ns-through', direct: 'ns-direct'} as const;
type Way = keyof typeof namespaces;

let stack: Stack;

beforeAll(async () => {
  const operations = [{verbs: ['delete'], apiGroups: ['example.com'], resources: ['things']}];
  const keepThings: AgentAccessPolicySpec = {
    subjects: [{kind: 'User', name: '*'}],
    rules: [{name: 'keep-things', effect: 'Deny', operations}],
  };
  stack = await Stack.start({
    policies: {everything: allowEverything(), 'keep-things': keepThings},
    controllerManager: true,
  });
  for (const name of Object.values(namespaces)) {
    await stack.cluster.mustKubectl(['create', 'namespace', name]);
    // Nothing runs on it: what kubectl does with nodes, it does with objects.
    await stack.cluster.mustKubectl(['create', '-f', '-'], {
      input: JSON.stringify({apiVersion: 'v1', kind: 'Node', metadata: {name: `node-${name}`}}),
    });
    const account = ['get', 'serviceaccount', 'default', `--namespace=${name}`];
    await eventually(() => stack.cluster.mustKubectl(account));
  }
});

afterAll(() => stack?.stop());

interface Step {
  /** The arguments, split at spaces; `@` is the namespace. */
  readonly command: string;
  readonly input?: object;
  /** A command for sed, in the place of a person at an editor. */
  readonly edit?: string;
}

function kubectl(way: Way, {command, input, edit}: Step): Promise<KubectlResult> {
  const args = command.replaceAll('@', namespaces[way]).split(' ');
  const {cluster, environment, token} = stack;
  // A token at hand, since the plugin that gets one takes as long as kubectl itself.
  const where =
    way === 'through'
      ? [`--server=${environment.gatewayURL}`, `--certificate-authority=${environment.caPath}`, `--token=${token}`]
      : [];
  const child = spawn(cluster.kubectlPath, [`--namespace=${namespaces[way]}`, ...where, ...args], {
    env: {
      ...cluster.kubectlEnvironment(way === 'through' ? '/dev/null' : cluster.kubeconfigPath),
      ...(edit !== undefined && {KUBE_EDITOR: `sed -i ${edit}`}),
    },
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
    child.stdin.on('error', () => {});
    child.stdin.end(input === undefined ? '' : JSON.stringify(input).replaceAll('@', namespaces[way]));
  });
}

/** Without what differs between any two runs: names of the places, times, random names, versions. */
function comparable(way: Way, {code, stdout, stderr}: KubectlResult) {
  const plain = (text: string) =>
    text
      .replaceAll(namespaces[way], '@')
      .replaceAll(/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g, 'UID')
      .replaceAll(/https:\/\/127\.0\.0\.1:\d+/g, 'https://server')
      .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+(Z| [+-]\d{4} \S+)?/g, 'TIME')
      .replaceAll(/\w{3}, \d\d \w{3} \d{4} [\d:]+ [+-]\d{4}/g, 'TIME')
      .replaceAll(/(<?\b(\d+[dhms])+\b|<invalid>|<unknown>)( ago)?/g, 'AGE')
      .replaceAll(/(resourceVersion\\*"?: ?\\*)"\d+/g, '$1VERSION')
      .replaceAll(/\/tmp\/(LIVE|MERGED)-\d+/g, '/tmp/$1')
      .replaceAll(/10\.0\.0\.\d+/g, 'ADDRESS')
      .replaceAll(/(-[bcdfghjklmnpqrstvwxz2456789]{8,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '-RANDOM')
      .replaceAll(/\bweb-[bcdfghjklmnpqrstvwxz2456789]{8,10}\b/g, 'web-HASH')
      .replaceAll(/[ -]{2,}/g, '  ')
      .split('\n')
      // How often a command that waits says so is chance, and so is the order in which requests end.
      .filter((line) => !line.startsWith('Waiting for '))
      .sort();
  return {code, stdout: plain(stdout), stderr: plain(stderr)};
}

const deployment = (replicas: number, image = 'example.com/web:1') => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {name: 'web', labels: {app: 'web'}},
  spec: {
    replicas,
    selector: {matchLabels: {app: 'web'}},
    template: {metadata: {labels: {app: 'web'}}, spec: {containers: [{name: 'web', image}]}},
  },
});
const config = (color: string, name = 'config') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {name, labels: {app: 'web'}},
  data: {color},
});
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {name},
  spec: {nodeName: 'node-@', containers: [{name: 'web', image: 'example.com/web:1'}]},
});
const gone = (what: string): Step => ({command: `wait --for=delete ${what} --timeout=30s`});

/** In the order in which they are done: most build on what those before left behind. */
const steps: Readonly<Record<string, readonly Step[]>> = {
  apply: [
    {command: 'apply -f -', input: config('red')},
    {command: 'apply -f -', input: config('red')},
    {command: 'apply -f -', input: config('green')},
    {command: 'apply -f - --dry-run=server', input: config('blue')},
    {command: 'apply -f - --dry-run=client', input: config('blue')},
    {command: 'apply --server-side -f -', input: config('blue')},
    {command: 'apply --server-side --force-conflicts -f -', input: config('blue')},
    {command: 'apply --server-side --field-manager=other -f -', input: config('yellow')},
    {command: 'apply --server-side --field-manager=other --force-conflicts -f -', input: config('yellow')},
    {command: 'apply -f - --prune -l app=web --prune-allowlist=core/v1/ConfigMap', input: config('x', 'second')},
    {command: 'apply view-last-applied configmap second'},
    {command: 'apply -f -', input: {...config('red'), data: {color: 1}}},
    {command: 'apply --server-side -f -', input: {...config('red'), spec: {}}},
  ],
  diff: [
    {command: 'apply -f -', input: config('red')},
    {command: 'diff -f -', input: config('red')},
    {command: 'diff -f -', input: config('green')},
    {command: 'diff --server-side --force-conflicts -f -', input: config('green')},
  ],
  'replace and create': [
    {command: 'replace -f -', input: config('white')},
    {command: 'replace --force -f -', input: config('black')},
    {command: 'replace -f -', input: config('x', 'absent')},
    {command: 'create -f -', input: config('black')},
    {command: 'create configmap literal --from-literal=a=b'},
    {command: 'create secret generic secret --from-literal=password=example'},
    {command: 'create serviceaccount account'},
    {command: 'create role reader --verb=get,list --resource=pods'},
    {command: 'create rolebinding reader --role=reader --serviceaccount=@:account'},
    {command: 'create quota quota --hard=pods=100'},
    {command: 'create job job --image=example.com/job'},
    {command: 'create cronjob cron --image=example.com/job --schedule=*/5?*?*?*?*'},
    {command: 'create -f -', input: {apiVersion: 'example.com/v1', kind: 'Absent', metadata: {name: 'x'}}},
  ],
  edit: [
    {command: 'edit configmap config', edit: 's/black/purple/'},
    {command: 'edit configmap config', edit: 's/nothing/nothing/'},
    {command: 'get configmap config -o jsonpath={.data}'},
  ],
  'patch of all four types': [
    {command: 'patch configmap config --type=json -p [{"op":"add","path":"/data/json","value":"1"}]'},
    {command: 'patch configmap config --type=merge -p {"data":{"merge":"1"}}'},
    {command: 'patch configmap config --type=strategic -p {"data":{"strategic":"1"}}'},
    {command: 'patch configmap config --type=json -p [{"op":"test","path":"/data/json","value":"2"}]'},
    {command: 'patch configmap config --type=merge -p {"data":{"merge":1}}'},
    {command: 'patch configmap absent --type=merge -p {}'},
    // The fourth, application/apply-patch+yaml, is what apply --server-side sends.
    {command: 'apply --server-side --field-manager=fourth -f -', input: {...config('x'), data: {apply: '1'}}},
    {command: 'label configmap config a=b'},
    {command: 'label configmap config a=c'},
    {command: 'annotate configmap config note=text --overwrite'},
    {command: 'get configmap config -o jsonpath={.data}{.metadata.labels}{.metadata.annotations.note}'},
  ],
  rollout: [
    {command: 'apply -f -', input: deployment(0)},
    {command: 'rollout status deployment/web --timeout=20s'},
    {command: 'set image deployment/web web=example.com/web:2'},
    {command: 'rollout status deployment/web --timeout=20s'},
    {command: 'set env deployment/web COLOR=red'},
    {command: 'rollout status deployment/web --timeout=20s'},
    {command: 'rollout history deployment/web'},
    {command: 'rollout history deployment/web --revision=2'},
    {command: 'rollout undo deployment/web'},
    {command: 'rollout undo deployment/web --to-revision=99'},
    {command: 'rollout pause deployment/web'},
    {command: 'rollout resume deployment/web'},
    {command: 'rollout restart deployment/web'},
    {command: 'rollout status deployment/web --timeout=20s'},
    {command: 'scale deployment/web --replicas=2 --current-replicas=7'},
    {command: 'scale deployment/web --replicas=2'},
    {command: 'rollout status deployment/web --timeout=2s'},
    {command: 'expose deployment web --port=80'},
    {command: 'autoscale deployment web --min=1 --max=3'},
  ],
  wait: [
    {command: 'wait --for=jsonpath={.spec.replicas}=2 deployment/web --timeout=20s'},
    {command: 'wait --for=create configmap/config --timeout=20s'},
    {command: 'wait --for=condition=Progressing deployment/web --timeout=20s'},
    {command: 'wait --for=condition=Available deployment/web --timeout=2s'},
    {command: 'wait --for=delete deployment/web --timeout=2s'},
    {command: 'wait --for=delete deployment/absent --timeout=2s'},
  ],
  get: [
    {command: 'get deployments,services,configmaps,secrets,serviceaccounts,roles'},
    {command: 'get deployment web -o wide'},
    {command: 'get deployment web -o name'},
    {command: 'get configmaps -o custom-columns=NAME:.metadata.name,COLOR:.data.color --sort-by=.metadata.name'},
    {command: 'get configmaps -l app=web --show-labels'},
    {command: 'get configmaps --field-selector metadata.name=config -o yaml --show-managed-fields=false'},
    {command: 'get configmaps --chunk-size=1'},
    {command: 'get pods --watch --request-timeout=2s'},
    {command: 'get all --ignore-not-found'},
    {command: 'get nodes node-@'},
    {command: 'get namespace @'},
    {command: 'get crd accessrequests.lockkeeper.dev -o name'},
    {command: 'get accessrequests'},
    {command: 'get pods absent'},
    {command: 'get absent'},
    {command: 'describe configmap config'},
    // Without what the API server's own controllers say of one Service and, by chance, not of the other.
    {command: 'describe service web --show-events=false'},
    {command: 'events --for deployment/web'},
  ],
  'what there is to know': [
    {command: 'explain deployments.spec.strategy'},
    {command: 'explain deployment --recursive'},
    {command: 'explain accessrequests.spec'},
    {command: 'explain absent'},
    {command: 'api-resources --sort-by=name'},
    {command: 'api-versions'},
    {command: 'version'},
    {command: 'cluster-info'},
    {command: 'get --raw /healthz'},
    {command: 'get --raw /version'},
    {command: 'get --raw /api/v1/namespaces/@/configmaps/absent'},
  ],
  'top, without metrics': [{command: 'top pods'}, {command: 'top nodes'}],
  'logs and debug, of a pod without a kubelet': [
    {command: 'apply -f -', input: pod('lonely')},
    {command: 'logs absent'},
    {command: 'debug lonely --image=example.com/debug --copy-to=copy --attach=false'},
    {command: 'debug node/node-@ --image=example.com/debug --attach=false'},
  ],
  drain: [
    {command: 'cordon node-@'},
    {command: 'drain node-@ --dry-run=server --force'},
    {command: 'drain node-@ --timeout=2s'},
    {command: 'drain node-@ --force --grace-period=0 --timeout=20s'},
    {command: 'get pods --field-selector spec.nodeName=node-@'},
    {command: 'uncordon node-@'},
    {command: 'taint node node-@ example.com/key=value:NoSchedule'},
    {command: 'taint node node-@ example.com/key-'},
    {command: 'label node node-@ zone=a'},
  ],
  'delete --cascade, all three': [
    {command: 'delete deployment web --cascade=orphan'},
    {command: 'get replicasets -l app=web -o name'},
    {command: 'delete replicasets -l app=web --cascade=foreground --timeout=30s'},
    gone('pods -l app=web'),
    {command: 'apply -f -', input: deployment(1)},
    {command: 'wait --for=create pods -l app=web --timeout=20s'},
    {command: 'delete deployment web --cascade=background'},
    gone('replicasets -l app=web'),
    gone('pods -l app=web'),
    {command: 'get replicasets,pods -l app=web'},
  ],
  delete: [
    {command: 'delete configmap config --dry-run=server'},
    {command: 'delete configmap config'},
    {command: 'delete configmap config'},
    {command: 'delete configmap config --ignore-not-found'},
    {command: 'delete pods --all --grace-period=0 --force'},
    {command: 'delete configmaps -l app=web'},
    {command: 'delete secret,job,cronjob,hpa,service --all'},
    {command: 'get all,configmaps,secrets'},
  ],
};

describe('kubectl says and does through the gateway what it does without', () => {
  for (const [what, of] of Object.entries(steps)) {
    describe(`${what}:`, () => {
      test.each(of.map((step) => [step.command, step] as const))('%s', async (_command, step) => {
        const [through, direct] = await Promise.all([kubectl('through', step), kubectl('direct', step)]);
        expect(comparable('through', through)).toEqual(comparable('direct', direct));
      });
    });
  }
});

test('pitfall 9: kubectl debug adds an ephemeral container only where policy allows it', async () => {
  const debug = 'debug debugged --image=example.com/debug --container=debugger --attach=false';
  expect(await kubectl('through', {command: 'apply -f -', input: pod('debugged')})).toMatchObject({code: 0});
  const denied = await kubectl('through', {command: debug});
  expect(denied).toMatchObject({code: 1, stderr: expect.stringContaining('rule no-ephemeral-containers')});
  const sideDoors = ['delete', 'agentaccesspolicy', 'no-side-doors', `--namespace=${rootNamespace}`];
  await stack.cluster.mustKubectl(sideDoors);
  await eventually(async () => expect(await kubectl('through', {command: debug})).toMatchObject({code: 0}));
  const containers = 'get pod debugged -o jsonpath={.spec.ephemeralContainers[*].name}';
  expect(await kubectl('through', {command: containers})).toMatchObject({stdout: 'debugger'});
});

test('pitfall 10: a kind that came after the proxy started is decided on like any other', async () => {
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    schema: {openAPIV3Schema: {type: 'object', properties: {spec: {type: 'string'}}}},
  };
  const names = {plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList'};
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {name: 'things.example.com'},
    spec: {group: 'example.com', names, scope: 'Namespaced', versions: [version]},
  };
  await stack.cluster.mustKubectl(['create', '-f', '-'], {input: JSON.stringify(definition)});
  await stack.cluster.mustKubectl(['wait', '--for=condition=Established', 'crd/things.example.com']);
  const thing = {apiVersion: 'example.com/v1', kind: 'Thing', metadata: {name: 'one'}, spec: 'x'};
  await eventually(async () => {
    expect(await kubectl('through', {command: 'apply -f -', input: thing})).toMatchObject({code: 0});
  });
  const denied = await kubectl('through', {command: 'delete thing one'});
  expect(denied).toMatchObject({code: 1, stderr: expect.stringContaining('rule keep-things')});
  const left = await kubectl('direct', {command: 'get things --all-namespaces -o name'});
  expect(left.stdout).toBe('thing.example.com/one\n');
});

test('kubectl auth whoami knows the agent', async () => {
  const {code, stdout} = await kubectl('through', {command: 'auth whoami'});
  expect(code).toBe(0);
  expect(stdout).toMatch(/Username +agent:build-bot/);
});

test('kubectl create token makes a token', async () => {
  const {code, stdout} = await kubectl('through', {command: 'create token account'});
  expect(code).toBe(0);
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
});
