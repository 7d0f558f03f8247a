import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {ProtocolError, readMessage, writeClose, writeMessage} from './message.ts';
import {type ChannelProtocol, commandProtocols} from './protocols.ts';

function protocol(name: string): ChannelProtocol {
  const found = commandProtocols.get(name);
  if (found === undefined) throw new Error(`no protocol ${name}`);
  return found;
}
const v4 = protocol('v4.channel.k8s.io');
const v5 = protocol('v5.channel.k8s.io');
const base64 = protocol('v4.base64.channel.k8s.io');
const foo = Buffer.from('foo\n');

describe('a message', () => {
  test.each<[string, ChannelProtocol, number[] | string, unknown]>([
    ['of raw bytes', v4, [1, ...foo], {kind: 'Data', channel: 1, bytes: foo}],
    ['of a channel alone', v4, [3], {kind: 'Data', channel: 3, bytes: Buffer.alloc(0)}],
    ['of nothing', v5, [], {kind: 'Nothing'}],
    ['that closes a channel', v5, [255, 0], {kind: 'Close', channel: 0}],
    ['that closes a channel before protocols could', v4, [255, 0], {kind: 'Nothing'}],
    ['of base64', base64, '0Zm9vCg==', {kind: 'Data', channel: 0, bytes: foo}],
    ['of base64 without bytes', base64, '1', {kind: 'Data', channel: 1, bytes: Buffer.alloc(0)}],
    ['of base64 for a channel past 9', base64, ':Zm9v', {kind: 'Data', channel: 10, bytes: Buffer.from('foo')}],
  ])('%s', (_, as, data, read) => expect(readMessage(as, Buffer.from(data as string))).toEqual(read));
});

describe('refused', () => {
  test.each<[string, ChannelProtocol, number[] | string]>([
    ['a close signal for no channel', v5, [255]],
    ['a close signal for two channels', v5, [255, 0, 1]],
    ['a raw channel where a digit should be', base64, '\u0001Zm9v'],
    ['a channel past ASCII', base64, [200]],
    ['base64 without its padding', base64, '0Zm9vCg'],
    ['base64 of the URL alphabet', base64, '0Z-_v'],
    ['base64 with a line break', base64, '0Zm9v\r\n'],
    ['base64 after its padding', base64, '0Zg==Zg=='],
    ['what is no base64', base64, '0foo\n'],
  ])('%s', (_, as, data) => {
    expect(() => readMessage(as, Buffer.from(data as string))).toThrow(ProtocolError);
  });
});

test.each([...commandProtocols.values()].map((each): [string, ChannelProtocol] => [each.name, each]))(
  'what is written in "%s" is read again',
  (_, as) => {
    fc.assert(
      fc.property(fc.nat(4), fc.uint8Array(), (channel, bytes) => {
        const data = Buffer.from(writeMessage(as, channel, Buffer.from(bytes)) as string);
        expect(readMessage(as, data)).toEqual({kind: 'Data', channel, bytes: Buffer.from(bytes)});
      }),
    );
  },
);

test('a close is read again', () => {
  expect(readMessage(v5, writeClose(2))).toEqual({kind: 'Close', channel: 2});
});

test.each([...commandProtocols.values()].map((each): [string, ChannelProtocol] => [each.name, each]))(
  'any message of "%s" is one reading or refused',
  (_, as) => {
    const bytes = fc.oneof(fc.uint8Array(), fc.base64String().map(Buffer.from));
    fc.assert(
      fc.property(bytes, (data) => {
        try {
          const message = readMessage(as, Buffer.from(data));
          // What went to the recording is what goes on: base64 has one spelling.
          if (as.base64 && message.kind === 'Data') {
            const again = Buffer.from(writeMessage(as, message.channel, message.bytes));
            expect(readMessage(as, again)).toEqual(message);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  },
);
