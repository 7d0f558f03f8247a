import {describe, expect, test} from '@jest/globals';
import {Registry} from 'prom-client';
import winston from 'winston';
import type {AccessRequest} from '../../core/api/accessrequest.ts';
import {AccessRequestServer} from '../../test/accessrequestserver.ts';
import {ManualClock, settle} from '../../test/manualclock.ts';
import type {Standing} from '../admission/standing.ts';
import {createControllerMetrics} from '../kube/metrics.ts';
import {createAnnounce} from './announce.ts';
import {createRequestController} from './controller.ts';

const key = 'payments/r-1';
const day = 24 * 60 * 60 * 1000;

function stored(name = 'r-1'): AccessRequest {
  return {
    metadata: {namespace: 'payments', name, uid: `uid-${name}`, generation: 1},
    spec: {
      agent: {username: 'agent:bot'},
      operation: {verb: 'create', resource: 'secrets', namespace: 'payments'},
      request: {method: 'POST', path: '/'},
      digest: 'd'.repeat(64),
      policy: {namespace: 'payments', name: 'agents', rule: 'secrets'},
      count: 1,
      grant: 'Once',
      expiresAt: '2026-01-01T00:15:00.000Z',
    },
  };
}

class Admission {
  #standing: Standing = {ok: true};
  readonly #listeners = new Set<() => void>();
  standing = () => this.#standing;
  onChange(listener: () => void) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  becomes(standing: Standing) {
    this.#standing = standing;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

async function setUp() {
  const server = new AccessRequestServer();
  const clock = new ManualClock();
  const admission = new Admission();
  const registry = new Registry();
  const events: string[] = [];
  const controller = createRequestController({
    client: server,
    accessRequests: server.cache,
    admission,
    announce: createAnnounce({record: (_regarding, {reason}) => void events.push(reason)}, registry),
    clock,
    random: () => 0.5,
    log: winston.createLogger({silent: true}),
    metrics: createControllerMetrics(registry),
  });
  const stop = new AbortController();
  const run = controller.run(stop.signal);
  return {
    server,
    clock,
    admission,
    events,
    registry,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await run;
      expect(server.followers).toBe(0);
    },
  };
}

const phaseOf = (server: AccessRequestServer) => server.at(key).status?.phase;

test('a new request gets its first status', async () => {
  await using operator = await setUp();
  operator.server.put(stored());
  await operator.clock.advance(0);
  expect(phaseOf(operator.server)).toBe('Pending');
  expect(operator.events).toEqual(['Opened']);
  expect(await operator.registry.metrics()).toContain('lockkeeper_accessrequests_total{phase="Pending"} 1');
});

test.each([
  ['Approved', 'Approved'],
  ['Denied', 'Denied'],
] as const)('a decision %s is drained and announced once', async (outcome, phase) => {
  await using operator = await setUp();
  operator.server.put(stored());
  await operator.clock.advance(0);
  operator.server.decide(key, outcome, 'ann');
  await operator.clock.advance(1000);
  expect(operator.server.at(key).status).toMatchObject({phase, decisions: [{outcome, username: 'ann'}]});
  expect(operator.server.at(key).status?.decision).toBeUndefined();
  expect(operator.events).toEqual(['Opened', phase]);
});

test('a revocation is drained, announced and counted', async () => {
  await using operator = await setUp();
  operator.server.put(stored());
  operator.server.decide(key, 'Approved', 'ann');
  await operator.clock.advance(1000);
  operator.server.decide(key, 'Revoked', 'ann');
  await operator.clock.advance(1000);
  expect(operator.server.at(key).status).toMatchObject({phase: 'Revoked', revokedBy: {username: 'ann'}});
  expect(operator.server.at(key).status?.decision).toBeUndefined();
  expect(operator.events).toEqual(['Opened', 'Approved', 'Revoked']);
  expect(await operator.registry.metrics()).toContain('lockkeeper_accessrequests_total{phase="Revoked"} 1');
});

test('a decision that arrives while another is drained is not lost', async () => {
  await using operator = await setUp();
  const request = stored();
  operator.server.put({...request, spec: {...request.spec, count: 2}});
  await operator.clock.advance(0);
  operator.server.meanwhile = () => operator.server.decide(key, 'Denied', 'bob');
  operator.server.decide(key, 'Approved', 'ann');
  await operator.clock.advance(5000);
  expect(operator.server.at(key).status).toMatchObject({phase: 'Denied', decisions: [{username: 'bob'}]});
});

test('a request expires at its time though nothing else happens', async () => {
  await using operator = await setUp();
  operator.server.put(stored());
  await operator.clock.advance(15 * 60_000 - 1);
  expect(phaseOf(operator.server)).toBe('Pending');
  await operator.clock.advance(1);
  expect(phaseOf(operator.server)).toBe('Expired');
  expect(operator.events).toEqual(['Opened', 'Expired']);
});

describe('while the admission policies do not stand', () => {
  test('a decision stays where it is, which the object says; once they do it counts', async () => {
    await using operator = await setUp();
    operator.admission.becomes({ok: false, reason: 'ValidatingAdmissionPolicy x does not exist.'});
    operator.server.put(stored());
    operator.server.decide(key, 'Approved', 'ann');
    await operator.clock.advance(1000);
    const {status} = operator.server.at(key);
    expect(status).toMatchObject({phase: 'Pending', decision: {username: 'ann'}});
    expect(status?.conditions?.find(({type}) => type === 'Approved')?.reason).toBe('AdmissionPolicyMissing');
    expect(operator.events).toEqual(['Opened', 'AdmissionPolicyMissing']);
    operator.admission.becomes({ok: true});
    await operator.clock.advance(1000);
    expect(phaseOf(operator.server)).toBe('Approved');
  });

  test('requests expire all the same', async () => {
    await using operator = await setUp();
    operator.admission.becomes({ok: false, reason: 'gone'});
    operator.server.put(stored());
    await operator.clock.advance(15 * 60_000);
    expect(phaseOf(operator.server)).toBe('Expired');
  });
});

test('a finished request is kept for thirty days, then deleted', async () => {
  await using operator = await setUp();
  operator.server.put(stored());
  await operator.clock.advance(15 * 60_000 + 30 * day - 1);
  expect(operator.server.has(key)).toBe(true);
  await operator.clock.advance(1);
  expect(operator.server.has(key)).toBe(false);
});

test('nothing is put off for longer than a timer can wait', async () => {
  await using operator = await setUp();
  operator.server.put(stored());
  await operator.clock.advance(15 * 60_000);
  await settle();
  expect(Math.max(...operator.clock.pending)).toBeLessThanOrEqual(day);
});

test('what stands needs no write', async () => {
  await using operator = await setUp();
  operator.server.put(stored());
  await operator.clock.advance(0);
  const before = operator.server.calls.length;
  operator.admission.becomes({ok: true});
  await operator.clock.advance(60_000);
  expect(operator.server.calls).toHaveLength(before);
});
