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
  const connections: ForwardedConnection[] = [];
  const channels: Channel[] = [];
  let onFlushed: (() => void) | undefined;
  let cutBy: string | undefined;

  const settle = () => {
    if (channels.every(({flushed}) => flushed)) onFlushed?.();
  };

  const open = (kind: Channel['kind'], port: number, connection: ForwardedConnection) => {
    const number = channels.length;
    const output = connection.output(kind, {
      emit: (bytes) => pair.toAgent(writeMessage(protocol, number, bytes)),
      ended() {
        channel.flushed = true;
        settle();
      },
    });
    const channel: Channel = {port, kind, connection, output, announced: false, flushed: false};
    channels.push(channel);
  };

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
      settle();
    },
    farewell({message}) {
      const text = Buffer.from(message);
      return ports.map((_port, i) => writeMessage(protocol, 2 * i + 1, text));
    },
  });
  try {
    for (const port of ports) {
      const connection = session.connection(port);
      connections.push(connection);
      open('data', port, connection);
      open('error', port, connection);
    }
  } catch (error) {
    pair.fail(error);
  }
  const done = pair.done.then((outcome) => {
    for (const connection of connections) connection.closed(outcome.error ?? cutBy);
    return outcome;
  });
  return {
    done,
    end(status) {
      cutBy ??= status.message;
      pair.end(status);
    },
  };
}
