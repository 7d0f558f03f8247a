import {describe, expect, test} from '@jest/globals';
import type {StatusCondition} from '../../core/api/agentaccesspolicy.ts';
import type {ConnectedProxy} from './connectedproxies.ts';
import type {StoredPolicy} from './parse.ts';
import {desiredStatus, type StatusInput} from './status.ts';

const now = Date.parse('2026-03-01T12:00:00.987Z');
const policy: StoredPolicy = {
  metadata: {namespace: 'payments', name: 'agents', uid: 'u', generation: 3},
  spec: {subjects: [{kind: 'Group', name: 'ai-agents'}]},
};

function applied(proxy: string, hash = 'new'): ConnectedProxy {
  return {proxy, acknowledged: {result: 'Applied', hash, revision: '1'}};
}

function rejected(proxy: string, reason: string, hash = 'new'): ConnectedProxy {
  return {proxy, acknowledged: {result: 'Rejected', hash, revision: '1', reason}};
}

const silent: ConnectedProxy = {proxy: 'silent', acknowledged: undefined};

function statusFor(input: Partial<StatusInput>) {
  return desiredStatus({
    policy,
    problems: [],
    revision: '100',
    proxies: [applied('a')],
    holds: (hash) => hash === 'new',
    now,
    ...input,
  });
}

function condition(input: Partial<StatusInput>, wanted: string): StatusCondition | undefined {
  return statusFor(input).conditions.find(({type}) => type === wanted);
}

describe('policy status', () => {
  test('holds every field, each about the generation at hand', () => {
    expect(statusFor({})).toEqual({
      observedGeneration: 3,
      conditions: [
        {
          type: 'Accepted',
          status: 'True',
          reason: 'Compiled',
          message: 'The policy compiles.',
          observedGeneration: 3,
          lastTransitionTime: '2026-03-01T12:00:00Z',
        },
        {
          type: 'Programmed',
          status: 'True',
          reason: 'Applied',
          message: 'Every connected proxy applied it.',
          observedGeneration: 3,
          lastTransitionTime: '2026-03-01T12:00:00Z',
        },
      ],
      revision: '100',
      proxies: {applied: 1, rejected: 0, connected: 1},
    });
  });

  test.each([
    ['an expression', ['spec.rules[0].conditions[1].expression: no such key'], 'InvalidExpression'],
    ['another field', ['spec.rules[0].approval.wait: "x" is no duration'], 'InvalidField'],
    ['both', ['spec.masking[0].detector: unknown', 'spec.rules[9].conditions[0].expression: no'], 'InvalidExpression'],
  ])('a problem with %s is not accepted, and the message names the field', (_what, problems, reason) => {
    const found = condition({problems}, 'Accepted');
    expect(found).toMatchObject({status: 'False', reason});
    for (const problem of problems) expect(found?.message).toContain(problem);
  });

  test('many problems end in a count', () => {
    const problems = Array.from({length: 64}, (_, index) => `spec.rules[${index}].x: ${'long '.repeat(1000)}`);
    const message = condition({problems}, 'Accepted')?.message ?? '';
    expect(message).toMatch(/; and 54 more$/);
    expect(message.length).toBeLessThan(32_768);
  });

  test.each<[string, readonly ConnectedProxy[], string, string, object]>([
    ['no proxy is connected', [], 'Unknown', 'NoProxies', {applied: 0, rejected: 0, connected: 0}],
    ['one has said nothing yet', [applied('a'), silent], 'False', 'WaitingForProxies', {applied: 1, connected: 2}],
    ['one holds an older bundle', [applied('a'), applied('b', 'old')], 'False', 'WaitingForProxies', {applied: 1}],
    ['one rejected an older bundle', [rejected('a', 'x', 'old')], 'False', 'WaitingForProxies', {rejected: 0}],
    ['one rejected it', [applied('a'), rejected('b', 'x')], 'False', 'RejectedByProxy', {applied: 1, rejected: 1}],
    ['all applied it', [applied('a'), applied('b')], 'True', 'Applied', {applied: 2, rejected: 0, connected: 2}],
  ])('where %s, Programmed says so', (_when, proxies, status, reason, counts) => {
    expect(condition({proxies}, 'Programmed')).toMatchObject({status, reason});
    expect(statusFor({proxies}).proxies).toMatchObject(counts);
  });

  test('a rejection is told with the proxy and its reason', () => {
    const proxies = [applied('a'), rejected('b', 'unknown field spec.future')];
    expect(condition({proxies}, 'Programmed')?.message).toBe(
      '1 of 2 connected proxies applied it; 1 rejected it. b: unknown field spec.future',
    );
  });

  test('a bundle made since holds this generation, too', () => {
    const proxies = [applied('a', 'older'), applied('b', 'newer')];
    expect(condition({proxies, holds: () => true}, 'Programmed')?.status).toBe('True');
  });

  test('lastTransitionTime moves only with the status of its condition', () => {
    const before = {...policy, status: statusFor({now: 0})};
    const later = statusFor({policy: before, problems: ['spec.x: y'], proxies: [applied('a'), applied('b')]});
    expect(later.conditions.map(({type, lastTransitionTime}) => [type, lastTransitionTime])).toEqual([
      ['Accepted', '2026-03-01T12:00:00Z'],
      ['Programmed', '1970-01-01T00:00:00Z'],
    ]);
  });

  test('the revision is the first that held the generation', () => {
    const known = {...policy, status: statusFor({revision: '70'})};
    expect(statusFor({policy: known, revision: '100'}).revision).toBe('70');
    const edited = {...known, metadata: {...known.metadata, generation: 4}};
    expect(statusFor({policy: edited, revision: '100'}).revision).toBe('100');
  });

  test('computed again from what was written it is the same', () => {
    const input = {problems: ['spec.x: y'], proxies: [applied('a'), silent]};
    const status = statusFor(input);
    expect(statusFor({...input, policy: {...policy, status}, now: now + 86_400_000, revision: '200'})).toEqual(status);
  });
});
