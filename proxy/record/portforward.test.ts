import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setImmediate as turn} from 'node:timers/promises';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import type {Agent} from '../../core/request/agent.ts';
import {operationOf} from '../../core/request/operation.ts';
import {resolveRequestInfo} from '../../core/request/resolve.ts';
import {eventually} from '../../test/eventually.ts';
import {cardsPlan} from '../../test/maskplan.ts';
import type {ForwardedConnection} from '../stream/session.ts';
import type {RecordingFailed} from './errors.ts';
import {openPortForwardRecording} from './portforward.ts';

const auditID = '0a1b2c3d-1111-4222-8333-444455556666';
const url = '/api/v1/namespaces/payments/pods/api-0/portforward?ports=5432';
const startedAt = Date.UTC(2026, 0, 2) * 1000;
const pan = '4111111111111111';
const hidden = '************1111';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockkeeper-record-'));
});

afterEach(() => rm(directory, {recursive: true}));

async function record(masks = true) {
  const failures: RecordingFailed[] = [];
  let micros = startedAt;
  const recording = await openPortForwardRecording({
    directory,
    auditID,
    agent: {username: 'agent:build-bot'} as Agent,
    operation: operationOf(resolveRequestInfo('GET', url), {method: 'GET', url, userAgent: '', sourceIP: ''}),
    obligations: {masking: masks ? cardsPlan : undefined, recordMasking: cardsPlan, recordInput: true},
    now: () => micros,
    onFailure: (error) => failures.push(error),
  });
  const path = join(directory, recording.name);
  const text = () => readFile(path, 'utf8');
  return {
    ...recording,
    failures,
    text,
    wait: (seconds: number) => {
      micros += seconds * 1e6;
    },
    events: async () =>
      (await text())
        .split('\n')
        .slice(1, -1)
        .map((line) => JSON.parse(line)),
  };
}

/** A channel of a connection, and all that the agent was shown of it. */
function open(connection: ForwardedConnection, channel: 'data' | 'error') {
  const shown = {text: '', ended: false};
  const output = connection.output(channel, {
    emit: (bytes) => {
      shown.text += bytes.toString();
    },
    ended: () => {
      shown.ended = true;
    },
  });
  return {...output, say: (text: string) => output.push(Buffer.from(text)), shown};
}

test('a connection log says whose it is and which connections there were, and holds no payload', async () => {
  const {name, session, text, events, wait, finish} = await record();
  expect(name).toBe(`2026-01-02/${auditID}.jsonl`);
  wait(0.5);
  const first = session.connection(5432);
  const second = session.connection(8080);
  const data = open(first, 'data');
  data.say('payload');
  first.sent(11);
  wait(1);
  data.say(' and more');
  first.sent(3);
  data.end();
  first.closed();
  first.closed('twice');
  wait(0.000001);
  second.closed('ECONNRESET');
  await finish();
  expect(data.shown).toEqual({text: 'payload and more', ended: true});
  expect(JSON.parse((await text()).split('\n')[0] ?? '')).toEqual({
    version: 1,
    kind: 'PortForward',
    timestamp: startedAt / 1e6,
    lockkeeper: {
      auditID,
      agent: 'agent:build-bot',
      namespace: 'payments',
      pod: 'api-0',
      subresource: 'portforward',
    },
  });
  expect(await events()).toEqual([
    {time: 0.5, event: 'Opened', connection: 1, port: 5432},
    {time: 0.5, event: 'Opened', connection: 2, port: 8080},
    {time: 1.5, event: 'Closed', connection: 1, port: 5432, sentBytes: 14, receivedBytes: 16},
    {time: 1.500001, event: 'Closed', connection: 2, port: 8080, sentBytes: 0, receivedBytes: 0, error: 'ECONNRESET'},
  ]);
  expect(await text()).not.toContain('payload');
});

describe('what comes from the pod', () => {
  test('is masked where a policy masks, and counted, also after its connection ended', async () => {
    const {session, masked, finish} = await record();
    const connection = session.connection(80);
    const data = open(connection, 'data');
    data.say(`card: ${pan.slice(0, 5)}`);
    data.say(`${pan.slice(5)}\r\n`);
    await eventually(() => expect(data.shown.text).toBe(`card: ${hidden}\r\n`));
    expect(masked.counts.PAN).toBe(1);
    connection.closed();
    expect(masked.counts.PAN).toBe(1);
    await finish();
  });

  test('that may become a card number waits 50 ms at most', async () => {
    const {session, finish} = await record();
    const data = open(session.connection(80), 'data');
    data.say('size 4111');
    await eventually(() => expect(data.shown.text).toBe('size 4111'));
    await finish();
  });

  test('passes at once where no policy masks', async () => {
    const {session, masked, finish} = await record(false);
    const data = open(session.connection(80), 'data');
    await turn();
    await turn();
    data.say(pan);
    await eventually(() => expect(data.shown.text).toBe(pan), 0.04);
    expect(masked.counts.PAN).toBe(0);
    await finish();
  });
});

test.each([
  ['masked where a policy masks', true, hidden],
  ['as it is where none does, but not on record', false, pan],
])('what the API server says of a connection is shown %s', async (_what, masks, seen) => {
  const {session, events, finish} = await record(masks);
  const connection = session.connection(80);
  const error = open(connection, 'error');
  error.say(`connect to ${pan}: refused, `);
  error.say('x'.repeat(2000));
  error.end();
  connection.closed('broken off');
  await finish();
  expect(error.shown.text).toBe(`connect to ${seen}: refused, ${'x'.repeat(2000)}`);
  const [, closed] = await events();
  expect(closed.error.slice(0, 53)).toBe(`broken off: connect to ${hidden}: refused, xxx`);
  expect(closed.error.length).toBeLessThan(1100);
});

test('connections that are open when the port-forward ends are on record as such', async () => {
  const {session, events, finish} = await record();
  session.connection(80).sent(5);
  const sealed = await finish();
  expect(await finish()).toBe(sealed);
  expect((await events()).at(-1)).toMatchObject({
    event: 'Closed',
    sentBytes: 5,
    error: 'the port-forward ended first',
  });
});

test('what cannot be recorded ends all of it', async () => {
  const {session, failures, finish} = await record();
  const connection = session.connection(80);
  const output = connection.output('data', {
    emit() {
      throw new Error('the connection is gone');
    },
    ended() {},
  });
  output.push(Buffer.from('a'));
  await eventually(() => expect(failures).toHaveLength(1));
  expect(() => output.push(Buffer.from('b'))).toThrow(failures[0]);
  expect(() => session.connection(81)).toThrow(failures[0]);
  connection.closed();
  expect(session.congested).toBe(true);
  await finish();
  expect(failures).toHaveLength(1);
});
