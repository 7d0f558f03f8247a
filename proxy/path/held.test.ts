import {describe, expect, test} from '@jest/globals';
import {maskText} from '../../core/mask/createmasker.ts';
import type {ApprovalRequirement} from '../../core/policy/decision.ts';
import {readBody} from '../../core/request/body.ts';
import type {Operation} from '../../core/request/operation.ts';
import {agent, operation} from '../../test/operations.ts';
import {rootNamespace} from '../../test/proxy/call.ts';
import type {Decided} from './decision.ts';
import {heldRequirement} from './held.ts';

function requirement(grant: 'Once' | 'Window'): ApprovalRequirement {
  return {
    policy: 'payments/agents',
    rule: 'ask',
    message: 'secrets are made by people',
    policyUID: 'uid-agents',
    policyNamespace: 'payments',
    policyName: 'agents',
    policyGeneration: 3,
    unmasked: false,
    approval: {
      approvers: {groups: ['oncall'], users: ['ann@example.com']},
      count: 2,
      expireAfterSeconds: 900,
      grant,
      waitSeconds: 30,
    },
  };
}

const create = operation({
  verb: 'create',
  method: 'POST',
  resource: 'secrets',
  path: '/api/v1/namespaces/payments/secrets',
  requestURI: '/api/v1/namespaces/payments/secrets?fieldManager=kubectl',
  query: 'fieldManager=kubectl',
});

interface Of {
  readonly grant?: 'Once' | 'Window';
  readonly operation?: Operation;
  readonly body?: unknown;
  readonly text?: string;
  readonly contentType?: string;
  readonly agent?: Parameters<typeof agent>[0];
  readonly rule?: string;
  readonly unmasked?: boolean;
}

function held(of: Of = {}) {
  const {grant = 'Once', body, contentType = 'application/json'} = of;
  const text = of.text ?? (body === undefined ? '' : JSON.stringify(body));
  const bytes = Buffer.from(text);
  const decided: Decided = {
    agent: agent(of.agent),
    operation: of.operation ?? create,
    rootNamespace,
    decision: undefined as never,
    body: {bytes, contentType, content: readBody(bytes, contentType)},
  };
  const {rule = 'ask', unmasked = false} = of;
  return heldRequirement({...requirement(grant), rule, unmasked}, decided, maskText).open;
}

const digest = (of: Of) => held(of).spec.digest;
const named = (name: string, data = 'x') => ({metadata: {name}, data: {a: data}});

test('an approver sees that the agent would see the answer unmasked, and decides on that', () => {
  for (const grant of ['Once', 'Window'] as const) {
    const unmasked = held({grant, unmasked: true}).spec;
    expect(unmasked.operation.unmasked).toBe(true);
    const masked = held({grant}).spec;
    expect(masked.operation).not.toHaveProperty('unmasked');
    expect(unmasked.digest).not.toBe(masked.digest);
  }
});

test('an approver sees who, what, by which rule, and the request itself', () => {
  const {namespace, expireAfterSeconds, spec} = held({body: named('db')});
  expect({namespace, expireAfterSeconds}).toEqual({namespace: 'payments', expireAfterSeconds: 900});
  expect(spec).toEqual({
    agent: {username: 'agent:build-bot', uid: '42', groups: ['ai-agents'], issuer: 'https://issuer.example.com'},
    operation: {verb: 'create', apiVersion: 'v1', resource: 'secrets', namespace: 'payments', name: 'db'},
    request: {
      method: 'POST',
      path: '/api/v1/namespaces/payments/secrets',
      query: 'fieldManager=kubectl',
      contentType: 'application/json',
      bodySHA256: expect.stringMatching(/^[0-9a-f]{64}$/),
      bodyPreview: '{"metadata":{"name":"db"},"data":{"a":"(1 characters)"}}',
    },
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    policy: {namespace: 'payments', name: 'agents', uid: 'uid-agents', rule: 'ask', generation: 3},
    approvers: {groups: ['oncall'], users: ['ann@example.com']},
    count: 2,
    grant: 'Once',
  });
});

test('what is not there is left out', () => {
  const exec = operation({
    verb: 'get',
    path: '/healthz',
    requestURI: '/healthz',
    isResourceRequest: false,
    resource: '',
    apiVersion: '',
    namespace: '',
  });
  const {namespace, spec} = held({operation: exec, agent: {uid: '', issuer: ''}});
  expect(namespace).toBe(rootNamespace);
  expect(spec.agent).toEqual({username: 'agent:build-bot', groups: ['ai-agents']});
  expect(spec.operation).toEqual({verb: 'get', path: '/healthz'});
  expect(spec.request).toEqual({method: 'GET', path: '/healthz'});
});

test('an exec shows its command and container', () => {
  const exec = operation({
    verb: 'create',
    subresource: 'exec',
    name: 'web',
    command: ['sh', '-c', 'echo 4111111111111111'],
    container: 'app',
  });
  expect(held({operation: exec}).spec.request).toMatchObject({
    command: ['sh', '-c', 'echo ************1111'],
    container: 'app',
  });
});

test.each([
  ['path', {path: '/api/v1/namespaces/payments/secrets/4111111111111111'}],
  ['query', {query: 'x=4111111111111111'}],
  ['name', {name: '4111111111111111'}],
])('no card number is shown in the %s', (_name, differing) => {
  const {spec} = held({
    operation: {...create, ...differing},
    body: named('card-4111111111111111', '4111111111111111'),
    contentType: 'application/json; n=4111111111111111',
  });
  expect(JSON.stringify(spec)).not.toContain('4111111111111111');
});

test.each<[string, Partial<Operation>, string]>([
  ['in a namespace', {namespace: 'payments'}, 'payments'],
  ['on a resource of the cluster', {namespace: '', resource: 'nodes'}, rootNamespace],
  ['over all namespaces', {namespace: '', verb: 'list'}, rootNamespace],
])('what is done %s is approved in its place: %#', (_name, differing, namespace) => {
  expect(held({operation: {...create, ...differing}}).namespace).toBe(namespace);
});

describe('a grant Once is for this very call', () => {
  const call: Of = {body: named('db')};

  test.each<[string, Of]>([
    ['written in another way', {text: '{"data":{"a":"x"}, "metadata":{"name":"db"}}'}],
    ['from another address and client', {...call, operation: {...create, sourceIP: '192.0.2.99', userAgent: 'other'}}],
    ['with another token of the same agent', {...call, agent: {claims: {jti: '2'}, expiresAtMilliseconds: 9}}],
  ])('%s it is the same', (_name, other) => {
    expect(digest(other)).toBe(digest(call));
  });

  test.each<[string, Of]>([
    ['body', {body: named('db', 'y')}],
    ['content type', {...call, contentType: 'application/merge-patch+json'}],
    ['query', {...call, operation: {...create, requestURI: `${create.path}?fieldManager=other`}}],
    ['path', {...call, operation: {...create, requestURI: '/api/v1/namespaces/other/secrets?fieldManager=kubectl'}}],
    ['method', {...call, operation: {...create, method: 'PUT'}}],
    ['agent', {...call, agent: {username: 'agent:other'}}],
    ['issuer', {...call, agent: {issuer: 'https://other.example.com'}}],
    ['rule', {...call, rule: 'ask-too'}],
    ['grant', {...call, grant: 'Window'}],
  ])('with another %s it is another', (_name, other) => {
    expect(digest(other)).not.toBe(digest(call));
  });
});

describe('a grant Window is for this operation on this object', () => {
  const call: Of = {grant: 'Window', body: named('db')};

  test('whatever the body and the rest of the query', () => {
    expect(digest({...call, body: named('db', 'y'), operation: {...create, requestURI: create.path}})).toBe(
      digest(call),
    );
  });

  test.each<[string, Of]>([
    ['object that is made', {...call, body: named('other')}],
    ['object in the path', {...call, operation: {...create, verb: 'update', name: 'db'}}],
    ['namespace', {...call, operation: {...create, namespace: 'other'}}],
    ['verb', {...call, operation: {...create, verb: 'delete'}}],
    ['agent', {...call, agent: {uid: '43'}}],
  ])('and for no other %s', (_name, other) => {
    expect(digest(other)).not.toBe(digest(call));
  });

  test.each([
    ['a generated name', {metadata: {generateName: 'db-'}}, {metadata: {generateName: 'evil-'}}],
    ['no metadata', {data: {a: '1'}}, {data: {a: '2'}}],
    ['a name that is no text', {metadata: {name: 1}}, {metadata: {name: 2}}],
    ['metadata of null', {metadata: null, a: 1}, {metadata: null, a: 2}],
  ])('where the object has %s, for no other body', (_name, one, other) => {
    expect(digest({grant: 'Window', body: one})).not.toBe(digest({grant: 'Window', body: other}));
  });

  test('where the body cannot be read, for no other bytes', () => {
    const opaque = {grant: 'Window', contentType: 'application/vnd.kubernetes.protobuf'} as const;
    expect(digest({...opaque, text: 'k8s\0one'})).not.toBe(digest({...opaque, text: 'k8s\0two'}));
  });
});
