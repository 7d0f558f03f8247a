import type {IncomingHttpHeaders} from 'node:http';
import {describe, expect, test} from '@jest/globals';
import {select} from '../../core/policy/evaluate.ts';
import {decide} from '../../core/policy/permitted.ts';
import type {Operation} from '../../core/request/operation.ts';
import {agent, operation} from '../../test/operations.ts';
import {bundlesOf, callOf, type Requested, type TestPolicy} from '../../test/proxy/call.ts';
import type {Dispatchable} from '../forward/forward.ts';
import {withAccessReview} from './accessreview.ts';

const url = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const access = operation({
  ...{verb: 'create', method: 'POST', apiGroup: 'authorization.k8s.io', namespace: ''},
  ...{resource: 'selfsubjectaccessreviews', requestURI: url},
});
const rules = {...access, resource: 'selfsubjectrulesreviews'};
const reviews: TestPolicy = {
  name: 'reviews',
  namespace: 'lockkeeper-system',
  rules: [
    {
      name: 'all',
      effect: 'Allow',
      operations: [{verbs: ['*'], apiGroups: ['authorization.k8s.io'], resources: ['*'], subresources: ['*']}],
    },
  ],
};
const readPods: TestPolicy = {
  rules: [{name: 'read', effect: 'Allow', operations: [{verbs: ['get'], apiGroups: [''], resources: ['pods']}]}],
};
const body = '{"spec":{"namespace":"payments"}}';
const json = {'content-type': 'application/json'};

/** A review past the filter: what goes on, and what the API server's answer becomes. */
async function reviewed(of: Operation, requested: Requested = {}) {
  const bundles = bundlesOf([reviews, readPods]);
  const bundle = bundles.current;
  if (bundle === undefined) throw new Error('no bundle');
  const decision = decide(select(bundle, agent(), of), {now: new Date(0)});
  if (decision.outcome !== 'Allowed') throw new Error(decision.outcome);
  const {call} = callOf({method: of.method, url: of.requestURI, body, ...requested});
  const given: Dispatchable = {
    decided: {agent: agent(), operation: of, rootNamespace: 'lockkeeper-system', decision, body: undefined},
    permitted: decision.permitted,
    accept: 'application/vnd.kubernetes.protobuf',
    openBody: () => ({push: () => {}, end: () => {}}),
  };
  const forwarded: Dispatchable[] = [];
  const filter = withAccessReview({bundles, now: () => new Date(0)}, async (_call, each) => void forwarded.push(each));
  await filter(call, given);
  const [passed] = forwarded;
  if (passed === undefined) throw new Error('nothing was forwarded');
  const answer = (text: string | undefined, headers: IncomingHttpHeaders = json) =>
    passed.rewrite?.body(text === undefined ? undefined : Buffer.from(text), headers).toString();
  return {given, passed, answer};
}

describe('the answer to an access review', () => {
  const spec = {resourceAttributes: {verb: 'get', resource: 'pods', namespace: 'payments'}};
  const answered = (verb: string) =>
    JSON.stringify({
      kind: 'SelfSubjectAccessReview',
      metadata: {},
      spec: {resourceAttributes: {...spec.resourceAttributes, verb}},
      status: {allowed: true, reason: 'RBAC'},
    });

  test('is asked for in JSON, and narrowed', async () => {
    const {passed, answer} = await reviewed(access, {headers: {accept: 'application/vnd.kubernetes.protobuf, */*'}});
    expect(passed.accept).toBe('application/json');
    expect(JSON.parse(answer(answered('get')) ?? '')).toEqual({
      ...JSON.parse(answered('get')),
      status: {allowed: true, reason: 'RBAC; policy payments/agents, rule read allows it'},
    });
    expect(JSON.parse(answer(answered('delete')) ?? '')).toMatchObject({
      status: {allowed: false, reason: 'no policy allows agent:build-bot to delete pods in namespace payments'},
    });
  });

  test('about a path has nothing of the review itself in it', async () => {
    const {answer} = await reviewed(access);
    const asked = {spec: {nonResourceAttributes: {verb: 'get', path: '/version'}}, status: {allowed: true}};
    expect(JSON.parse(answer(JSON.stringify(asked)) ?? '')).toMatchObject({
      status: {allowed: false, reason: 'no policy allows agent:build-bot to get path "/version"'},
    });
  });

  test('is rewritten where a review was made, and no Status is', async () => {
    const {passed} = await reviewed(access);
    expect([201, 200, 400, 403, 409, 422, 500].map((status) => passed.rewrite?.applies(status))).toEqual([
      true,
      ...Array.from({length: 6}, () => false),
    ]);
  });

  test.each<[string, string | undefined, IncomingHttpHeaders]>([
    ['is too long', undefined, json],
    ['is no JSON', '{"status":', json],
    ['is null', 'null', json],
    ['has no status', JSON.stringify({spec}), json],
    ['does not say whether it is allowed', JSON.stringify({spec, status: {allowed: 'yes'}}), json],
    ['asks about nothing', JSON.stringify({spec: {}, status: {allowed: true}}), json],
    ['is protobuf', answered('get'), {'content-type': 'application/vnd.kubernetes.protobuf'}],
    ['has no type', answered('get'), {}],
  ])('that %s is refused', async (_, text, headers) => {
    const {answer} = await reviewed(access);
    expect(() => answer(text, headers)).toThrow(expect.objectContaining({name: 'Refusal', httpStatus: 502}));
  });

  test.each(['application/vnd.kubernetes.protobuf', 'application/json;as=Table;v=v1;g=meta.k8s.io', 'text/plain'])(
    'is not given to who accepts only %s',
    async (accept) => {
      await expect(reviewed(access, {headers: {accept}})).rejects.toMatchObject({
        code: 'NotAcceptable',
        httpStatus: 406,
      });
    },
  );
});

describe('the answer to a rules review', () => {
  const status = {
    resourceRules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*']}],
    nonResourceRules: [],
    incomplete: false,
  };

  test('is narrowed for the namespace in the request, which goes on as it was', async () => {
    const {passed, answer} = await reviewed(rules);
    expect(passed.decided.body?.bytes.toString()).toBe(body);
    expect(JSON.parse(answer(JSON.stringify({kind: 'SelfSubjectRulesReview', spec: {}, status})) ?? '')).toMatchObject({
      kind: 'SelfSubjectRulesReview',
      status: {
        resourceRules: [{apiGroups: ['authorization.k8s.io']}, {verbs: ['get'], apiGroups: [''], resources: ['pods']}],
        incomplete: true,
      },
    });
  });

  test('is about no namespace that policy mentions', async () => {
    const {answer} = await reviewed(rules, {body: '{"spec":{"namespace":"billing"}}'});
    const given = JSON.parse(answer(JSON.stringify({status})) ?? '') as {
      status: {resourceRules: {apiGroups: string[]}[]};
    };
    expect(given.status.resourceRules.flatMap(({apiGroups}) => apiGroups)).toEqual(['authorization.k8s.io']);
  });

  test.each<[string, Requested, string, number]>([
    ['about no namespace', {body: '{"spec":{}}'}, 'BodyUnreadable', 400],
    [
      'in YAML',
      {body: 'spec: {namespace: payments}', headers: {'content-type': 'application/yaml'}},
      'BodyUnreadable',
      400,
    ],
    ['without a body', {headers: {'content-length': '0'}, body: ''}, 'BodyUnreadable', 400],
    ['of megabytes', {body: JSON.stringify('x'.repeat(70_000))}, 'BodyTooLarge', 413],
  ])('a review %s is refused', async (_, requested, code, httpStatus) => {
    await expect(reviewed(rules, requested)).rejects.toMatchObject({name: 'Refusal', code, httpStatus});
  });
});

test.each<[string, Partial<Operation>]>([
  ['of another subject', {resource: 'subjectaccessreviews'}],
  ['in a namespace', {resource: 'localsubjectaccessreviews', namespace: 'payments'}],
  ['of who one is', {resource: 'selfsubjectreviews'}],
  ['that is read', {verb: 'list'}],
  ['with a subresource', {subresource: 'status'}],
])('a review %s is left alone', async (_, differing) => {
  const {given, passed} = await reviewed({...access, ...differing});
  expect(passed).toBe(given);
});
