import {describe, expect, test} from '@jest/globals';
import {agent, operation} from '../../test/operations.ts';
import {callOf} from '../../test/proxy/call.ts';
import {Metrics} from '../serve/metrics.ts';
import {withCapacity} from './capacity.ts';

const short = {agent: agent(), operation: operation()};
const watch = {agent: agent(), operation: operation({verb: 'watch'})};

/** The filter with room for two, before calls that end when the test says so. */
function filled() {
  const metrics = new Metrics();
  const under: {end(): void; fail(error: Error): void}[] = [];
  const filter = withCapacity(
    {maximumRequestsInFlight: 2, metrics},
    () => new Promise<void>((resolve, reject) => under.push({end: resolve, fail: reject})),
  );
  return {
    under,
    call: (resolved: typeof short) => filter(callOf().call, resolved),
    async inFlight() {
      const {values} = await metrics.inFlight.get();
      return Object.fromEntries(values.map(({labels, value}) => [labels.kind, value]));
    },
  };
}

const overloaded = {name: 'Refusal', code: 'Overloaded', httpStatus: 429, retryAfterSeconds: 1};

describe('calls that end soon', () => {
  test('are refused with 429 past the bound, and taken again when one has ended', async () => {
    const {under, call} = filled();
    const first = call(short);
    const second = call(short);
    await expect(call(short)).rejects.toMatchObject(overloaded);
    under[0]?.end();
    await first;
    const third = call(short);
    await expect(call(short)).rejects.toMatchObject(overloaded);
    under[1]?.end();
    under[2]?.end();
    await Promise.all([second, third]);
  });

  test('leave their place when they fail', async () => {
    const {under, call, inFlight} = filled();
    const calls = [call(short), call(short)];
    for (const each of under) each.fail(new Error('upstream'));
    for (const each of calls) await expect(each).rejects.toThrow('upstream');
    expect(await inFlight()).toMatchObject({short: 0});
    const next = call(short);
    under[2]?.end();
    await next;
  });
});

test('calls that last are not bounded, and take no place of others', async () => {
  const {under, call, inFlight} = filled();
  const watches = Array.from({length: 5}, () => call(watch));
  const others = [call(short), call(short)];
  expect(await inFlight()).toEqual({short: 2, long: 5});
  for (const each of under) each.end();
  await Promise.all([...watches, ...others]);
  expect(await inFlight()).toEqual({short: 0, long: 0});
});
