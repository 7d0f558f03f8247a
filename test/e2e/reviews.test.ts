import {readFile} from 'node:fs/promises';
import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {encode} from 'cborg';
import {parse} from 'yaml';
import type {AgentAccessPolicy, AgentAccessPolicySpec} from '../../core/api/agentaccesspolicy.ts';
import {isClusterScoped} from '../../core/review/clusterscope.ts';
import {eventually} from '../eventually.ts';
import {namespace, Stack} from './stack.ts';

jest.setTimeout(60_000);

let stack: Stack;

const accessReviews = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const rulesReviews = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
const card = '4111111111111111';
const subjects: AgentAccessPolicySpec['subjects'] = [{kind: 'Group', name: 'ai-agents'}];

beforeAll(async () => {
  const baseline = await readFile(new URL('../../config/baseline/discovery.yaml', import.meta.url), 'utf8');
  stack = await Stack.start({
    audited: true,
    policies: {
      discovery: (parse(baseline) as AgentAccessPolicy).spec,
      nodes: {
        subjects,
        rules: [
          {
            name: 'list',
            effect: 'Allow',
            operations: [{verbs: ['list'], apiGroups: [''], resources: ['nodes'], namespaces: ['']}],
          },
        ],
        masking: [{name: 'cards', detector: 'PAN'}],
      },
    },
  });
  await stack.applyPolicies(
    {
      workloads: {
        subjects,
        rules: [
          {
            name: 'work',
            effect: 'Allow',
            operations: [
              {
                verbs: ['get', 'list', 'create'],
                apiGroups: [''],
                resources: ['pods', 'secrets'],
                subresources: ['', 'log', 'exec'],
              },
            ],
          },
          {
            name: 'no-secrets',
            effect: 'Deny',
            message: 'Ask payments-oncall.',
            operations: [{verbs: ['*'], apiGroups: [''], resources: ['secrets'], subresources: ['*']}],
          },
          {
            name: 'exec',
            effect: 'RequireApproval',
            approval: {},
            operations: [{verbs: ['create'], apiGroups: [''], resources: ['pods'], subresources: ['exec']}],
          },
          {
            name: 'no-host-network',
            effect: 'Deny',
            operations: [{verbs: ['create'], apiGroups: [''], resources: ['pods']}],
            conditions: [{name: 'host-network', expression: 'has(object.spec.hostNetwork)'}],
          },
        ],
      },
    },
    namespace,
  );
});

afterAll(() => stack?.stop());

describe('kubectl auth', () => {
  test.each([
    [['list', 'pods'], 'yes\n'],
    [['create', 'pods'], 'yes\n'],
    [['get', 'pods', '--subresource=log'], 'yes\n'],
    [['list', 'nodes'], 'yes\n'],
    [['get', '/version'], 'yes\n'],
    [['delete', 'pods'], 'no - no policy allows agent:build-bot to delete pods in namespace payments\n'],
    [['get', 'secrets'], 'no - policy payments/workloads, rule no-secrets: Ask payments-oncall.\n'],
    [
      ['create', 'pods', '--subresource=exec'],
      'no - needs approval (make the call to ask for it): policy payments/workloads, rule exec\n',
    ],
    [
      ['get', 'pods', '--subresource=exec'],
      'no - needs approval (make the call to ask for it): policy payments/workloads, rule exec\n',
    ],
    [['list', 'pods', '--all-namespaces'], 'no - no policy allows agent:build-bot to list pods at the cluster scope\n'],
    [['get', '/logs'], 'no - no policy allows agent:build-bot to get path "/logs"\n'],
    [['*', '*'], expect.stringMatching(/^no - policy .*, rule no-/)],
  ])('can-i %j: %s', async (args, answer) => {
    const {stdout, code} = await stack.kubectl(['auth', 'can-i', ...args]);
    expect(stdout).toEqual(answer);
    expect(code).toBe(stdout.startsWith('yes') ? 0 : 1);
  });

  test('can-i --list shows what policy lets through of what RBAC grants', async () => {
    const {stdout, stderr, code} = await stack.kubectl(['auth', 'can-i', '--list']);
    expect(code).toBe(0);
    expect(stderr).toContain('narrowed by Lockkeeper to what its policies may allow');
    const rows = stdout
      .trim()
      .split('\n')
      .slice(1)
      .map((row) => row.replace(/ +/g, ' ').trim());
    expect(rows).toContain('pods [] [] [get list create]');
    expect(rows).toContain('pods/exec [] [] [get list create]');
    expect(rows).toContain('nodes [] [] [list]');
    expect(rows).toContain('selfsubjectreviews.authentication.k8s.io [] [] [create]');
    expect(rows.filter((row) => row.startsWith('secrets') || row.includes('*.*') || row.includes('delete'))).toEqual(
      [],
    );
  });

  test('can-i --list of another namespace shows none of this one', async () => {
    const {stdout} = await stack.kubectl(['auth', 'can-i', '--list', '--namespace=billing']);
    expect(stdout).not.toMatch(/^pods/m);
    expect(stdout).toMatch(/^nodes/m);
  });

  test('whoami', async () => {
    const {stdout} = await stack.kubectl(['auth', 'whoami']);
    expect(stdout).toContain('agent:build-bot');
  });
});

describe('a review over HTTP', () => {
  const review = (attributes: object) => ({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: {resourceAttributes: {namespace, resource: 'pods', ...attributes}},
  });

  test.each(['call', 'call2'] as const)('is answered whole (%s)', async (call) => {
    const answer = await stack.agent[call](accessReviews, {method: 'POST', body: review({verb: 'create'})});
    expect(answer.status).toBe(201);
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
    expect(answer.json()).toMatchObject({
      kind: 'SelfSubjectAccessReview',
      spec: {resourceAttributes: {verb: 'create', resource: 'pods'}},
      status: {
        allowed: true,
        reason: expect.stringMatching(
          /^RBAC: allowed by .*; policy payments\/workloads, rule work allows it, but .*no-host-network/,
        ),
      },
    });
  });

  test('is masked like any other answer', async () => {
    const body = review({verb: 'delete', name: card});
    const answer = await stack.agent.call(accessReviews, {method: 'POST', body});
    expect(answer.text).not.toContain(card);
    expect(answer.json()).toMatchObject({status: {reason: expect.stringContaining('"************1111"')}});
  });

  test('is refused in no other form', async () => {
    const accept = 'application/vnd.kubernetes.protobuf';
    const answer = await stack.agent.call(accessReviews, {
      method: 'POST',
      headers: {accept},
      body: review({verb: 'get'}),
    });
    expect(answer.status).toBe(406);
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const headers = {accept: table};
    expect(
      (await stack.agent.call(accessReviews, {method: 'POST', headers, body: review({verb: 'get'})})).json(),
    ).toMatchObject({
      kind: 'SelfSubjectAccessReview',
    });
  });

  test('that the API server does not take has its Status', async () => {
    const answer = await stack.agent.call(accessReviews, {method: 'POST', body: {...review({}), spec: {}}});
    expect(answer.failure).toMatchObject({code: 422, reason: 'Invalid'});
  });

  test('of rules in CBOR reaches the API server as it was', async () => {
    const body = Buffer.from(
      encode({apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: {namespace}}),
    );
    const headers = {'content-type': 'application/cbor'};
    const answer = await stack.agent.call(rulesReviews, {method: 'POST', headers, body});
    // Which this API server does not read, as it is configured.
    expect(answer.failure).toMatchObject({code: 415});
  });

  test('of rules that names no namespace is refused, and so on record', async () => {
    const answer = await stack.agent.call(rulesReviews, {method: 'POST', body: {spec: {}}});
    expect(answer.failure).toMatchObject({code: 400, message: expect.stringContaining('no namespace')});
    await eventually(async () => {
      const outcomes = (await stack.records()).filter(
        ({requestURI, stage, responseStatus}) =>
          requestURI === rulesReviews && stage === 'ResponseComplete' && responseStatus?.code === 400,
      );
      expect(outcomes).toMatchObject([{annotations: {'lockkeeper.dev/refusal': 'BodyUnreadable'}}]);
    });
  });

  test('about somebody else is answered as RBAC has it', async () => {
    await stack.applyPolicies({
      others: {
        subjects,
        rules: [
          {
            name: 'others',
            effect: 'Allow',
            operations: [{verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews']}],
          },
        ],
      },
    });
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {user: 'a', groups: ['system:masters'], resourceAttributes: {verb: 'delete', resource: 'nodes'}},
    };
    const answer = await stack.agent.call('/apis/authorization.k8s.io/v1/subjectaccessreviews', {method: 'POST', body});
    expect(answer.json()).toMatchObject({status: {allowed: true}});
    expect(answer.text).not.toContain('policy');
  });
});

test('the scope of every built-in resource is known', async () => {
  const scopes = async (namespaced: boolean) => {
    const args = ['api-resources', `--namespaced=${namespaced}`, '--output=name'];
    return (await stack.cluster.mustKubectl(args)).trim().split('\n');
  };
  const split = (name: string) => {
    const dot = name.indexOf('.');
    return dot === -1 ? (['', name] as const) : ([name.slice(dot + 1), name.slice(0, dot)] as const);
  };
  expect((await scopes(false)).filter((name) => !isClusterScoped(...split(name)))).toEqual([]);
  expect((await scopes(true)).filter((name) => isClusterScoped(...split(name)))).toEqual([]);
});
