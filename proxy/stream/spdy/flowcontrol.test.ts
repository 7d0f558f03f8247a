import {expect, test} from '@jest/globals';
import {connectionId, ReceiveWindows, SendWindows} from './flowcontrol.ts';

function sending(): SendWindows {
  const windows = new SendWindows();
  windows.open(1);
  windows.open(3);
  return windows;
}

test('a peer that shows no windows is sent to without bound', () => {
  const windows = sending();
  windows.spend(1, 10_000_000);
  expect(windows.allowed(1)).toBe(Number.POSITIVE_INFINITY);
});

test('the first WINDOW_UPDATE makes the windows of all streams bind, with what was sent before it', () => {
  const windows = sending();
  windows.spend(1, 65_536);
  windows.spend(3, 1_000);
  windows.grant(1, 500);
  expect(windows.allowed(1)).toBe(500);
  expect(windows.allowed(3)).toBe(64_536);
});

test('the window of the connection binds once it was granted something, beside those of the streams', () => {
  const windows = sending();
  windows.spend(1, 60_000);
  windows.grant(connectionId, 100);
  expect(windows.allowed(1)).toBe(5_636);
  windows.grant(3, 1);
  expect(windows.allowed(3)).toBe(5_636);
  windows.grant(connectionId, 1_000_000);
  expect(windows.allowed(1)).toBe(5_536);
});

test('a new initial size moves the windows there are, below zero too, and is that of streams to come', () => {
  const windows = sending();
  windows.spend(1, 60_000);
  windows.setInitial(10_000);
  windows.open(5);
  expect([1, 3, 5].map((id) => windows.allowed(id))).toEqual([-50_000, 10_000, 10_000]);
});

test('a closed stream has no window', () => {
  const windows = sending();
  windows.grant(3, 1);
  windows.close(1);
  windows.grant(1, 100);
  expect(windows.allowed(1)).toBe(0);
});

test('the peer is granted anew what half of its 2 GiB took', () => {
  const windows = new ReceiveWindows();
  const half = 2 ** 30;
  expect(windows.consume(1, half - 1)).toBe(0);
  expect(windows.consume(3, 1)).toBe(0);
  expect(windows.consume(1, 10)).toBe(half + 9);
  expect(windows.consume(1, 10)).toBe(0);
});
