import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import {failure} from '../status.ts';
import {type AuditedCall, type AuditedStage, EventEncoder} from './event.ts';

const maskText = (text: string) => text.replace(/4111111111111111/g, '************1111');

const agent: Agent = {
  username: 'agent:build-bot',
  uid: 'u-1',
  groups: ['ai-agents', 'system:authenticated'],
  extra: {'example.com/team': ['payments', 'core']},
  issuer: 'https://issuer.example.com',
  claims: {},
  serviceAccount: undefined,
  expiresAtMilliseconds: 0,
};

const operation: Operation = {
  isResourceRequest: true,
  path: '/apis/apps/v1/namespaces/payments/deployments/web/scale',
  verb: 'update',
  apiPrefix: 'apis',
  apiGroup: 'apps',
  apiVersion: 'v1',
  namespace: 'payments',
  resource: 'deployments',
  subresource: 'scale',
  name: 'web',
  parts: ['deployments', 'web', 'scale'],
  fieldSelector: '',
  labelSelector: '',
  method: 'PUT',
  requestURI: '/apis/apps/v1/namespaces/payments/deployments/web/scale?fieldManager=kubectl',
  query: 'fieldManager=kubectl',
  dryRun: false,
  command: [],
  container: '',
  stdin: false,
  tty: false,
  userAgent: 'kubectl/v1.36.3 (linux/amd64)',
  sourceIP: '10.1.2.3',
};

const call: AuditedCall = {
  auditID: '0a1b2c3d-1111-4222-8333-444455556666',
  level: 'Metadata',
  agent,
  request: operation,
  receivedAtMicroseconds: 1_760_000_000_000_042,
  decision: {outcome: 'Allowed', policy: 'payments/agents', rule: 'scale', reason: 'as agreed', bundleRevision: '41'},
};

const received: AuditedStage = {stage: 'RequestReceived', atMicroseconds: 1_760_000_001_999_999};

// biome-ignore lint/suspicious/noExplicitAny: whatever JSON it is, the expectations say what it must be
function read(audited: AuditedCall, stage: AuditedStage): any {
  const encoder = new EventEncoder(maskText);
  return JSON.parse(`${encoder.encode(encoder.prepare(audited), stage)}}}`);
}

function complete(outcome: Extract<AuditedStage, {stage: 'ResponseComplete'}>['outcome']): AuditedStage {
  return {stage: 'ResponseComplete', atMicroseconds: 1_760_000_002_000_000, outcome};
}

describe('an event', () => {
  test('has the fields of audit.k8s.io/v1 and ours as annotations', () => {
    expect(read(call, received)).toEqual({
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Metadata',
      auditID: '0a1b2c3d-1111-4222-8333-444455556666',
      stage: 'RequestReceived',
      requestURI: '/apis/apps/v1/namespaces/payments/deployments/web/scale?fieldManager=kubectl',
      verb: 'update',
      user: {
        username: 'agent:build-bot',
        uid: 'u-1',
        groups: ['ai-agents', 'system:authenticated'],
        extra: {'example.com/team': ['payments', 'core']},
      },
      sourceIPs: ['10.1.2.3'],
      userAgent: 'kubectl/v1.36.3 (linux/amd64)',
      objectRef: {
        resource: 'deployments',
        namespace: 'payments',
        name: 'web',
        apiGroup: 'apps',
        apiVersion: 'v1',
        subresource: 'scale',
      },
      requestReceivedTimestamp: '2025-10-09T08:53:20.000042Z',
      stageTimestamp: '2025-10-09T08:53:21.999999Z',
      annotations: {
        'lockkeeper.dev/decision': 'Allowed',
        'lockkeeper.dev/policy': 'payments/agents',
        'lockkeeper.dev/rule': 'scale',
        'lockkeeper.dev/reason': 'as agreed',
        'lockkeeper.dev/bundle-revision': '41',
      },
    });
  });

  test('leaves out what is empty, as the API server does', () => {
    const bare = {...agent, uid: '', groups: [], extra: {}};
    const list = {...operation, name: '', namespace: '', subresource: '', apiGroup: '', userAgent: '', sourceIP: ''};
    const event = read({...call, agent: bare, request: list}, received);
    expect(event.user).toEqual({username: 'agent:build-bot'});
    expect(event.objectRef).toEqual({resource: 'deployments', apiVersion: 'v1'});
    expect(event).not.toHaveProperty('userAgent');
    expect(event).not.toHaveProperty('sourceIPs');
  });

  test('of a refused token has no user, no object and why', () => {
    const request = {
      isResourceRequest: false as const,
      verb: 'get',
      requestURI: '/api/v1/pods',
      userAgent: 'curl/8',
      sourceIP: '10.1.2.3',
    };
    const refused: AuditedCall = {...call, agent: undefined, request, decision: {outcome: 'Refused'}};
    const event = read(refused, complete({code: 401, status: failure(401, 'the token expired'), refusal: 'Expired'}));
    expect(event).toMatchObject({stage: 'ResponseComplete', user: {}, verb: 'get'});
    expect(event).not.toHaveProperty('objectRef');
    expect(event.responseStatus).toEqual({
      metadata: {},
      status: 'Failure',
      message: 'the token expired',
      reason: 'Unauthorized',
      code: 401,
    });
    expect(event.annotations).toEqual({'lockkeeper.dev/decision': 'Refused', 'lockkeeper.dev/refusal': 'Expired'});
  });

  test('of a long-running call that began says with which code', () => {
    const event = read(call, {stage: 'ResponseStarted', atMicroseconds: 0, code: 200});
    expect(event).toMatchObject({stage: 'ResponseStarted', responseStatus: {metadata: {}, code: 200}});
  });

  test('of an outcome says what was masked and what went wrong', () => {
    const event = read(call, complete({code: 502, masked: {PAN: 3, Regex: 1}, error: 'upstream closed'}));
    expect(JSON.parse(event.annotations['lockkeeper.dev/masked'])).toEqual({PAN: 3, Regex: 1});
    expect(event.annotations['lockkeeper.dev/error']).toBe('upstream closed');
  });

  test('of an outcome where nothing was masked does not speak of it', () => {
    const event = read(call, complete({code: 200, masked: {}}));
    expect(event.annotations).not.toHaveProperty('lockkeeper.dev/masked');
  });

  test('of a stream names its recording in every line, and in the outcome what the log vouches for', () => {
    const file = '2025-10-09/0a1b2c3d-1111-4222-8333-444455556666.cast';
    const stream: AuditedCall = {...call, recording: file};
    expect(read(stream, received).annotations).toMatchObject({'lockkeeper.dev/recording': file});
    const sha256 = 'ab'.repeat(32);
    expect(read(stream, complete({code: 101, recording: {sha256, bytes: 4096}})).annotations).toMatchObject({
      'lockkeeper.dev/recording': file,
      'lockkeeper.dev/recording-sha256': sha256,
      'lockkeeper.dev/recording-bytes': '4096',
    });
  });

  test('names approval, approvers and what DryRun policies would have done', () => {
    const dryRun = [{policy: 'payments/strict', rule: 'no-scale', message: 'no', effect: 'Deny' as const}];
    const decision = {...call.decision, accessRequest: 'payments/scale-x', approvers: ['alice@example.com'], dryRun};
    const {annotations} = read({...call, decision}, received);
    expect(annotations['lockkeeper.dev/access-request']).toBe('payments/scale-x');
    expect(JSON.parse(annotations['lockkeeper.dev/approvers'])).toEqual(['alice@example.com']);
    expect(JSON.parse(annotations['lockkeeper.dev/dry-run'])).toEqual(dryRun);
  });

  test.each([
    ['Metadata', undefined, undefined],
    ['Request', {spec: {replicas: 3}}, undefined],
    ['RequestResponse', {spec: {replicas: 3}}, {kind: 'Scale'}],
  ] as const)('at level %s holds these bodies', (level, requestObject, responseObject) => {
    const audited: AuditedCall = {...call, level, requestObject: '{"spec":\n{"replicas":3}}'};
    const outcome = read(audited, complete({code: 200, responseObject: '{"kind":"Scale"}'}));
    expect(read(audited, received).requestObject).toEqual(requestObject);
    expect(outcome.requestObject).toEqual(requestObject);
    expect(outcome.responseObject).toEqual(responseObject);
  });

  test('says that a body too large to be kept was left out', () => {
    const audited: AuditedCall = {...call, level: 'RequestResponse', requestObject: `"${'x'.repeat(4 << 20)}"`};
    const outcome = read(audited, complete({code: 200, responseObject: null}));
    expect(outcome).toMatchObject({requestObject: null, responseObject: null});
    expect(outcome.annotations['audit.k8s.io/truncated']).toBe('true');
    expect(read(audited, received).annotations['audit.k8s.io/truncated']).toBe('true');
  });

  test.each([
    '{"a":1}},"annotations":{"lockkeeper.dev/decision":"Denied"',
    'kind: Deployment\nmetadata: {}\n',
    '{"a":1}\n{"b":2}',
    '',
  ])('keeps a body that is not JSON as a string: %j', (requestObject) => {
    const event = read({...call, level: 'Request', requestObject}, received);
    expect(event.requestObject).toBe(requestObject);
    expect(event.annotations['lockkeeper.dev/decision']).toBe('Allowed');
  });

  test('is one line of JSON whatever the agent sends', () => {
    const text = fc.string({unit: 'binary'});
    fc.assert(
      fc.property(text, text, text, text, (requestURI, userAgent, group, body) => {
        const encoder = new EventEncoder((masked) => masked);
        const prepared = encoder.prepare({
          ...call,
          level: 'RequestResponse',
          agent: {...agent, groups: [group]},
          request: {...operation, requestURI, userAgent},
          requestObject: body,
        });
        const line = `${encoder.encode(prepared, complete({code: 200, error: userAgent, responseObject: JSON.stringify(body, null, 2)}))}}}`;
        expect(line).not.toMatch(/[\r\n]/);
        const event = JSON.parse(line);
        expect(event).toMatchObject({requestURI, user: {groups: [group]}, responseObject: body});
        expect(event.userAgent ?? '').toBe(userAgent);
      }),
    );
  });

  test('never holds an unmasked card number, wherever the agent puts it', () => {
    const pan = '4111111111111111';
    const outcome = {code: 403, status: failure(403, `no ${pan}`), error: `e ${pan}`};
    const encoder = new EventEncoder(maskText);
    const prepared = encoder.prepare({
      ...call,
      agent: {...agent, username: pan, uid: pan, groups: [pan], extra: {[pan]: [pan]}},
      request: {...operation, verb: pan, requestURI: `/x/${pan}?q=%34111111111111111`, name: pan, userAgent: pan},
      decision: {
        ...call.decision,
        reason: pan,
        accessRequest: pan,
        approvers: [pan],
        dryRun: [{policy: 'a/b', rule: 'c', message: pan, effect: 'Allow'}],
      },
    });
    const line = encoder.encode(prepared, complete(outcome));
    expect(line).not.toContain(pan);
    expect(line).not.toContain('%34');
    expect(line.match(/\*{12}1111/g)?.length).toBeGreaterThan(10);
  });

  test('of one agent is the same with and without what was encoded before', () => {
    const encoder = new EventEncoder(maskText);
    const first = encoder.encode(encoder.prepare(call), received);
    expect(encoder.encode(encoder.prepare(call), received)).toBe(first);
    const other = encoder.encode(encoder.prepare({...call, agent: {...agent, username: 'agent:other'}}), received);
    expect(other).toContain('"username":"agent:other"');
  });
});
