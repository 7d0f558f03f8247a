import {Writable} from 'node:stream';
import {describe, expect, test} from '@jest/globals';
import {createLogger, transports} from 'winston';
import {ManualClock, settle} from '../../test/manualclock.ts';
import type {KubeClient} from './client.ts';
import {KubeError} from './error.ts';
import {createEventRecorder} from './events.ts';

const policy = {
  apiVersion: 'lockkeeper.dev/v1alpha1',
  kind: 'AgentAccessPolicy',
  namespace: 'payments',
  name: 'agents',
  uid: 'u1',
};
const accepted = {type: 'Normal', reason: 'Accepted', action: 'Compile', note: 'The policy compiles.'} as const;

function setUp() {
  const clock = new ManualClock();
  const written: {path: string; body: Record<string, unknown>}[] = [];
  const client: Pick<KubeClient, 'apply'> = {
    async apply<T>(path: string, body: unknown) {
      written.push({path, body: body as Record<string, unknown>});
      return body as T;
    },
  };
  const recorder = createEventRecorder({
    client: client as KubeClient,
    instance: 'operator-0',
    clock,
    log: createLogger({silent: true}),
  });
  return {clock, written, recorder};
}

describe('event recorder', () => {
  test('writes an events.k8s.io/v1 Event beside its object', () => {
    const {written, recorder} = setUp();
    recorder.record(policy, accepted);
    const name = written[0]?.path.split('/').at(-1);
    expect(written[0]?.path).toMatch(/^\/apis\/events.k8s.io\/v1\/namespaces\/payments\/events\/agents\.[0-9a-f]{16}$/);
    expect(written[0]?.body).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: {name, namespace: 'payments'},
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'lockkeeper.dev/operator',
      reportingInstance: 'operator-0',
      action: 'Compile',
      reason: 'Accepted',
      regarding: policy,
      note: 'The policy compiles.',
      type: 'Normal',
    });
  });

  test('repeats become a series that is written once a minute at most', async () => {
    const {clock, written, recorder} = setUp();
    for (let count = 0; count < 180; count += 1) {
      recorder.record(policy, accepted);
      await clock.advance(1000);
    }
    expect(written.map(({body}) => (body.series as {count: number} | undefined)?.count)).toEqual([
      undefined,
      2,
      62,
      122,
    ]);
    expect(new Set(written.map(({path}) => path)).size).toBe(1);
  });

  test('another note is another event', () => {
    const {written, recorder} = setUp();
    recorder.record(policy, accepted);
    recorder.record(policy, {...accepted, note: 'other'});
    expect(new Set(written.map(({path}) => path)).size).toBe(2);
  });

  test('one object cannot flood, and does not take from another', async () => {
    const {clock, written, recorder} = setUp();
    for (let count = 0; count < 1000; count += 1) recorder.record(policy, {...accepted, note: String(count)});
    expect(written).toHaveLength(25);
    recorder.record({...policy, uid: 'u2'}, accepted);
    expect(written).toHaveLength(26);
    await clock.advance(5 * 60_000);
    for (let count = 0; count < 1000; count += 1) recorder.record(policy, {...accepted, note: `later ${count}`});
    expect(written).toHaveLength(27);
  });

  test('keeps names and notes within the bounds of the API server', () => {
    const {written, recorder} = setUp();
    recorder.record({...policy, name: `${'a'.repeat(235)}.bcdefghijklmnop`}, {...accepted, note: '€'.repeat(1000)});
    const {metadata, note} = written[0]?.body ?? {};
    const {name} = metadata as {name: string};
    expect(name).toMatch(/^a{235}\.[0-9a-f]{16}$/);
    expect(Buffer.byteLength(String(note))).toBeLessThanOrEqual(1024);
    expect(note).toMatch(/^€+…$/);
  });

  test('a refusal of the API server is no failure of the operator', async () => {
    const refusing: Pick<KubeClient, 'apply'> = {
      apply: () => Promise.reject(new KubeError('PATCH', 403, {message: 'namespace is being terminated'})),
    };
    const warnings: string[] = [];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        warnings.push(String(chunk));
        done();
      },
    });
    const log = createLogger({transports: [new transports.Stream({stream})]});
    const recorder = createEventRecorder({
      client: refusing as KubeClient,
      instance: 'operator-0',
      clock: new ManualClock(),
      log,
    });
    recorder.record(policy, accepted);
    await settle();
    expect(warnings).toEqual([expect.stringContaining('namespace is being terminated')]);
  });
});
