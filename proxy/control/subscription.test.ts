import {expect, test} from '@jest/globals';
import winston from 'winston';
import type {Acknowledgement, BundleMessage} from '../../core/control/messages.ts';
import {bundleOf} from '../../test/proxy/call.ts';
import {Bundles} from '../authorize/bundles.ts';
import {Metrics} from '../serve/metrics.ts';
import {ControlUnavailable} from './client.ts';
import {followBundles} from './subscription.ts';

const bundle = (revision: string): BundleMessage => ({type: 'Bundle', bundle: bundleOf([], revision)});
const broken: BundleMessage = {type: 'Bundle', bundle: {...bundleOf([], '9'), schemaVersion: 2 as never}};
const heartbeat: BundleMessage = {type: 'Heartbeat'};

/** One connection of the operator's: what it sends, with a turn of the event loop behind each; then it breaks. */
type Connection = readonly (BundleMessage | (() => void | Promise<void>))[];

/** Follows an operator that offers these connections one after the other, until the last has broken. */
async function following(
  connections: readonly Connection[],
  acknowledge: (acknowledgement: Acknowledgement) => Promise<void> = async () => {},
) {
  const stop = new AbortController();
  const acknowledged: string[] = [];
  const pauses: number[] = [];
  let clock = 0;
  let connected = 0;
  const bundles = new Bundles({maximumStalenessSeconds: 300, now: () => clock});
  const metrics = new Metrics();
  await followBundles({
    control: {
      async *bundles() {
        for (const step of connections[connected++] ?? []) {
          if (typeof step === 'function') await step();
          else yield step;
          await new Promise(setImmediate);
        }
        if (connected === connections.length) stop.abort();
        throw new ControlUnavailable('the operator ended the bundle stream');
      },
      async acknowledge(acknowledgement) {
        acknowledged.push(`${acknowledgement.revision} ${acknowledgement.result}`);
        await acknowledge(acknowledgement);
      },
    },
    bundles,
    proxy: 'proxy-1',
    log: winston.createLogger({silent: true}),
    metrics,
    random: () => 0.5,
    pause: async (milliseconds) => void pauses.push(milliseconds),
    signal: stop.signal,
  });
  const counted = (await metrics.bundles.get()).values.map(({labels, value}) => `${value} ${labels.result}`);
  return {bundles, acknowledged, pauses, counted, tick: (milliseconds: number) => (clock += milliseconds)};
}

test('each bundle is put in force and acknowledged', async () => {
  const {bundles, acknowledged, counted} = await following([[bundle('1'), heartbeat, bundle('2')]]);
  expect(bundles.current?.revision).toBe('2');
  expect(acknowledged).toEqual(['1 Applied', '2 Applied']);
  expect(counted).toEqual(['2 Applied']);
});

test('a bundle that is rejected is acknowledged as such, and the one before stays', async () => {
  const {bundles, acknowledged, counted} = await following([[bundle('1'), broken, heartbeat]]);
  expect(bundles.current?.revision).toBe('1');
  expect(acknowledged).toEqual(['1 Applied', '9 Rejected']);
  expect(counted).toEqual(['1 Applied', '1 Rejected']);
});

test('bundles and heartbeats both say that the operator is there', async () => {
  for (const message of [bundle('1'), heartbeat, broken]) {
    const {bundles, tick} = await following([[message]]);
    tick(1000);
    expect(bundles.stalenessSeconds()).toBe(1);
  }
  expect((await following([[]])).bundles.stalenessSeconds()).toBe(Number.POSITIVE_INFINITY);
});

test('a stream that breaks is opened again, and the bundle stays in force meanwhile', async () => {
  const {bundles, acknowledged} = await following([[bundle('1')], [], [heartbeat]]);
  expect(bundles.current?.revision).toBe('1');
  expect(acknowledged).toEqual(['1 Applied']);
});

test('the wait between tries doubles up to 5 s, and is short again after a message', async () => {
  const {pauses} = await following([[], [], [], [], [], [], [], [heartbeat], [], []]);
  expect(pauses).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 200, 400]);
});

test('an acknowledgement that fails ends nothing, and is sent again with the next heartbeat', async () => {
  let failures = 2;
  const {acknowledged, bundles, pauses} = await following(
    [[bundle('1'), heartbeat, heartbeat, heartbeat]],
    async () => {
      if (failures-- > 0) throw new ControlUnavailable('timeout');
    },
  );
  expect(acknowledged).toEqual(['1 Applied', '1 Applied', '1 Applied']);
  expect(bundles.current?.revision).toBe('1');
  expect(pauses).toEqual([]);
});

test('the next bundle does not wait for the acknowledgement of the one before', async () => {
  const answered = Promise.withResolvers<void>();
  const {bundles, acknowledged} = await following(
    [[bundle('1'), bundle('2'), bundle('3'), () => answered.resolve(), heartbeat]],
    () => answered.promise,
  );
  expect(bundles.current?.revision).toBe('3');
  // Nobody needs to hear of the second any more.
  expect(acknowledged).toEqual(['1 Applied', '3 Applied']);
});
