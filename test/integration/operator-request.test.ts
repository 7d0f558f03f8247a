import {createHash, randomUUID} from 'node:crypto';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {createLogger} from 'winston';
import type {AccessRequestState, OpenRequest} from '../../core/control/messages.ts';
import {systemClock} from '../../operator/kube/clock.ts';
import {runOperator} from '../../operator/run.ts';
import {eventually} from '../eventually.ts';
import {ApprovalCluster, type Fields, operator, type Person, root} from './approvals.ts';
import {ControlCaller, ControlCertificate} from './controlapi.ts';

const alice: Person = {user: 'alice', groups: ['payments-oncall']};
const bob: Person = {user: 'bob', groups: ['payments-oncall']};

let approvals: ApprovalCluster;
let certificate: ControlCertificate;
const stop = new AbortController();
const replicas: Promise<void>[] = [];
const callers: ControlCaller[] = [];
/** The gateway's caller at each of the two replicas. */
const gateways: ControlCaller[] = [];
const sidecars: ControlCaller[] = [];

const policies = `
apiVersion: lockkeeper.dev/v1alpha1
kind: AgentAccessPolicy
metadata: {name: more, namespace: payments}
spec:
  subjects: [{kind: Group, name: ai-agents}]
  rules:
  - name: two-people
    effect: RequireApproval
    operations: [{verbs: [delete], apiGroups: [""], resources: [configmaps]}]
    approval: {count: 2}
  - name: for-a-while
    effect: RequireApproval
    operations: [{verbs: [update], apiGroups: [""], resources: [configmaps]}]
    approval: {grant: Window}
---
apiVersion: lockkeeper.dev/v1alpha1
kind: AgentAccessPolicy
metadata: {name: everywhere, namespace: lockkeeper-system}
spec:
  subjects: [{kind: User, name: "*"}]
  rules:
  - name: drain
    effect: RequireApproval
    operations: [{verbs: [create], apiGroups: [""], resources: [pods], subresources: [eviction]}]
    approval: {approvers: {groups: [payments-oncall]}}
`;

beforeAll(async () => {
  approvals = await ApprovalCluster.start();
  const {cluster} = approvals;
  await approvals.apply(policies);
  for (const name of ['bot', 'other-bot']) {
    await cluster.mustKubectl(['create', 'serviceaccount', name, '-n', 'payments']);
  }
  certificate = await ControlCertificate.create();
  const groups = ['system:serviceaccounts', 'system:serviceaccounts:lockkeeper-system', 'system:authenticated'];
  const kubeconfig = await cluster.kubeconfigFor({user: operator, groups});
  const token = (namespace: string, name: string) =>
    cluster.serviceAccountToken({namespace, name, audience: 'lockkeeper-operator', expirationSeconds: 3600});
  const gatewayToken = await token('lockkeeper-system', 'lockkeeper-gateway');
  const sidecarToken = await token('payments', 'bot');
  for (let i = 0; i < 2; i++) {
    const port = await new Promise<number>((resolve, reject) => {
      const running = runOperator(
        {
          kubeconfig,
          rootNamespace: 'lockkeeper-system',
          controlAddress: {host: '127.0.0.1', port: 0},
          metricsAddress: {host: '127.0.0.1', port: 0},
          tlsCertificateFile: certificate.certificateFile,
          tlsPrivateKeyFile: certificate.keyFile,
          gatewayServiceAccounts: [{namespace: 'lockkeeper-system', name: 'lockkeeper-gateway'}],
          admissionDirectory: path.join(root, 'config/admission'),
          leaderElect: true,
          logLevel: 'error',
        },
        {
          signal: stop.signal,
          log: createLogger({silent: true}),
          clock: systemClock,
          random: Math.random,
          identity: `replica-${i}`,
          environment: {},
          listening: ({control}) => resolve(control.port),
        },
      );
      running.catch(reject);
      replicas.push(running);
    });
    const ca = certificate.authority.certificate;
    gateways.push(new ControlCaller(port, ca, gatewayToken));
    sidecars.push(new ControlCaller(port, ca, sidecarToken));
  }
  callers.push(...gateways, ...sidecars);
  for (const gateway of gateways) {
    await eventually(async () =>
      expect((await gateway.post('/v1/accessrequests', call('secret'))).code).toBeLessThan(300),
    );
  }
}, 180_000);

afterAll(async () => {
  stop.abort();
  await Promise.all(callers.map((caller) => caller.close()));
  await Promise.all(replicas);
  await approvals?.cluster.stop();
  await certificate?.remove();
}, 60_000);

/** A call that the rule of that kind holds; another one each time, unless told what it is about. */
function call(
  kind: 'secret' | 'two' | 'window' | 'evict',
  about: string = randomUUID(),
  agent = 'agent:build-bot',
): OpenRequest {
  const rules = {
    secret: {
      verb: 'create',
      resource: 'secrets',
      policy: 'ask-first',
      rule: 'create-secret',
      groups: ['payments-oncall'],
    },
    two: {verb: 'delete', resource: 'configmaps', policy: 'more', rule: 'two-people', groups: []},
    window: {verb: 'update', resource: 'configmaps', policy: 'more', rule: 'for-a-while', groups: []},
    evict: {verb: 'create', resource: 'pods', policy: 'everywhere', rule: 'drain', groups: ['payments-oncall']},
  } as const;
  const {verb, resource, policy, rule, groups} = rules[kind];
  return {
    namespace: 'payments',
    expireAfterSeconds: 900,
    spec: {
      agent: {username: agent, groups: ['ai-agents']},
      operation: {verb, apiVersion: 'v1', resource, namespace: 'payments'},
      request: {method: 'POST', path: `/api/v1/namespaces/payments/${resource}`},
      digest: createHash('sha256').update(`${agent} ${about}`).digest('hex'),
      policy: {namespace: kind === 'evict' ? 'lockkeeper-system' : 'payments', name: policy, rule},
      approvers: {groups: [...groups], users: []},
      count: kind === 'two' ? 2 : 1,
      grant: kind === 'window' ? 'Window' : 'Once',
    },
  };
}

async function open(request: OpenRequest, replica = 0): Promise<AccessRequestState> {
  const {code, body} = await gatewayOf(replica).post<AccessRequestState>('/v1/accessrequests', request);
  if (code !== 201) throw new Error(`${code}: ${JSON.stringify(body)}`);
  return body;
}

function gatewayOf(replica: number): ControlCaller {
  const gateway = gateways[replica];
  if (!gateway) throw new Error(`no replica ${replica}`);
  return gateway;
}

function sidecarOf(replica: number): ControlCaller {
  const sidecar = sidecars[replica];
  if (!sidecar) throw new Error(`no replica ${replica}`);
  return sidecar;
}

const targetOf = ({namespace, name}: AccessRequestState) => `/v1/accessrequests/${namespace}/${name}`;

function follow(state: AccessRequestState, waitSeconds = 20, replica = 0, phase = 'Pending') {
  return gatewayOf(replica).get<AccessRequestState>(`${targetOf(state)}?waitSeconds=${waitSeconds}&phase=${phase}`);
}

function consume(state: AccessRequestState, over: Fields = {}, replica = 0) {
  const body = {digest: state.digest, proxy: 'gw-0', auditID: randomUUID(), ...over};
  return gatewayOf(replica).post<AccessRequestState>(`${targetOf(state)}/consume`, body);
}

async function decide(
  person: Person,
  {name}: AccessRequestState,
  outcome: 'Approved' | 'Denied' | 'Revoked',
): Promise<void> {
  const {code, stderr} = await approvals.decide(person, name, {outcome, reason: 'change 4711'});
  if (code !== 0) throw new Error(stderr);
}

async function approved(request: OpenRequest): Promise<AccessRequestState> {
  const state = await open(request);
  await decide(alice, state, 'Approved');
  const followed = await follow(state);
  expect(followed.body).toMatchObject({phase: 'Approved', approvers: ['alice'], reason: 'change 4711'});
  return followed.body;
}

async function reasonsOfEvents({name}: AccessRequestState): Promise<string[]> {
  const {stdout} = await approvals.kubectl(undefined, [
    'get',
    'events',
    '-o',
    'json',
    `--field-selector=involvedObject.name=${name}`,
  ]);
  return (JSON.parse(stdout).items as {reason: string}[]).map(({reason}) => reason);
}

describe('an AccessRequest', () => {
  test('is opened, approved with kubectl, and spent once', async () => {
    const state = await approved(call('secret'));
    expect(await consume(state)).toMatchObject({code: 200, body: {phase: 'Consumed'}});
    const again = await consume(state, {}, 1);
    expect(again).toMatchObject({code: 409, body: {kind: 'Status', reason: 'Conflict'}});
    expect(again.body.details?.causes?.[0]?.reason).toBe('Consumed');
    const {status} = (await approvals.read(state.name)) as {status: Fields};
    expect(status).toMatchObject({phase: 'Consumed', consumedBy: {proxy: 'lockkeeper-system/lockkeeper-gateway/gw-0'}});
    await eventually(async () => {
      expect(await reasonsOfEvents(state)).toEqual(expect.arrayContaining(['Opened', 'Approved', 'Consumed']));
    });
  });

  test('is joined by the same call at the other replica, and decided for both', async () => {
    const request = call('secret');
    const state = await open(request, 0);
    const joined = await gatewayOf(1).post<AccessRequestState>('/v1/accessrequests', request);
    expect(joined).toMatchObject({code: 200, body: {name: state.name, phase: 'Pending'}});
    const waiting = [follow(state, 20, 0), follow(state, 20, 1)];
    await decide(alice, state, 'Denied');
    for (const {code, body} of await Promise.all(waiting)) {
      expect({code, phase: body.phase, reason: body.reason}).toEqual({
        code: 200,
        phase: 'Denied',
        reason: 'change 4711',
      });
    }
    const after = await gatewayOf(1).post<AccessRequestState>('/v1/accessrequests', request);
    expect(after).toMatchObject({code: 200, body: {name: state.name, phase: 'Denied'}});
    expect(await consume(state)).toMatchObject({code: 409});
  });

  test('is opened once, however many replicas and callers race', async () => {
    const request = call('secret');
    const answers = await Promise.all(
      Array.from({length: 30}, (_, i) => gatewayOf(i % 2).post<AccessRequestState>('/v1/accessrequests', request)),
    );
    expect(answers.filter(({code}) => code === 201)).toHaveLength(1);
    expect(answers.filter(({code}) => code === 200)).toHaveLength(29);
    expect(new Set(answers.map(({body}) => body.name)).size).toBe(1);
  });

  test('is spent once, however many replicas and callers race', async () => {
    for (let round = 0; round < 3; round++) {
      const state = await approved(call('secret'));
      const answers = await Promise.all(
        Array.from({length: 60}, (_, i) => consume(state, {auditID: `call-${i}`}, i % 2)),
      );
      expect(answers.map(({code}) => code).filter((code) => code === 200)).toHaveLength(1);
      expect(answers.every(({code}) => code === 200 || code === 409)).toBe(true);
      const winner = answers.findIndex(({code}) => code === 200);
      const {status} = (await approvals.read(state.name)) as {status: Fields};
      expect(status.consumedBy).toMatchObject({auditID: `call-${winner}`});
    }
  }, 30_000);

  test('needs as many people as the rule says', async () => {
    const state = await open(call('two'));
    await decide(alice, state, 'Approved');
    await eventually(async () =>
      expect((await approvals.read(state.name)).status).toMatchObject({decisions: [{username: 'alice'}]}),
    );
    expect(await consume(state)).toMatchObject({code: 409});
    expect((await follow(state, 0)).body).toMatchObject({phase: 'Pending', approvers: ['alice']});
    await decide(bob, state, 'Approved');
    expect((await follow(state)).body).toMatchObject({phase: 'Approved', approvers: ['alice', 'bob']});
    expect(await consume(state)).toMatchObject({code: 200});
  });

  test('with a Window serves the same operation again', async () => {
    const state = await approved(call('window'));
    expect(await consume(state)).toMatchObject({code: 200, body: {phase: 'Approved'}});
    expect(await consume(state, {}, 1)).toMatchObject({code: 200, body: {phase: 'Approved'}});
    await decide(bob, state, 'Denied');
    expect(await consume(state)).toMatchObject({code: 409});
  });

  test.each<['window' | 'secret', 'Approved' | 'Consumed']>([
    ['window', 'Approved'],
    ['secret', 'Consumed'],
  ])('that is in use can be revoked by who approved it (%s), which every replica says at once', async (kind, phase) => {
    const request = call(kind);
    const state = await approved(request);
    expect(await consume(state)).toMatchObject({code: 200, body: {phase}});
    const waiting = [0, 1].map((replica) => follow(state, 20, replica, phase));
    const since = performance.now();
    await decide(alice, state, 'Revoked');
    for (const {code, body} of await Promise.all(waiting)) {
      expect({code, body}).toMatchObject({
        code: 200,
        body: {phase: 'Revoked', revokedBy: 'alice', reason: 'change 4711'},
      });
    }
    // The patch by kubectl included.
    expect(performance.now() - since).toBeLessThan(2_000);
    expect(await consume(state)).toMatchObject({code: 409});
    await eventually(async () => {
      expect((await approvals.read(state.name)).status).toMatchObject({
        phase: 'Revoked',
        revokedBy: {username: 'alice'},
      });
      expect(await reasonsOfEvents(state)).toContain('Revoked');
    });
    const again = await open(request);
    expect(again).toMatchObject({phase: 'Pending'});
    expect(again.name).not.toBe(state.name);
  });

  test('that is in use and deleted is gone for who waits on it', async () => {
    const state = await approved(call('window'));
    const waiting = follow(state, 20, 1, 'Approved');
    await approvals.cluster.mustKubectl(['delete', 'accessrequest', state.name, '--namespace=payments']);
    expect(await waiting).toMatchObject({code: 404, body: {kind: 'Status', reason: 'NotFound'}});
  });

  test('for another body is not spent', async () => {
    const state = await approved(call('secret'));
    const digest = createHash('sha256').update('another body').digest('hex');
    const {code, body} = await consume(state, {digest});
    expect([code, body.details?.causes?.[0]?.reason]).toEqual([409, 'DigestMismatch']);
    expect(await consume(state)).toMatchObject({code: 200});
  });

  test('for cluster scope lives in the root namespace', async () => {
    const request = call('evict');
    const {namespace: _, ...operation} = request.spec.operation;
    const spec = {...request.spec, operation};
    expect(await open({...request, namespace: '', spec})).toMatchObject({namespace: 'lockkeeper-system'});
  });
});

describe('refused with a Status', () => {
  test('a namespace that does not exist', async () => {
    const request = call('evict');
    const operation = {...request.spec.operation, namespace: 'nowhere'};
    const answer = await gatewayOf(0).post('/v1/accessrequests', {
      ...request,
      namespace: 'nowhere',
      spec: {...request.spec, operation},
    });
    expect(answer).toMatchObject({code: 404, body: {kind: 'Status'}});
    expect(answer.body.message).toContain('Namespace nowhere does not exist');
  });

  test('terms that are not the rule’s', async () => {
    const request = call('two');
    const answer = await gatewayOf(0).post('/v1/accessrequests', {...request, spec: {...request.spec, count: 1}});
    expect(answer).toMatchObject({code: 409, body: {details: {causes: [{field: 'spec.count'}]}}});
  });

  test('what the schema does not allow, with the API server’s words', async () => {
    const request = call('secret');
    const spec = {...request.spec, request: {...request.spec.request, bodyPreview: 'x'.repeat(9000)}};
    const answer = await gatewayOf(0).post('/v1/accessrequests', {...request, spec});
    expect(answer.code).toBe(422);
    expect(answer.body.message).toContain('bodyPreview');
  });
});

describe('a sidecar', () => {
  const own = 'system:serviceaccount:payments:bot';

  test('opens, follows and spends what is its own', async () => {
    const {code, body} = await sidecarOf(0).post<AccessRequestState>('/v1/accessrequests', call('evict', 'own', own));
    expect(code).toBe(201);
    await decide(alice, body, 'Approved');
    expect((await sidecarOf(1).get<AccessRequestState>(`${targetOf(body)}?waitSeconds=20`)).body.phase).toBe(
      'Approved',
    );
    const spending = {digest: body.digest, proxy: 'pod', auditID: 'a'};
    expect(await sidecarOf(1).post(`${targetOf(body)}/consume`, spending)).toMatchObject({code: 200});
  });

  test('opens nothing for another agent', async () => {
    const other = 'system:serviceaccount:payments:other-bot';
    const answer = await sidecarOf(0).post('/v1/accessrequests', call('evict', 'other', other));
    expect(answer).toMatchObject({code: 403, body: {kind: 'Status', reason: 'Forbidden'}});
  });

  test('neither sees nor spends what is another agent’s', async () => {
    const state = await approved(call('secret'));
    const spending = {digest: state.digest, proxy: 'pod', auditID: 'a'};
    expect(await sidecarOf(0).get(targetOf(state))).toMatchObject({code: 404});
    expect(await sidecarOf(0).post(`${targetOf(state)}/consume`, spending)).toMatchObject({code: 404});
    expect(await consume(state)).toMatchObject({code: 200});
  });
});

describe('without the admission policies as shipped', () => {
  test('no decision counts and no grant is spent, until they stand again', async () => {
    const granted = await approved(call('secret'));
    const state = await open(call('secret'));
    const {cluster} = approvals;
    const binding = 'validatingadmissionpolicybinding/lockkeeper-accessrequests';
    await cluster.mustKubectl(['patch', binding, '--type=merge', '-p', '{"spec":{"validationActions":["Audit"]}}']);
    for (const replica of [0, 1]) {
      await eventually(async () => {
        const answer = await consume(state, {}, replica);
        expect(answer.body.details?.causes?.[0]?.reason).toBe('AdmissionPolicyMissing');
      });
      expect(await consume(granted, {}, replica)).toMatchObject({code: 409});
    }
    await decide(alice, state, 'Approved');
    await eventually(async () => {
      const {status} = (await approvals.read(state.name)) as {status: {conditions: Fields[]}};
      expect(status).toMatchObject({phase: 'Pending', decision: {username: 'alice'}});
      expect(status.conditions).toContainEqual(
        expect.objectContaining({type: 'Approved', reason: 'AdmissionPolicyMissing'}),
      );
      expect(await reasonsOfEvents(state)).toContain('AdmissionPolicyMissing');
    });
    await cluster.mustKubectl(['apply', '-f', path.join(root, 'config/admission/accessrequests.yaml')]);
    expect((await follow(state)).body.phase).toBe('Approved');
    expect(await consume(granted)).toMatchObject({code: 200});
  }, 60_000);
});
