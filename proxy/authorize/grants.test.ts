import {describe, expect, test} from '@jest/globals';
import type {AccessRequestState} from '../../core/control/messages.ts';
import {settle} from '../../test/manualclock.ts';
import {ControlRefused, ControlUnavailable} from '../control/client.ts';
import {LiveGrants} from './grants.ts';

const granted = {phase: 'Approved'} as const;

/** An operator that answers when the test says, and a clock in its hands. */
function world() {
  const clock = {now: 1_000_000};
  const asked: {waitSeconds: number; phase: string | undefined; answer: PromiseWithResolvers<AccessRequestState>}[] =
    [];
  const pauses: number[] = [];
  const grants = new LiveGrants({
    control: {
      follow(_namespace, _name, waitSeconds, signal, phase) {
        const answer = Promise.withResolvers<AccessRequestState>();
        signal.addEventListener('abort', () => answer.reject(new ControlUnavailable('aborted')));
        asked.push({waitSeconds, phase, answer});
        return answer.promise;
      },
    },
    maximumStalenessSeconds: 60,
    now: () => clock.now,
    random: () => 0.5,
    pause: async (milliseconds) => void pauses.push(milliseconds),
  });
  async function answer(differing: Partial<AccessRequestState> | Error): Promise<void> {
    const last = asked.at(-1)?.answer;
    if (differing instanceof Error) last?.reject(differing);
    else {
      last?.resolve({
        namespace: 'payments',
        name: 'ask-1',
        digest: 'd',
        phase: 'Approved',
        reason: '',
        approvers: ['ann@example.com'],
        expiresAt: '2026-01-01T00:15:00Z',
        expiresInMilliseconds: 900_000,
        ...differing,
      });
    }
    await settle();
  }
  const questions = () => asked.map(({waitSeconds, phase}) => [waitSeconds, phase]);
  return {clock, grants, asked, questions, answer, pauses};
}

test('the operator is asked where a grant stands at once, and then to say when it stands no more', async () => {
  const {grants, questions, answer} = world();
  const grant = grants.follow('payments/ask-1');
  await answer({phase: 'Consumed'});
  await answer({phase: 'Consumed'});
  expect(questions()).toEqual([
    [0, undefined],
    [20, 'Consumed'],
    [20, 'Consumed'],
  ]);
  expect(grant.objection()).toBeUndefined();
  grant.release();
});

test('calls that share a grant share the question, which ends with the last of them', async () => {
  const {grants, asked, answer} = world();
  const [one, other] = [grants.follow('payments/ask-1'), grants.follow('payments/ask-1')];
  await answer(granted);
  expect(asked).toHaveLength(2);
  one.release();
  one.release();
  await answer(granted);
  expect(asked).toHaveLength(3);
  other.release();
  await settle();
  expect(asked).toHaveLength(3);
  grants.follow('payments/ask-1').release();
  expect(asked).toHaveLength(4);
});

test('answers that come at once are no loop', async () => {
  const {grants, answer, pauses} = world();
  const grant = grants.follow('payments/ask-1');
  for (let i = 0; i < 3; i++) await answer(granted);
  expect(pauses).toEqual([200, 200, 200]);
  grant.release();
});

describe('a grant is good no longer', () => {
  test.each<[string, Partial<AccessRequestState> | Error, string, string]>([
    [
      'revoked',
      {phase: 'Revoked', revokedBy: 'ann@example.com', reason: 'done'},
      'ApprovalRevoked',
      'was revoked by ann@example.com: done',
    ],
    ['denied', {phase: 'Denied', reason: 'no'}, 'ApprovalRevoked', 'is Denied by now: no'],
    ['expired', {phase: 'Expired'}, 'ApprovalExpired', 'has expired'],
    ['deleted', new ControlRefused(404, 'gone'), 'ApprovalRevoked', 'was deleted'],
    ['made anew and waiting', {phase: 'Pending'}, 'ApprovalRevoked', 'is Pending by now'],
    ['made anew and spent', {phase: 'Consumed'}, 'ApprovalRevoked', 'is Consumed by now'],
  ])('once it is %s', async (_name, state, code, message) => {
    const {grants, asked, answer} = world();
    const grant = grants.follow('payments/ask-1');
    await answer(granted);
    await answer(state);
    expect(grant.objection()).toMatchObject({
      code,
      httpStatus: 403,
      message: expect.stringContaining(`AccessRequest payments/ask-1, which let the call through, ${message}`),
      details: {name: 'ask-1', group: 'lockkeeper.dev', kind: 'accessrequests'},
    });
    expect(asked).toHaveLength(2);
    grant.release();
  });

  test('also where that is the first that is heard of it', async () => {
    const {grants, answer} = world();
    const grant = grants.follow('payments/ask-1');
    await answer({phase: 'Revoked', revokedBy: 'ann@example.com'});
    expect(grant.objection()).toMatchObject({code: 'ApprovalRevoked'});
    grant.release();
  });
});

describe('an operator that cannot be asked', () => {
  test.each([new ControlUnavailable('timeout'), new ControlRefused(401, 'who?'), new ControlRefused(400, 'what?')])(
    'is asked again, and ends the grant past the maximum staleness: %s',
    async (error) => {
      const {grants, clock, questions, answer, pauses} = world();
      const grant = grants.follow('payments/ask-1');
      await answer(granted);
      await answer(error);
      clock.now += 60_000;
      await answer(error);
      expect(grant.objection()).toBeUndefined();
      clock.now += 1;
      expect(grant.objection()).toMatchObject({code: 'ControlUnavailable', httpStatus: 503});
      await answer(granted);
      expect(grant.objection()).toBeUndefined();
      expect(pauses).toEqual([200, 1000, 1000, 200]);
      expect(questions().slice(1)).toEqual(Array.from({length: 4}, () => [20, 'Approved']));
      grant.release();
    },
  );
});
