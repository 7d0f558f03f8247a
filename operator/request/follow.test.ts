import {describe, expect, test} from '@jest/globals';
import type {AccessRequest, AccessRequestStatus} from '../../core/api/accessrequest.ts';
import type {AccessRequestPhase} from '../../core/control/messages.ts';
import {AccessRequestServer} from '../../test/accessrequestserver.ts';
import {ManualClock, settle} from '../../test/manualclock.ts';
import type {Standing} from '../admission/standing.ts';
import {followAccessRequest} from './follow.ts';
import {accessRequestPath} from './state.ts';

const key = 'payments/r-1';
const time = '2026-01-01T00:00:00Z';

function setUp(waitSeconds: number) {
  const server = new AccessRequestServer();
  const clock = new ManualClock();
  const gone = new AbortController();
  server.put({
    metadata: {namespace: 'payments', name: 'r-1', uid: 'u', generation: 1},
    spec: {
      agent: {username: 'agent:bot'},
      operation: {verb: 'create'},
      request: {method: 'POST', path: '/'},
      digest: 'd'.repeat(64),
      policy: {namespace: 'payments', name: 'agents', rule: 'secrets'},
      count: 1,
      grant: 'Once',
      expiresAt: '2026-01-01T00:15:00.000Z',
    },
  });
  let standing: Standing = {ok: true};
  function start(known: AccessRequestPhase = 'Pending') {
    let phase: string | undefined;
    const read = () => server.get<AccessRequest>(accessRequestPath('payments', 'r-1'));
    const followed = followAccessRequest(key, read, {waitSeconds, phase: known}, gone.signal, {
      accessRequests: server.cache,
      admission: {standing: () => standing},
      clock,
    });
    const done = followed.then((state) => {
      phase = state.phase;
    });
    return {done, phase: () => phase};
  }
  function decided(outcome: 'Approved' | 'Denied', more: AccessRequestStatus = {}) {
    server.put({...server.at(key), status: {decisions: [{outcome, username: 'ann', time}], ...more}});
  }
  function admissionFalls() {
    standing = {ok: false, reason: 'gone'};
  }
  return {server, clock, gone, start, decided, admissionFalls};
}

test.each(['Approved', 'Denied'] as const)('is answered when it is %s', async (outcome) => {
  const {start, decided, server, clock} = setUp(30);
  const {done, phase} = start();
  await settle();
  expect(phase()).toBeUndefined();
  decided(outcome);
  await done;
  expect(phase()).toBe(outcome);
  expect([server.followers, clock.pending]).toEqual([0, []]);
});

test('is answered at once without a wait', async () => {
  const {start} = setUp(0);
  const {done, phase} = start();
  await done;
  expect(phase()).toBe('Pending');
});

test('is answered when the time is up', async () => {
  const {start, clock} = setUp(30);
  const {done, phase} = start();
  await clock.advance(29_999);
  expect(phase()).toBeUndefined();
  await clock.advance(1);
  await done;
  expect(phase()).toBe('Pending');
});

test('is answered when it expires, though nobody has written that', async () => {
  const {start, clock} = setUp(3600);
  const {done, phase} = start();
  await clock.advance(900_000);
  await done;
  expect(phase()).toBe('Expired');
});

test('ends when the caller goes', async () => {
  const {start, gone, server, clock} = setUp(30);
  const {done} = start();
  await settle();
  gone.abort();
  await done;
  expect([server.followers, clock.pending]).toEqual([0, []]);
});

test('a change that does not decide does not end it', async () => {
  const {start, server, decided} = setUp(30);
  const {done, phase} = start();
  await settle();
  server.put({...server.at(key), metadata: {...server.at(key).metadata, labels: {a: 'b'}}});
  await settle();
  expect(phase()).toBeUndefined();
  decided('Approved');
  await done;
});

test('a request that is deleted is told', async () => {
  const {start, server} = setUp(30);
  const {done} = start();
  await settle();
  const {uid, resourceVersion} = server.at(key).metadata ?? {};
  await server.delete(accessRequestPath('payments', 'r-1'), {uid: uid ?? '', resourceVersion: resourceVersion ?? ''});
  await expect(done).rejects.toMatchObject({code: 404});
});

describe('a grant that is in use', () => {
  const consumedBy = {proxy: 'p', auditID: 'a', time};
  test.each([
    ['Approved', {}],
    ['Consumed', {consumedBy}],
  ] as const)('and is %s is waited on until it is revoked, though nobody has drained that yet', async (known, more) => {
    const {start, decided, server} = setUp(30);
    decided('Approved', more);
    const {done, phase} = start(known);
    await settle();
    expect(phase()).toBeUndefined();
    server.decide(key, 'Revoked', 'ann');
    await done;
    expect(phase()).toBe('Revoked');
  });

  test('is not revoked by what may be forged', async () => {
    const {start, decided, server, admissionFalls, clock} = setUp(30);
    decided('Approved');
    admissionFalls();
    const {done, phase} = start('Approved');
    await settle();
    server.decide(key, 'Revoked', 'ann');
    await settle();
    expect(phase()).toBeUndefined();
    await clock.advance(30_000);
    await done;
    expect(phase()).toBe('Approved');
  });

  test('and spent changes no more when its time is up, and is asked for no more often', async () => {
    const {start, decided, clock} = setUp(3600);
    decided('Approved', {consumedBy});
    const {done, phase} = start('Consumed');
    await clock.advance(900_000);
    expect(phase()).toBeUndefined();
    expect(clock.pending).toEqual([2_700_000]);
    await clock.advance(2_700_000);
    await done;
    expect(phase()).toBe('Consumed');
  });

  test('is told at once where it is no longer what the caller knows', async () => {
    const {start, decided} = setUp(30);
    decided('Approved', {consumedBy, revokedBy: {username: 'ann', time}});
    const {done, phase} = start('Consumed');
    await done;
    expect(phase()).toBe('Revoked');
  });

  test('and is being deleted counts as deleted', async () => {
    const {start, decided, server} = setUp(30);
    decided('Approved');
    const {done} = start('Approved');
    await settle();
    server.put({...server.at(key), metadata: {...server.at(key).metadata, deletionTimestamp: time}});
    await expect(done).rejects.toMatchObject({code: 'RequestNotFound', httpStatus: 404});
  });
});
