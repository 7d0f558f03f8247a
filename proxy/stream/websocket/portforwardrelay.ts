import type {ForwardedConnection, Output, PortForwardSession, StreamRelay} from '../session.ts';
import {ProtocolError, readMessage, writeMessage} from './message.ts';
import {joinWebSockets, type Sides} from './pair.ts';
import type {ChannelProtocol} from './protocols.ts';

/** A port's bytes go both ways on an even channel; the odd one behind it carries errors to the agent. */
interface Channel {
  readonly port: number;
  readonly kind: 'data' | 'error';
  readonly connection: ForwardedConnection;
  readonly output: Output;
  /** The first message of each channel names its port. */
  announced: boolean;
  flushed: boolean;
}

/**
 * Carries a port-forward of the older kind from WebSocket to WebSocket: the ports stand in the query, and each is one
 * connection as long as the stream (k8s.io/kubelet, pkg/cri/streaming/portforward/websocket.go).
 *
 * @param options.ports as `forwardedPorts` reads them
 */
export function relayPortForwardOverWebSocket(
  options: Sides & {
    readonly protocol: ChannelProtocol;
    readonly session: PortForwardSession;
    readonly ports: readonly number[];
  },
): StreamRelay {
  const {protocol, session, ports} = options;
  const connections = ports.map((port) => session.connection(port));
  let onFlushed: (() => void) | undefined;

  const settle = () => {
    if (channels.every(({flushed}) => flushed)) onFlushed?.();
  };

  const channels: readonly Channel[] = connections.flatMap((connection, pairIndex) =>
    (['data', 'error'] as const).map((kind, kindIndex): Channel => {
      const number = 2 * pairIndex + kindIndex;
      const output = connection.output(kind, {
        emit: (bytes) => pair.toAgent(writeMessage(protocol, number, bytes)),
        ended() {
          channel.flushed = true;
          settle();
        },
      });
      const channel: Channel = {
        port: ports[pairIndex] ?? 0,
        kind,
        connection,
        output,
        announced: false,
        flushed: false,
      };
      return channel;
    }),
  );

  const pair = joinWebSockets(options, session, {
    fromAgent(data) {
      const message = readMessage(protocol, data);
      if (message.kind !== 'Data') return;
      const channel = channels[message.channel];
      if (channel?.kind !== 'data') throw new ProtocolError(`channel ${message.channel} is not the client's to write`);
      channel.connection.sent(message.bytes.length);
      pair.toUpstream(protocol.base64 ? writeMessage(protocol, message.channel, message.bytes) : data);
    },
    fromUpstream(data) {
      const message = readMessage(protocol, data);
      if (message.kind !== 'Data') return;
      const channel = channels[message.channel];
      if (channel === undefined) throw new ProtocolError(`channel ${message.channel} belongs to no port`);
      if (channel.announced) {
        if (message.bytes.length > 0) channel.output.push(message.bytes);
        return;
      }
      if (message.bytes.length !== 2 || message.bytes.readUInt16LE() !== channel.port) {
        throw new ProtocolError(`channel ${message.channel} is not for port ${channel.port}, which was asked for`);
      }
      channel.announced = true;
      pair.toAgent(writeMessage(protocol, message.channel, message.bytes));
    },
    upstreamEnded(flushed) {
      onFlushed = flushed;
      for (const {output} of channels) output.end();
    },
    farewell({message}) {
      const text = Buffer.from(message);
      return channels.flatMap(({kind}, number) => (kind === 'error' ? [writeMessage(protocol, number, text)] : []));
    },
  });
  const done = pair.done.then((outcome) => {
    for (const connection of connections) connection.closed(outcome.error);
    return outcome;
  });
  return {done, end: pair.end};
}
