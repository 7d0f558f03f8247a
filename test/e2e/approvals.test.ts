import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import type {Approval, Rule} from '../../core/api/agentaccesspolicy.ts';
import {eventually} from '../eventually.ts';
import {Approvers, pendingOf} from './approvers.ts';
import type {Answer} from './client.ts';
import {allowEverything, configMap, namespace, Stack} from './stack.ts';

jest.setTimeout(120_000);

const card = '4111111111111111';
const base = `/api/v1/namespaces/${namespace}`;
const secrets = `${base}/secrets`;
const configMaps = `${base}/configmaps`;
const services = `${base}/services`;
const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
const serviceAccounts = `${base}/serviceaccounts`;
const mergePatch = {'content-type': 'application/merge-patch+json'};

const alice = {user: 'alice@example.com', groups: ['oncall']};
const bob = {user: 'bob@example.com', groups: ['oncall']};
const carol = {user: 'carol@example.com', groups: ['security']};

let stack: Stack;
let approvers: Approvers;
/** Opened first, to have expired by the time of the last test. */
let expiring: string;

beforeAll(async () => {
  const ask = (
    name: string,
    verbs: Rule['operations'][number]['verbs'],
    resource: string,
    approval: Approval,
    group = '',
  ) => ({
    name,
    effect: 'RequireApproval' as const,
    operations: [{verbs, apiGroups: [group], resources: [resource]}],
    approval,
  });
  const oncall = {groups: ['oncall']};
  stack = await Stack.start({policies: {everything: allowEverything()}});
  approvers = await Approvers.of(stack, ['oncall', 'security']);
  const subjects = [{kind: 'User', name: '*'}] as const;
  await stack.applyPolicies(
    {
      approvals: {
        subjects: [...subjects],
        rules: [
          ask('held', ['create'], 'secrets', {approvers: oncall, wait: '30s'}),
          ask('asked', ['create'], 'configmaps', {approvers: oncall}),
          ask('window', ['patch'], 'configmaps', {approvers: oncall, grant: 'Window'}),
          ask('first-of-two', ['create'], 'services', {approvers: oncall}),
          ask('two-people', ['create'], 'deployments', {approvers: oncall, count: 2}, 'apps'),
          ask('soon-over', ['create'], 'serviceaccounts', {approvers: oncall, expireAfter: '1m'}),
          ask('short-wait', ['delete'], 'configmaps', {approvers: oncall, wait: '1s'}),
        ],
        audit: {level: 'Request'},
      },
      'second-pair-of-eyes': {
        subjects: [...subjects],
        rules: [ask('second-of-two', ['create'], 'services', {approvers: {groups: ['security']}})],
      },
    },
    namespace,
  );
  const answer = await stack.agent.call(serviceAccounts, {method: 'POST', body: serviceAccount('late')});
  expiring = pendingOf(answer);
});

afterAll(() => stack?.stop());

function secret(name: string, text = 'value') {
  return {apiVersion: 'v1', kind: 'Secret', metadata: {name, namespace}, stringData: {text}};
}

function serviceAccount(name: string) {
  return {apiVersion: 'v1', kind: 'ServiceAccount', metadata: {name, namespace}};
}

function service(name: string) {
  return {apiVersion: 'v1', kind: 'Service', metadata: {name, namespace}, spec: {ports: [{port: 80}]}};
}

function post(path: string, body: object): Promise<Answer> {
  return stack.agent.call(path, {method: 'POST', body});
}

describe('a call that is held', () => {
  test('goes through when it is approved, and the record names request and approver', async () => {
    const call = post(secrets, secret('held'));
    const name = await approvers.opened('held');
    await approvers.approve(alice, name);
    expect((await call).status).toBe(201);
    await eventually(async () => expect(await approvers.phase(name)).toBe('Consumed'));
    const lines = (await stack.records()).filter(
      ({annotations}) => annotations?.['lockkeeper.dev/access-request'] === `${namespace}/${name}`,
    );
    expect(lines.map(({stage}) => stage)).toContain('RequestReceived');
    for (const {annotations} of lines) {
      expect(annotations).toMatchObject({
        'lockkeeper.dev/decision': 'Allowed',
        'lockkeeper.dev/approvers': JSON.stringify([alice.user]),
        'lockkeeper.dev/rule': 'held',
      });
    }
  });

  test('shows its approver what is in it when kubectl sends protobuf, without the values of a Secret', async () => {
    const secret = ['create', 'secret', 'generic', 'shown', '--from-literal=password=hunter2hunter2'];
    const call = stack.kubectl(secret);
    const name = await approvers.opened('shown');
    const [request] = await approvers.requestsFor('shown');
    expect(JSON.parse(request?.spec.request.bodyPreview ?? '')).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {name: 'shown', namespace},
      data: {password: '(20 characters)'},
    });
    await approvers.approve(alice, name);
    expect((await call).code).toBe(0);
  });

  test('is refused when it is denied, and so is the same call after it', async () => {
    const call = post(secrets, secret('denied'));
    const name = await approvers.opened('denied');
    expect((await approvers.decide(alice, name, 'Denied', 'not before the audit')).code).toBe(0);
    for (const answer of [await call, await post(secrets, secret('denied'))]) {
      expect(answer.status).toBe(403);
      expect(answer.failure.message).toContain(`denied by ${alice.user}: not before the audit`);
    }
    expect(await approvers.requestsFor('denied')).toHaveLength(1);
  });

  test('is told which request to wait for when the wait is over', async () => {
    const answer = await stack.agent.call(`${configMaps}/absent`, {method: 'DELETE'});
    const name = pendingOf(answer);
    expect(answer.failure.message).toContain(`kubectl -n ${namespace} patch accessrequest ${name}`);
  });

  test('does nothing when its agent has gone; the grant is there for the call that comes again', async () => {
    const socket = await stack.agent.socket();
    const body = JSON.stringify(secret('gone'));
    socket.write(
      stack.agent.bytes(
        `POST ${secrets} HTTP/1.1\nHost: gateway\nAuthorization: Bearer {token}\n` +
          `Content-Type: application/json\nContent-Length: ${body.length}\n\n${body}`,
      ),
    );
    const name = await approvers.opened('gone');
    socket.destroy();
    await eventually(async () => {
      const ends = (await stack.records()).filter(({responseStatus}) => responseStatus?.code === 499);
      expect(ends).toHaveLength(1);
    });
    await approvers.approve(alice, name);
    expect((await stack.direct().call(`${secrets}/gone`)).status).toBe(404);
    expect(await approvers.phase(name)).toBe('Approved');
    expect((await post(secrets, secret('gone'))).status).toBe(201);
  });

  test('is refused by a Deny declared meanwhile, and its grant is not spent', async () => {
    const call = post(secrets, secret('frozen'));
    const name = await approvers.opened('frozen');
    await stack.applyPolicies(
      {
        freeze: {
          subjects: [{kind: 'User', name: '*'}],
          rules: [
            {
              name: 'frozen',
              effect: 'Deny',
              message: 'frozen',
              operations: [{verbs: ['create'], apiGroups: [''], resources: ['secrets']}],
            },
          ],
        },
      },
      namespace,
    );
    await approvers.approve(alice, name);
    const answer = await call;
    expect(answer.status).toBe(403);
    expect(answer.failure.message).toContain(`policy ${namespace}/freeze, rule frozen`);
    expect(await approvers.phase(name)).toBe('Approved');
    await stack.cluster.mustKubectl(['delete', 'agentaccesspolicy', 'freeze', `--namespace=${namespace}`]);
    await eventually(async () => expect((await post(secrets, secret('frozen'))).status).toBe(201));
    expect(await approvers.phase(name)).toBe('Consumed');
  });
});

describe('a grant for one call', () => {
  test('lets exactly one of many through that come at once', async () => {
    const body = configMap('once');
    const name = pendingOf(await post(configMaps, body));
    // However its JSON is written, it is the same call.
    const text = JSON.stringify(
      {data: body.data, metadata: body.metadata, kind: 'ConfigMap', apiVersion: 'v1'},
      null,
      2,
    );
    const again = await stack.agent.call2(configMaps, {
      method: 'POST',
      body: text,
      headers: {'content-type': 'application/json'},
    });
    expect(pendingOf(again)).toBe(name);
    await approvers.approve(alice, name);
    const answers = await Promise.all(Array.from({length: 25}, () => post(configMaps, body)));
    expect(answers.filter(({status}) => status === 201)).toHaveLength(1);
    // A second one that had slipped through would have been told 409 by the API server.
    expect(new Set(answers.map(({status}) => status))).toEqual(new Set([201, 403]));
    expect(await approvers.phase(name)).toBe('Consumed');
  });

  test('is shared by calls that wait for it together, and one goes through', async () => {
    const calls = [post(secrets, secret('together')), post(secrets, secret('together'))];
    const name = await approvers.opened('together');
    await approvers.approve(alice, name);
    const codes = (await Promise.all(calls)).map(({status}) => status);
    expect(codes.sort()).toEqual([201, 403]);
  });

  test('holds for no other body, object or query', async () => {
    const bound = pendingOf(await post(configMaps, configMap('bound')));
    await approvers.approve(alice, bound);
    const others = [
      await post(configMaps, configMap('bound', {color: 'red'})),
      await post(configMaps, configMap('bound-2')),
      await post(`${configMaps}?dryRun=All`, configMap('bound')),
      await post(`${configMaps}?fieldManager=other`, configMap('bound')),
    ];
    expect(new Set(others.map(pendingOf)).size).toBe(4);
    expect(others.map(pendingOf)).not.toContain(bound);
    expect((await post(configMaps, configMap('bound'))).status).toBe(201);
  });
});

describe('a grant for a window', () => {
  test('serves the same operation on the same object again and again, and no other object', async () => {
    for (const name of ['windowed', 'other']) {
      await stack.cluster.mustKubectl(['create', 'configmap', name, `--namespace=${namespace}`]);
    }
    const patch = (name: string, color: string) =>
      stack.agent.call(`${configMaps}/${name}`, {
        method: 'PATCH',
        headers: mergePatch,
        body: `{"data":{"color":"${color}"}}`,
      });
    const name = pendingOf(await patch('windowed', 'red'));
    await approvers.approve(alice, name);
    for (const color of ['red', 'green', 'blue']) expect((await patch('windowed', color)).status).toBe(200);
    pendingOf(await patch('other', 'red'));
    expect(await approvers.phase(name)).toBe('Approved');
    // One denial takes it back.
    expect((await approvers.decide(bob, name, 'Denied')).code).toBe(0);
    await eventually(async () => expect((await patch('windowed', 'red')).status).toBe(403));
  });
});

describe('who must approve', () => {
  test('two rules that require approval need one each', async () => {
    expect((await post(services, service('both'))).status).toBe(403);
    const requests = await approvers.requestsFor('both');
    const named = (rule: string) => requests.find(({spec}) => spec.policy.rule === rule)?.metadata?.name ?? '';
    expect(requests).toHaveLength(2);
    // She is in no group that the first rule names.
    expect((await approvers.decide(carol, named('first-of-two'), 'Approved')).code).not.toBe(0);
    await approvers.approve(alice, named('first-of-two'));
    expect((await post(services, service('both'))).failure.message).toContain(named('second-of-two'));
    expect(await approvers.phase(named('first-of-two'))).toBe('Approved');
    await approvers.approve(carol, named('second-of-two'));
    expect((await post(services, service('both'))).status).toBe(201);
    expect(await approvers.phase(named('first-of-two'))).toBe('Consumed');
    expect(await approvers.phase(named('second-of-two'))).toBe('Consumed');
  });

  test('a count of two needs two people', async () => {
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {name: 'two', namespace},
      spec: {
        selector: {matchLabels: {app: 'two'}},
        template: {metadata: {labels: {app: 'two'}}, spec: {containers: [{name: 'two', image: 'example.com/two'}]}},
      },
    };
    const name = pendingOf(await post(deployments, deployment));
    await approvers.approve(alice, name);
    await eventually(async () => {
      const [request] = await approvers.requestsFor('two');
      expect(request?.status).toMatchObject({phase: 'Pending', decisions: [{username: alice.user}]});
    });
    await approvers.decide(alice, name, 'Approved');
    expect((await post(deployments, deployment)).status).toBe(403);
    await approvers.approve(bob, name);
    await eventually(async () => expect(await approvers.phase(name)).toBe('Approved'));
    expect((await post(deployments, deployment)).status).toBe(201);
    const lines = (await stack.records()).filter(({annotations}) =>
      annotations?.['lockkeeper.dev/access-request']?.includes(name),
    );
    expect(lines.at(-1)?.annotations?.['lockkeeper.dev/approvers']).toBe(JSON.stringify([alice.user, bob.user]));
  });
});

describe('what the approver and the auditor see of the body', () => {
  test('masks cards, and shows no value of a Secret', async () => {
    pendingOf(await post(configMaps, configMap('preview', {text: `paid with ${card}`})));
    const [shown] = await approvers.requestsFor('preview');
    expect(shown?.spec.request.bodyPreview).toContain('paid with ************1111');

    const call = post(secrets, secret('hidden', 'correct-horse'));
    const name = await approvers.opened('hidden');
    expect((await approvers.decide(alice, name, 'Denied')).code).toBe(0);
    expect((await call).status).toBe(403);
    const whole = JSON.stringify(await approvers.requests());
    const log = JSON.stringify(await stack.records());
    for (const text of [whole, log]) {
      expect(text).not.toContain(card);
      expect(text).not.toContain('correct-horse');
      expect(text).not.toContain(Buffer.from('correct-horse').toString('base64'));
    }
  });
});

test('a request that nobody decided in time is over, and the call asks anew', async () => {
  await eventually(async () => expect(await approvers.phase(expiring)).toBe('Expired'), 90);
  expect((await approvers.decide(alice, expiring, 'Approved')).code).not.toBe(0);
  const answer = await post(serviceAccounts, serviceAccount('late'));
  expect(pendingOf(answer)).not.toBe(expiring);
});
