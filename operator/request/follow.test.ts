import {expect, test} from '@jest/globals';
import type {AccessRequest} from '../../core/api/accessrequest.ts';
import {AccessRequestServer} from '../../test/accessrequestserver.ts';
import {ManualClock, settle} from '../../test/manualclock.ts';
import {followAccessRequest} from './follow.ts';
import {accessRequestPath} from './state.ts';

const key = 'payments/r-1';

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
  function start() {
    let phase: string | undefined;
    const read = () => server.get<AccessRequest>(accessRequestPath('payments', 'r-1'));
    const followed = followAccessRequest(key, read, waitSeconds, gone.signal, {accessRequests: server.cache, clock});
    const done = followed.then((state) => {
      phase = state.phase;
    });
    return {done, phase: () => phase};
  }
  function decided(outcome: 'Approved' | 'Denied') {
    const time = '2026-01-01T00:00:00Z';
    server.put({...server.at(key), status: {decisions: [{outcome, username: 'ann', time}]}});
  }
  return {server, clock, gone, start, decided};
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
