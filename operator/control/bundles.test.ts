import {EventEmitter} from 'node:events';
import type {ServerResponse} from 'node:http';
import {describe, expect, test} from '@jest/globals';
import type {BundleMessage} from '../../core/control/messages.ts';
import type {Bundle, BundlePolicy} from '../../core/policy/bundle.ts';
import {bundleHash} from '../../core/policy/hash.ts';
import {loadBundle} from '../../core/policy/loadbundle.ts';
import {ManualClock, settle} from '../../test/manualclock.ts';
import {createAcknowledgements} from './acknowledgements.ts';
import {bundleFor, createBundleStreams} from './bundles.ts';
import type {Caller} from './caller.ts';
import {Refusal} from './refusal.ts';

const gateway: Caller = {
  kind: 'Gateway',
  username: 'system:serviceaccount:lockkeeper-system:gateway',
  namespace: 'lockkeeper-system',
  name: 'gateway',
  groups: [],
};
const sidecar: Caller = {
  kind: 'Sidecar',
  username: 'system:serviceaccount:payments:bot',
  namespace: 'payments',
  name: 'bot',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:payments', 'system:authenticated'],
};

function policy(name: string, subject: BundlePolicy['subjects'][number]): BundlePolicy {
  return {
    namespace: 'lockkeeper-system',
    name,
    uid: `uid-${name}`,
    generation: 1,
    enforcementMode: 'Enforce',
    subjects: [subject],
    rules: [],
    masking: [],
    auditLevel: 'Metadata',
    recordInput: false,
  };
}

function bundle(revision: string, ...policies: readonly BundlePolicy[]): Bundle {
  const rootNamespace = 'lockkeeper-system';
  return {schemaVersion: 1, revision, rootNamespace, policies, hash: bundleHash({rootNamespace, policies})};
}

class Publisher {
  readonly #listeners = new Set<(bundle: Bundle) => void>();
  #current: Bundle | undefined;
  constructor(current?: Bundle) {
    this.#current = current;
  }
  current() {
    return this.#current;
  }
  subscribe(listener: (bundle: Bundle) => void) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  publish(published: Bundle) {
    this.#current = published;
    for (const listener of this.#listeners) {
      listener(published);
    }
  }
  get subscribers() {
    return this.#listeners.size;
  }
}

/** A response whose reader takes what it is given, or not. */
class Reader extends EventEmitter {
  readonly messages: BundleMessage[] = [];
  reads = true;
  destroyed = false;
  writeHead() {
    return this;
  }
  flushHeaders() {}
  write(text: string) {
    this.messages.push(JSON.parse(text));
    return this.reads;
  }
  end() {
    this.emit('close');
  }
  destroy() {
    this.destroyed = true;
    this.emit('close');
  }
  get revisions() {
    return this.messages.flatMap((message) => (message.type === 'Bundle' ? [message.bundle.revision] : []));
  }
}

function setUp(current?: Bundle) {
  const clock = new ManualClock();
  const publisher = new Publisher(current);
  const told: string[] = [];
  const proxies = {
    connected: (proxy: string) => void told.push(`+${proxy}`),
    disconnected: (proxy: string) => void told.push(`-${proxy}`),
  };
  const gauge = {value: 0, inc: () => void gauge.value++, dec: () => void gauge.value--};
  const streams = createBundleStreams({publisher, proxies, clock, connected: gauge});
  function open(caller: Caller, proxy = 'p', recheck: () => Promise<unknown> = async () => undefined): Reader {
    const reader = new Reader();
    streams.open(caller, proxy, reader as unknown as ServerResponse, recheck);
    return reader;
  }
  return {clock, publisher, told, gauge, streams, open};
}

const everyone = policy('everyone', {kind: 'User', name: '*'});
const payments = policy('payments', {kind: 'Group', name: 'system:serviceaccounts:payments'});
const bot = policy('bot', {kind: 'ServiceAccount', namespace: 'payments', name: 'bot'});
const others = policy('others', {kind: 'Group', name: 'ai-agents'});

describe('the part of a sidecar', () => {
  const whole = bundle('5', everyone, payments, bot, others);

  test('is what can concern its own ServiceAccount, and loads as a bundle of its own', () => {
    const part = bundleFor(sidecar, whole);
    expect(part.policies.map(({name}) => name)).toEqual(['everyone', 'payments', 'bot']);
    expect(() => loadBundle(JSON.parse(JSON.stringify(part)))).not.toThrow();
  });

  test('of a gateway is the whole', () => {
    expect(bundleFor(gateway, whole)).toBe(whole);
  });
});

describe('a bundle stream', () => {
  test('begins with the current bundle and goes on with each new one', () => {
    const {open, publisher} = setUp(bundle('1', everyone));
    const reader = open(gateway);
    publisher.publish(bundle('2', bot));
    expect(reader.revisions).toEqual(['1', '2']);
  });

  test('waits for the first bundle', () => {
    const {open, publisher} = setUp();
    const reader = open(gateway);
    expect(reader.messages).toEqual([]);
    publisher.publish(bundle('1'));
    expect(reader.revisions).toEqual(['1']);
  });

  test('beats every five seconds', async () => {
    const {clock, open} = setUp();
    const reader = open(gateway);
    await clock.advance(15_000);
    expect(reader.messages).toEqual([{type: 'Heartbeat'}, {type: 'Heartbeat'}, {type: 'Heartbeat'}]);
  });

  test('gives a slow reader only the newest of what it missed', async () => {
    const {clock, open, publisher} = setUp(bundle('1'));
    const reader = open(gateway);
    reader.reads = false;
    publisher.publish(bundle('2'));
    for (let revision = 3; revision < 100; revision++) {
      publisher.publish(bundle(String(revision)));
    }
    await clock.advance(10_000);
    expect(reader.revisions).toEqual(['1', '2']);
    reader.reads = true;
    reader.emit('drain');
    expect(reader.revisions).toEqual(['1', '2', '99']);
  });

  test('cuts a reader that takes nothing for a minute', async () => {
    const {clock, open, publisher} = setUp();
    const reader = open(gateway);
    reader.reads = false;
    publisher.publish(bundle('1'));
    await clock.advance(70_000);
    expect(reader.destroyed).toBe(true);
  });

  test('tells who came and went, and leaves nothing behind', async () => {
    const {clock, gauge, open, publisher, told} = setUp(bundle('1'));
    const reader = open(sidecar, 'bot-7');
    expect([told, gauge.value]).toEqual([['+payments/bot/bot-7'], 1]);
    reader.emit('close');
    expect([told, gauge.value]).toEqual([['+payments/bot/bot-7', '-payments/bot/bot-7'], 0]);
    expect([publisher.subscribers, clock.pending]).toEqual([0, []]);
  });

  test('is not opened for a caller that has gone meanwhile', () => {
    const {streams, publisher, told} = setUp(bundle('1'));
    const reader = new Reader();
    reader.destroyed = true;
    streams.open(gateway, 'p', reader as unknown as ServerResponse, async () => undefined);
    expect([publisher.subscribers, told]).toEqual([0, []]);
  });

  test.each([
    ['ends when the token is no longer good', new Refusal('Unauthenticated', 401, 'expired'), true],
    ['goes on while nobody can tell', new Refusal('AuthenticationUnavailable', 503, 'down'), false],
  ])('%s', async (_name, refusal, destroyed) => {
    const {clock, open} = setUp();
    const reader = open(sidecar, 'p', () => Promise.reject(refusal));
    await clock.advance(5_000);
    await settle();
    expect(reader.destroyed).toBe(destroyed);
  });

  test('is one of a bounded number for a ServiceAccount', () => {
    const {open} = setUp();
    for (let i = 0; i < 1024; i++) {
      open(sidecar, `p${i}`).setMaxListeners(0);
    }
    expect(() => open(sidecar, 'one-more')).toThrow(expect.objectContaining({httpStatus: 429}));
    expect(() => open(gateway)).not.toThrow();
  });

  test('ends when the server closes', () => {
    const {gauge, open, streams} = setUp();
    open(gateway);
    open(sidecar);
    streams.close();
    expect(gauge.value).toBe(0);
  });
});

describe('an acknowledgement', () => {
  function acknowledgements(current?: Bundle) {
    const publisher = new Publisher(current);
    const recorded: object[] = [];
    const recordAcknowledgement = (acknowledgement: object) => void recorded.push(acknowledgement);
    return {publisher, recorded, ...createAcknowledgements(publisher, {recordAcknowledgement})};
  }
  const whole = bundle('5', everyone, others);
  const part = bundleFor(sidecar, whole);
  const applied = {proxy: 'p', revision: '5', hash: part.hash, result: 'Applied' as const};

  test('of a part counts for the whole, in the proven name', () => {
    const {record, recorded} = acknowledgements(whole);
    record(sidecar, applied);
    expect(recorded).toEqual([{...applied, proxy: 'payments/bot/p', hash: whole.hash}]);
  });

  test('of a bundle from before still counts for that one', () => {
    const {publisher, record, recorded} = acknowledgements(whole);
    publisher.publish(bundle('6', others));
    record(sidecar, applied);
    expect(recorded).toEqual([expect.objectContaining({hash: whole.hash})]);
  });

  test('of a bundle that this replica does not have yet counts once it has', () => {
    const {publisher, record, recorded} = acknowledgements(bundle('4', others));
    record(sidecar, applied);
    publisher.publish(whole);
    expect(recorded).toEqual([
      {...applied, proxy: 'payments/bot/p'},
      {...applied, proxy: 'payments/bot/p', hash: whole.hash},
    ]);
  });
});
