import type {StreamRelay} from '../../proxy/stream/session.ts';
import type {SpdySides} from '../../proxy/stream/spdy/bridge.ts';
import {socketPair} from './sockets.ts';
import {type SpdyEnd, spdyEnd, type Tap} from './spdyends.ts';

export interface Relayed {
  readonly relay: StreamRelay;
  /** The client and the server that the relay stands between. */
  readonly agent: SpdyEnd;
  readonly kubelet: SpdyEnd;
  /** The relay's own two. */
  readonly sides: SpdySides;
  close(): void;
}

/** A relay with a client and a server of its protocol at its sides; the server replies unless told otherwise. */
export async function relayed(
  start: (sides: SpdySides) => StreamRelay,
  options: {readonly onOpened?: (tap: Tap) => void} = {},
): Promise<Relayed> {
  const [agentSocket, agent] = await socketPair();
  const [kubeletSocket, upstream] = await socketPair();
  const none = Buffer.alloc(0);
  const sides = {agent, upstream, agentHead: none, upstreamHead: none, pingIntervalMilliseconds: 60_000};
  return {
    relay: start(sides),
    sides,
    agent: spdyEnd('Client', agentSocket),
    kubelet: spdyEnd('Server', kubeletSocket, options),
    close() {
      for (const socket of [agentSocket, kubeletSocket, agent, upstream]) socket.destroy();
    },
  };
}
