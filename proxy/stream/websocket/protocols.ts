import {subprotocols} from '../../../core/request/websocket.ts';

/** A WebSocket subprotocol whose messages each begin with the number of their channel. */
export interface ChannelProtocol {
  /** "" where the client offers none, which the servers take for the oldest one. */
  readonly name: string;
  /** The channel is a digit and its bytes are base64, in text frames; otherwise both are raw, in binary frames. */
  readonly base64: boolean;
  /** A message of two bytes, 255 and a channel, says that its sender is done with that channel. */
  readonly closesChannels: boolean;
  /** What the error channel of a command carries in the end. */
  readonly exit: 'Status' | 'Text';
}

const oldest: ChannelProtocol = {name: '', base64: false, closesChannels: false, exit: 'Text'};

/*
 * What WebSocket servers of Kubernetes speak: the container runtimes (k8s.io/kubelet, pkg/cri/streaming) all but v5,
 * the kubelet and the API server (k8s.io/apiserver, pkg/util/proxy) v5 alone. v2 and v3 exist for SPDY only.
 */

/** For exec and attach. */
export const commandProtocols: ReadonlyMap<string, ChannelProtocol> = byName([
  oldest,
  {...oldest, name: 'channel.k8s.io'},
  {...oldest, name: 'base64.channel.k8s.io', base64: true},
  {...oldest, name: 'v4.channel.k8s.io', exit: 'Status'},
  {...oldest, name: 'v4.base64.channel.k8s.io', exit: 'Status', base64: true},
  {...oldest, name: 'v5.channel.k8s.io', exit: 'Status', closesChannels: true},
]);

/** For port-forward with two channels for each port. */
export const portForwardProtocols: ReadonlyMap<string, ChannelProtocol> = byName([
  oldest,
  {...oldest, name: 'v4.channel.k8s.io'},
  {...oldest, name: 'v4.base64.channel.k8s.io', base64: true},
]);

/** For port-forward with a SPDY connection inside: no channels, its messages are a stream of bytes. */
export const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';

/**
 * What of the client's subprotocols goes to the API server, in the client's order: those that can be relayed, and never
 * a token. Empty where the client offers none; undefined where it offers only what is not known here.
 *
 * @param header `Sec-WebSocket-Protocol` as the client sent it
 */
export function relayableSubprotocols(
  header: string | undefined,
  known: {has(protocol: string): boolean},
): readonly string[] | undefined {
  const {offered} = subprotocols(header);
  const relayable = [...new Set(offered)].filter((protocol) => known.has(protocol));
  return relayable.length === 0 && header !== undefined ? undefined : relayable;
}

function byName(protocols: readonly ChannelProtocol[]): ReadonlyMap<string, ChannelProtocol> {
  return new Map(protocols.map((protocol) => [protocol.name, protocol]));
}
