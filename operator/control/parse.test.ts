import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {readAcknowledgement, readCheckpoint, readConsumeRequest, readOpenRequest} from './parse.ts';
import {Refusal} from './refusal.ts';

const digest = 'a1'.repeat(32);

const open = {
  namespace: 'payments',
  expireAfterSeconds: 900,
  spec: {
    agent: {username: 'agent:bot', uid: 'u', groups: ['ai-agents'], issuer: 'https://issuer.example.com'},
    operation: {
      verb: 'create',
      apiGroup: '',
      apiVersion: 'v1',
      resource: 'secrets',
      namespace: 'payments',
      unmasked: true,
    },
    request: {method: 'POST', path: '/api/v1/namespaces/payments/secrets', bodySHA256: digest, command: ['sh']},
    digest,
    policy: {namespace: 'payments', name: 'agents', uid: 'p', rule: 'secrets', generation: 2},
    approvers: {groups: ['oncall'], users: []},
    count: 1,
    grant: 'Once',
  },
};

/** The value with one field, named by its path, set to something else; `undefined` takes it out. */
function changed(value: unknown, path: readonly string[], to: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) {
    return to;
  }
  const copy: Record<string, unknown> = {...(value as Record<string, unknown>)};
  const next = changed(copy[head], rest, to);
  if (next === undefined) {
    delete copy[head];
  } else {
    copy[head] = next;
  }
  return copy;
}

function refusal(run: () => unknown): Refusal {
  try {
    run();
  } catch (error) {
    if (error instanceof Refusal) {
      return error;
    }
    throw error;
  }
  throw new Error('nothing was refused');
}

test('a whole message is read as it is', () => {
  expect(readOpenRequest(open, '')).toEqual(open);
});

test('an operation that targets no namespace may leave the namespace to the operator', () => {
  expect(readOpenRequest(changed(open, ['namespace'], ''), '').namespace).toBe('');
});

describe('a request to open is refused with the name of the field', () => {
  test.each([
    ['namespace', ['namespace'], 'Payments'],
    ['namespace', ['namespace'], '../kube-system'],
    ['namespace', ['namespace'], undefined],
    ['expireAfterSeconds', ['expireAfterSeconds'], 0],
    ['expireAfterSeconds', ['expireAfterSeconds'], 1.5],
    ['expireAfterSeconds', ['expireAfterSeconds'], 1e300],
    ['spec', ['spec'], null],
    ['spec', ['spec'], []],
    ['spec.expiresAt', ['spec', 'expiresAt'], '2030-01-01T00:00:00Z'],
    ['spec.agent.username', ['spec', 'agent', 'username'], ''],
    ['spec.agent.groups[0]', ['spec', 'agent', 'groups'], [1]],
    ['spec.agent.__proto__', ['spec', 'agent'], JSON.parse('{"username":"x","__proto__":{}}')],
    ['spec.agent.toString', ['spec', 'agent', 'toString'], 'x'],
    ['spec.operation.verb', ['spec', 'operation', 'verb'], undefined],
    ['spec.operation.unmasked', ['spec', 'operation', 'unmasked'], 'true'],
    ['spec.request.bodySHA256', ['spec', 'request', 'bodySHA256'], digest.toUpperCase()],
    ['spec.request.command', ['spec', 'request', 'command'], 'sh'],
    ['spec.digest', ['spec', 'digest'], `${digest}0`],
    ['spec.digest', ['spec', 'digest'], `${digest}\n`],
    ['spec.policy.generation', ['spec', 'policy', 'generation'], -1],
    ['spec.grant', ['spec', 'grant'], 'Forever'],
    ['spec.count', ['spec', 'count'], '1'],
    ['spec.status', ['spec', 'status'], {}],
  ])('%s', (field, path, to) => {
    const {code, httpStatus, message, field: named} = refusal(() => readOpenRequest(changed(open, path, to), ''));
    expect({code, httpStatus, named}).toEqual({code: 'FieldInvalid', httpStatus: 400, named: field});
    expect(message).toContain(field);
  });
});

describe('other messages are refused with the name of the field', () => {
  const consume = {digest, proxy: 'gateway-0', auditID: 'b3c1'};
  const checkpoint = {origin: 'gateway-0', sequence: 7, hash: digest};
  const acknowledgement = {proxy: 'gateway-0', revision: '12', hash: digest, result: 'Applied'};
  test.each([
    ['auditID', () => readConsumeRequest({...consume, auditID: 'a b'}, '')],
    ['auditID', () => readConsumeRequest({...consume, auditID: 'x'.repeat(129)}, '')],
    ['proxy', () => readConsumeRequest({...consume, proxy: '../x'}, '')],
    ['digest', () => readConsumeRequest({...consume, digest: ''}, '')],
    ['sequence', () => readCheckpoint({...checkpoint, sequence: 2 ** 53}, '')],
    ['sequence', () => readCheckpoint({...checkpoint, sequence: -1}, '')],
    ['origin', () => readCheckpoint({...checkpoint, origin: 'a\nb'}, '')],
    ['result', () => readAcknowledgement({...acknowledgement, result: 'Maybe'}, '')],
    ['extra', () => readAcknowledgement({...acknowledgement, extra: true}, '')],
  ])('%s', (field, run) => {
    expect(refusal(run).field).toBe(field);
  });

  test('but a bundle that could not be read at all can be acknowledged', () => {
    const rejected = {proxy: 'gateway-0', revision: '', hash: '', result: 'Rejected', reason: 'no JSON'};
    expect(readAcknowledgement(rejected, '')).toEqual(rejected);
  });
});

test('whatever JSON comes is read or refused as a field, never a crash', () => {
  const readers = [readOpenRequest, readAcknowledgement, readConsumeRequest, readCheckpoint];
  const paths = [
    ['namespace'],
    ['spec'],
    ['spec', 'agent'],
    ['spec', 'agent', 'groups'],
    ['spec', 'approvers'],
    ['spec', 'policy'],
  ];
  const value = fc.oneof(
    fc.jsonValue(),
    fc.tuple(fc.constantFrom(...paths), fc.jsonValue()).map(([path, to]) => changed(open, path, to)),
  );
  fc.assert(
    fc.property(fc.constantFrom(...readers), value, (read, given) => {
      let result: unknown;
      try {
        result = read(given, '');
      } catch (error) {
        expect(error).toMatchObject({code: 'FieldInvalid', httpStatus: 400});
        return;
      }
      expect(result).toEqual(given);
    }),
    {numRuns: 500},
  );
});
