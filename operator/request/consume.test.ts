import {describe, expect, test} from '@jest/globals';
import type {AccessRequest} from '../../core/api/accessrequest.ts';
import {AccessRequestServer} from '../../test/accessrequestserver.ts';
import {ManualClock} from '../../test/manualclock.ts';
import type {Standing} from '../admission/standing.ts';
import {consumeAccessRequest} from './consume.ts';
import {accessRequestPath} from './state.ts';

const digest = 'd'.repeat(64);
const key = 'payments/r-1';
const time = '2026-01-01T00:00:00.000Z';

function stored(differing: Partial<AccessRequest['spec']> = {}, status: AccessRequest['status'] = {}): AccessRequest {
  return {
    metadata: {namespace: 'payments', name: 'r-1', uid: 'u', generation: 1},
    spec: {
      agent: {username: 'agent:bot'},
      operation: {verb: 'create'},
      request: {method: 'POST', path: '/'},
      digest,
      policy: {namespace: 'payments', name: 'agents', rule: 'secrets'},
      count: 1,
      grant: 'Once',
      expiresAt: '2026-01-01T00:15:00.000Z',
      ...differing,
    },
    status,
  };
}

const granted = {decisions: [{outcome: 'Approved' as const, username: 'ann', time}]};

function setUp(request: AccessRequest) {
  const server = new AccessRequestServer();
  server.put(request);
  const clock = new ManualClock();
  const announced: string[] = [];
  const admission: {standing: () => Standing} = {standing: () => ({ok: true})};
  const consume = (auditID = 'a1', wanted = digest) =>
    consumeAccessRequest(
      async () => server.get<AccessRequest>(accessRequestPath('payments', 'r-1')),
      {digest: wanted, proxy: 'lockkeeper-system/gateway/g-0', auditID},
      {
        client: server,
        admission,
        announce: (_before, {phase}) => void announced.push(String(phase)),
        now: () => clock.now(),
      },
    );
  return {server, clock, announced, admission, consume};
}

test('a grant is spent and says by whom', async () => {
  const {consume, server, announced} = setUp(stored({}, granted));
  expect(await consume()).toMatchObject({phase: 'Consumed', approvers: ['ann']});
  expect(server.at(key).status?.consumedBy).toEqual({proxy: 'lockkeeper-system/gateway/g-0', auditID: 'a1', time});
  expect(announced).toEqual(['Consumed']);
});

test('a grant is spent once, also by the same call', async () => {
  const {consume} = setUp(stored({}, granted));
  await consume('a1');
  await expect(consume('a1')).rejects.toMatchObject({code: 'Consumed', httpStatus: 409});
});

test('of many at once one gets it', async () => {
  const {consume} = setUp(stored({}, granted));
  const outcomes = await Promise.allSettled(Array.from({length: 50}, (_, i) => consume(`a${i}`)));
  expect(outcomes.filter(({status}) => status === 'fulfilled')).toHaveLength(1);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject(outcome.status === 'fulfilled' ? {} : {reason: {code: 'Consumed'}});
  }
});

test('a decision that the leader has not drained yet counts, and is recorded with the spending', async () => {
  const {consume, server} = setUp(stored({}, {decision: {outcome: 'Approved', username: 'ann'}}));
  expect(await consume()).toMatchObject({phase: 'Consumed'});
  expect(server.at(key).status).toMatchObject({decisions: [{username: 'ann'}], phase: 'Consumed'});
});

test('a denial that arrives just before the write is not run over', async () => {
  const {consume, server} = setUp(stored({}, granted));
  server.meanwhile = () => server.decide(key, 'Denied', 'bob');
  await expect(consume()).rejects.toMatchObject({code: 'Denied', httpStatus: 409});
  expect(server.at(key).status?.consumedBy).toBeUndefined();
});

test('a revocation that nobody has drained yet counts', async () => {
  const {consume, server} = setUp(stored({grant: 'Window'}, granted));
  await consume('a1');
  server.decide(key, 'Revoked', 'ann');
  await expect(consume('a2')).rejects.toMatchObject({code: 'Revoked', httpStatus: 409});
});

test('another write in between does not cost the grant', async () => {
  const {consume, server} = setUp(stored({}, granted));
  server.meanwhile = () => void server.put(server.at(key));
  await expect(consume()).resolves.toMatchObject({phase: 'Consumed'});
});

test('a Window grant serves again until it expires', async () => {
  const {consume, server, clock} = setUp(stored({grant: 'Window'}, granted));
  await consume('a1');
  const written = server.calls.filter((call) => call.startsWith('PUT')).length;
  expect(await consume('a2')).toMatchObject({phase: 'Approved'});
  expect(server.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(written);
  await clock.advance(900_000);
  await expect(consume('a3')).rejects.toMatchObject({code: 'Expired'});
});

describe('nothing is spent of one that is', () => {
  test.each([
    ['pending', stored(), 'Pending'],
    ['denied', stored({}, {decisions: [{outcome: 'Denied', username: 'ann', time}]}), 'Denied'],
    ['expired', stored({expiresAt: time}, granted), 'Expired'],
    ['revoked', stored({}, {...granted, revokedBy: {username: 'ann', time}}), 'Revoked'],
    ['short of approvers', stored({count: 2}, granted), 'Pending'],
    [
      'approved by the agent alone',
      stored({}, {decisions: [{outcome: 'Approved', username: 'agent:bot', time}]}),
      'Pending',
    ],
    ['approved in its phase alone', stored({}, {phase: 'Approved'}), 'Pending'],
    ['for another call', stored({digest: 'e'.repeat(64)}, granted), 'DigestMismatch'],
    ['being deleted', {...stored({}, granted), metadata: {...stored().metadata, deletionTimestamp: time}}, 'Expired'],
  ])('%s', async (_name, request, code) => {
    const {consume, server} = setUp(request);
    await expect(consume()).rejects.toMatchObject({code, httpStatus: 409});
    expect(server.calls.some((call) => call.startsWith('PUT'))).toBe(false);
  });
});

test('no grant is spent while the admission policies do not stand', async () => {
  const {consume, admission} = setUp(stored({}, granted));
  admission.standing = () => ({ok: false, reason: 'gone'});
  await expect(consume()).rejects.toMatchObject({code: 'AdmissionPolicyMissing', httpStatus: 409});
});
