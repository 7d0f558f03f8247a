import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {bundleOf} from '../../test/proxy/call.ts';
import {Bundles} from './bundles.ts';

const first = bundleOf([{name: 'first'}], '1');
const second = bundleOf([{name: 'second'}], '2');

/** Bundles with a clock in the test's hands, in milliseconds. */
function clocked(maximumStalenessSeconds = 300) {
  const clock = {now: 1_000_000};
  return {clock, bundles: new Bundles({maximumStalenessSeconds, now: () => clock.now})};
}

describe('a bundle that is offered', () => {
  test('is in force, and acknowledged as applied', () => {
    const {bundles} = clocked();
    expect(bundles.current).toBeUndefined();
    expect(bundles.offer(JSON.parse(JSON.stringify(first)), 'proxy-1')).toEqual({
      proxy: 'proxy-1',
      revision: '1',
      hash: first.hash,
      result: 'Applied',
    });
    expect(bundles.current).toMatchObject({revision: '1', hash: first.hash, policyCount: 1});
  });

  test('takes the place of the one before', () => {
    const {bundles} = clocked();
    bundles.offer(first, 'p');
    bundles.offer(second, 'p');
    expect(bundles.current?.revision).toBe('2');
  });

  test.each<[string, unknown, object]>([
    ['with a field that is not known', {...second, added: true}, {revision: '2', hash: second.hash}],
    ['of another schema', {...second, schemaVersion: 2}, {revision: '2', hash: second.hash}],
    ['that was changed on the way', {...second, policies: []}, {revision: '2', hash: second.hash}],
    ['without a revision', {...second, revision: 7}, {revision: '', hash: second.hash}],
    ['that is null', null, {revision: '', hash: ''}],
    ['that is a list', [second], {revision: '', hash: ''}],
    ['that is a text', 'bundle', {revision: '', hash: ''}],
    ['that is missing', undefined, {revision: '', hash: ''}],
  ])('%s is rejected with the reason, and the last good one stays', (_name, offered, named) => {
    const {bundles} = clocked();
    bundles.offer(first, 'p');
    const inForce = bundles.current;
    const acknowledgement = bundles.offer(offered, 'p');
    expect(acknowledgement).toEqual({proxy: 'p', result: 'Rejected', reason: expect.stringMatching(/./), ...named});
    expect(bundles.current).toBe(inForce);
  });

  test('and rejected leaves a proxy that has none without one', () => {
    const {bundles} = clocked();
    bundles.offer({...first, schemaVersion: 9}, 'p');
    expect(bundles.current).toBeUndefined();
  });

  test('may be anything at all', () => {
    const {bundles} = clocked();
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(bundles.offer(value, 'p').result).toBe('Rejected');
      }),
    );
  });
});

describe('staleness', () => {
  test('counts from when the operator was last heard', () => {
    const {bundles, clock} = clocked();
    bundles.heard();
    clock.now += 5_500;
    expect(bundles.stalenessSeconds()).toBe(5.5);
    bundles.heard();
    expect(bundles.stalenessSeconds()).toBe(0);
  });

  test.each([
    [0, false],
    [300_000, false],
    [300_001, true],
  ])('after %d ms of at most 300 s: %s', (milliseconds, stale) => {
    const {bundles, clock} = clocked();
    bundles.heard();
    clock.now += milliseconds;
    expect(bundles.stale).toBe(stale);
  });

  test('a proxy that never heard the operator is stale', () => {
    expect(clocked().bundles.stale).toBe(true);
  });

  test('a bundle alone does not tell that the operator is there', () => {
    const {bundles} = clocked();
    bundles.offer(first, 'p');
    expect(bundles.stale).toBe(true);
  });
});
