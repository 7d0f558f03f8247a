import {afterEach, beforeEach, describe, expect, jest, test} from '@jest/globals';
import type {Checkpoint} from '../../core/control/messages.ts';
import {startCheckpoints} from './checkpoint.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function checkpoints() {
  let head: Checkpoint | undefined;
  const taken: number[] = [];
  const failed: unknown[] = [];
  let send: (checkpoint: Checkpoint) => Promise<void> = async () => {};
  const {stop} = startCheckpoints({
    head: () => head,
    send: (checkpoint) => send(checkpoint),
    intervalMilliseconds: 1000,
    hooks: {sent: ({sequence}) => void taken.push(sequence), failed: (error) => void failed.push(error)},
  });
  return {
    taken,
    failed,
    stop,
    headAt: (sequence: number) => {
      head = {origin: 'gateway-0', sequence, hash: String(sequence).padStart(64, '0')};
    },
    sendBy: (by: typeof send) => {
      send = by;
    },
    intervals: (count: number) => jest.advanceTimersByTimeAsync(count * 1000),
  };
}

describe('checkpoints', () => {
  test('are sent in each interval in which the head moved', async () => {
    const {headAt, intervals, stop, taken} = checkpoints();
    await intervals(2);
    expect(taken).toEqual([]);
    headAt(4);
    await intervals(3);
    headAt(9);
    await intervals(1);
    expect(taken).toEqual([4, 9]);
    await stop();
  });

  test('that fail are tried again with the newest head, and counted', async () => {
    const {failed, headAt, intervals, sendBy, stop, taken} = checkpoints();
    sendBy(() => Promise.reject(new Error('operator away')));
    headAt(4);
    await intervals(2);
    headAt(7);
    sendBy(async () => {});
    await intervals(1);
    expect(failed).toHaveLength(2);
    expect(taken).toEqual([7]);
    await stop();
  });

  test('are sent one at a time', async () => {
    const {headAt, intervals, sendBy, stop, taken} = checkpoints();
    const slow = Promise.withResolvers<void>();
    let sends = 0;
    sendBy(() => {
      sends += 1;
      return slow.promise;
    });
    headAt(4);
    await intervals(5);
    expect(sends).toBe(1);
    slow.resolve();
    await intervals(1);
    expect(taken).toEqual([4]);
    await stop();
  });

  test('end with a last one where the head moved', async () => {
    const {headAt, intervals, stop, taken} = checkpoints();
    headAt(4);
    await stop();
    headAt(5);
    await intervals(5);
    expect(taken).toEqual([4]);
  });
});
