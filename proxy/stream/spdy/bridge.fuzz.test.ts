import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {OpenCommandSession} from '../../../test/stream/sessions.ts';
import {socketPair} from '../../../test/stream/sockets.ts';
import {RawPeer} from '../../../test/stream/spdyends.ts';
import {relayCommandOverSpdy} from './commandrelay.ts';
import * as frames from './frames.ts';
import {HeaderBlockReader, HeaderBlockWriter} from './headerblock.ts';

type Write = (block: (headers: Map<string, string>) => Buffer) => Buffer;

const streamId = fc.integer({min: 0, max: 9});
const type = fc.constantFrom('error', 'stdin', 'stdout', 'stderr', 'resize', 'data', '');
const fin = fc.boolean();
const flags = fc.nat(3);

/** Frames, most of them well formed, in no sensible order. */
const write: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(streamId, fin, type).map(
      ([id, f, t]): Write =>
        (block) =>
          frames.synStream(id * 2 + 1, f, block(new Map([['streamtype', t]]))),
    ),
  },
  {
    weight: 4,
    arbitrary: streamId.map(
      (id): Write =>
        (block) =>
          frames.synReply(id * 2 + 1, block(new Map())),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(streamId, fin, fc.uint8Array({maxLength: 30})).map(
      ([id, f, bytes]): Write =>
        () =>
          Buffer.concat([frames.dataHeader(id * 2 + 1, f, bytes.length), bytes]),
    ),
  },
  {
    weight: 2,
    arbitrary: streamId.map(
      (id): Write =>
        () =>
          frames.rstStream(id * 2 + 1, 5),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(streamId, fc.nat(100)).map(
      ([id, n]): Write =>
        () =>
          frames.windowUpdate(id, n),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat(100).map(
      (n): Write =>
        () =>
          frames.settings(frames.initialWindowSetting, n),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat(3).map(
      (id): Write =>
        () =>
          frames.ping(id),
    ),
  },
  {
    weight: 1,
    arbitrary: streamId.map(
      (id): Write =>
        () =>
          frames.goAway(id, 0),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.integer({min: 1, max: 10}), flags, fc.uint8Array({maxLength: 20})).map(
      ([kind, f, payload]): Write =>
        () =>
          frames.controlFrame(kind, f, Buffer.from(payload)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.uint8Array({maxLength: 20}).map(
      (bytes): Write =>
        () =>
          Buffer.from(bytes),
    ),
  },
);

test('whatever both sides say, the relay says what SPDY allows, passes on no stdin unseen, and ends', async () => {
  const script = fc.array(fc.tuple(fc.boolean(), write), {minLength: 1, maxLength: 40});
  await fc.assert(
    fc.asyncProperty(script, fc.boolean(), async (steps, agentEnds) => {
      const [agentSocket, agent] = await socketPair();
      const [upstreamSocket, upstream] = await socketPair();
      const session = new OpenCommandSession();
      const none = Buffer.alloc(0);
      const {done} = relayCommandOverSpdy({
        agent,
        upstream,
        agentHead: none,
        upstreamHead: none,
        session,
        streams: new Set(['error', 'stdin', 'stdout', 'stderr', 'resize']),
        protocol: 'v4.channel.k8s.io',
        pingIntervalMilliseconds: 60_000,
      });
      // Whatever the relay writes is read here: a frame that SPDY does not allow would throw.
      const sides = [agentSocket, upstreamSocket].map((socket) => {
        const peer = new RawPeer(socket);
        socket.on('end', () => socket.end());
        return {peer, writer: new HeaderBlockWriter()};
      });
      for (const [isAgent, step] of steps) {
        const side = sides[isAgent ? 0 : 1];
        if (side?.peer.socket.writable) side.peer.socket.write(step((headers) => side.writer.write(headers)));
        await new Promise(setImmediate);
      }
      (agentEnds ? agentSocket : upstreamSocket).end();
      await done;

      const sent = sides.map(({peer}) => {
        const reader = new HeaderBlockReader();
        return peer.frames.map((frame) => ('headerBlock' in frame ? reader.read(frame.headerBlock) : undefined));
      });
      const stdin = (sent[1] ?? []).findIndex((headers) => headers?.get('streamtype') === 'stdin');
      const opened = sides[1]?.peer.frames[stdin];
      const passed = (sides[1]?.peer.frames ?? [])
        .filter((frame) => frame.type === 'Data' && opened?.type === 'SynStream' && frame.streamId === opened.streamId)
        .map((frame) => (frame.type === 'Data' ? frame.text : ''));
      expect(session.seen.stdin.startsWith(passed.join(''))).toBe(true);
    }),
    {numRuns: 200},
  );
}, 60_000);
