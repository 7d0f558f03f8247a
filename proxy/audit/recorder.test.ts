import {describe, expect, test} from '@jest/globals';
import {EventEncoder} from '../../core/audit/event.ts';
import type {Agent} from '../../core/request/agent.ts';
import {failure} from '../../core/status.ts';
import {AuditUnavailable} from './errors.ts';
import {CallRecord} from './recorder.ts';

const agent: Agent = {
  username: 'agent:build-bot',
  uid: '',
  groups: [],
  extra: {},
  issuer: 'https://issuer.example.com',
  claims: {},
  serviceAccount: undefined,
  expiresAtMilliseconds: 0,
};

const allowed = {decision: {outcome: 'Allowed', policy: 'a/p', rule: 'r'}, level: 'Metadata'} as const;

/** A record whose lines a test reads; `append` waits for `durable`. */
function recording(durable: Promise<void> = Promise.resolve()) {
  const records: string[] = [];
  let clock = 1_760_000_000_000_000;
  const record = new CallRecord(
    {
      encoder: new EventEncoder((text) => text),
      log: {
        append: (line) => {
          records.push(line);
          return durable;
        },
        record: (line) => void records.push(line),
      },
      now: () => ++clock,
    },
    {
      auditID: '0a1b2c3d-1111-4222-8333-444455556666',
      receivedAtMicroseconds: clock,
      request: {isResourceRequest: false, verb: 'get', requestURI: '/version', userAgent: '', sourceIP: '10.1.2.3'},
    },
  );
  const events = () => records.map((line) => JSON.parse(`${line}}}`));
  return {record, events, stages: () => events().map(({stage}) => stage)};
}

describe('a forwarded call', () => {
  test('has its intent, then its outcome, with one decision and one audit ID', async () => {
    const {record, events} = recording();
    record.identified(agent);
    await record.intent(allowed);
    record.outcome({code: 200});
    expect(events()).toMatchObject([
      {stage: 'RequestReceived', stageTimestamp: '2025-10-09T08:53:20.000001Z'},
      {stage: 'ResponseComplete', stageTimestamp: '2025-10-09T08:53:20.000002Z', responseStatus: {code: 200}},
    ]);
    for (const event of events()) {
      expect(event).toMatchObject({
        auditID: record.auditID,
        user: {username: 'agent:build-bot'},
        requestReceivedTimestamp: '2025-10-09T08:53:20.000000Z',
        annotations: {'lockkeeper.dev/decision': 'Allowed', 'lockkeeper.dev/rule': 'r'},
      });
    }
  });

  test('that runs long says when its response began', async () => {
    const {record, stages} = recording();
    await record.intent(allowed);
    record.responseStarted(200);
    record.responseStarted(200);
    record.outcome({code: 200});
    expect(stages()).toEqual(['RequestReceived', 'ResponseStarted', 'ResponseComplete']);
  });

  test('that streams names its recording in the intent already', async () => {
    const {record, events} = recording();
    await record.intent({...allowed, recording: '2025-10-09/a.cast'});
    record.outcome({code: 101, recording: {sha256: 'ab'.repeat(32), bytes: 7}});
    const named = {annotations: {'lockkeeper.dev/recording': '2025-10-09/a.cast'}};
    expect(events()).toMatchObject([named, named]);
  });

  test('has one outcome, the first', async () => {
    const {record, events, stages} = recording();
    await record.intent(allowed);
    record.outcome({code: 502});
    record.outcome({code: 200});
    record.responseStarted(200);
    expect(stages()).toEqual(['RequestReceived', 'ResponseComplete']);
    expect(events()[1].responseStatus.code).toBe(502);
  });

  test('waits until its intent is durable', async () => {
    const {promise, resolve} = Promise.withResolvers<void>();
    const {record} = recording(promise);
    let forwarded = false;
    const intent = record.intent(allowed).then(() => {
      forwarded = true;
    });
    await Promise.resolve();
    expect(forwarded).toBe(false);
    resolve();
    await intent;
    expect(forwarded).toBe(true);
  });

  test('has one intent', async () => {
    const {record} = recording();
    await record.intent(allowed);
    await expect(record.intent(allowed)).rejects.toThrow('a call has one intent');
    await expect(record.refused(allowed, {code: 403})).rejects.toThrow('a call is refused once');
  });
});

describe('a call that is not forwarded', () => {
  test('has one line', async () => {
    const {record, events} = recording();
    const status = failure(401, 'the token expired');
    await record.refused({decision: {outcome: 'Refused'}, level: 'Metadata'}, {code: 401, status});
    record.outcome({code: 401});
    expect(events()).toMatchObject([
      {stage: 'ResponseComplete', verb: 'get', requestURI: '/version', user: {}, responseStatus: {code: 401}},
    ]);
  });

  test('because its intent could not be written has no outcome', async () => {
    const durable = Promise.reject(new AuditUnavailable('disk full'));
    const {record, stages} = recording(durable);
    await expect(record.intent(allowed)).rejects.toBeInstanceOf(AuditUnavailable);
    record.outcome({code: 503});
    expect(stages()).toEqual(['RequestReceived']);
  });
});
