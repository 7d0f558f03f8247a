import type {CommandSession, Output, OutputChannel, StreamRelay} from '../session.ts';
import {ProtocolError, readMessage, writeClose, writeMessage} from './message.ts';
import {joinWebSockets, type Sides} from './pair.ts';
import type {ChannelProtocol} from './protocols.ts';

const stdinChannel = 0;
const errorChannel = 3;
const resizeChannel = 4;
const outputChannels: ReadonlyMap<number, OutputChannel> = new Map([
  [1, 'stdout'],
  [2, 'stderr'],
  [errorChannel, 'error'],
]);
/** The error channel carries one Status, or the text of an error. */
const maximumErrorBytes = 1024 * 1024;

/** One output channel on its way to the agent. */
interface Way {
  readonly output: Output;
  /** Upstream sends no more. */
  ended: boolean;
  /** All of it was emitted. */
  flushed: boolean;
  /** The agent is to hear that the channel has ended, while the connection goes on. */
  closes: boolean;
}

/** Carries an exec or attach from WebSocket to WebSocket, both of one subprotocol. */
export function relayCommandOverWebSocket(
  options: Sides & {
    readonly protocol: ChannelProtocol;
    readonly session: CommandSession;
    /** Whether the request asked for an input: without it nothing is passed on as one, since no policy saw it. */
    readonly stdin: boolean;
  },
): StreamRelay {
  const {protocol, session, stdin} = options;
  const ways = new Map<number, Way>();
  /** The error channel says how the command ended: after all of its output, some of which may wait for the disk. */
  const lastWords: (Buffer | string)[] = [];
  let errorBytes = 0;
  let onFlushed: (() => void) | undefined;

  const tell = (channel: number, message: Buffer | string) => {
    if (channel === errorChannel) lastWords.push(message);
    else pair.toAgent(message);
  };

  const wayOf = (channel: number, name: OutputChannel): Way => {
    const known = ways.get(channel);
    if (known !== undefined) return known;
    const output = session.output(name, {
      emit: (bytes) => tell(channel, writeMessage(protocol, channel, bytes)),
      ended() {
        way.flushed = true;
        if (way.closes) tell(channel, writeClose(channel));
        settle();
      },
    });
    const way: Way = {output, ended: false, flushed: false, closes: false};
    ways.set(channel, way);
    return way;
  };

  const endWay = (way: Way) => {
    if (way.ended) return;
    way.ended = true;
    way.output.end();
  };

  const settle = () => {
    if (onFlushed === undefined) return;
    for (const {flushed} of ways.values()) if (!flushed) return;
    for (const message of lastWords.splice(0)) pair.toAgent(message);
    onFlushed();
  };

  const pair = joinWebSockets(options, session, {
    fromAgent(data) {
      const message = readMessage(protocol, data);
      if (message.kind === 'Nothing') return;
      const {channel} = message;
      if (channel !== stdinChannel && channel !== resizeChannel) {
        throw new ProtocolError(`channel ${channel} is not the client's to write`);
      }
      if (channel === stdinChannel && !stdin) return;
      if (message.kind === 'Close') {
        pair.toUpstream(writeClose(channel));
        return;
      }
      if (channel === resizeChannel) session.resize(message.bytes);
      else if (message.bytes.length > 0) session.stdin(message.bytes);
      // Base64 is written anew: upstream decodes what was recorded, nothing else.
      pair.toUpstream(protocol.base64 ? writeMessage(protocol, channel, message.bytes) : data);
    },
    fromUpstream(data) {
      const message = readMessage(protocol, data);
      if (message.kind === 'Nothing') return;
      const {channel} = message;
      const name = outputChannels.get(channel);
      if (message.kind === 'Close') {
        if (name === undefined) {
          pair.toAgent(writeClose(channel));
          return;
        }
        const way = wayOf(channel, name);
        way.closes = true;
        endWay(way);
        return;
      }
      if (name === undefined) throw new ProtocolError(`channel ${channel} is not the server's to write`);
      if (message.bytes.length === 0) {
        // The first message of a server: some clients wait for it to know that the connection stands.
        pair.toAgent(writeMessage(protocol, channel, message.bytes));
        return;
      }
      const way = wayOf(channel, name);
      if (way.ended) throw new ProtocolError(`bytes for channel ${channel} after its end`);
      if (channel === errorChannel) {
        errorBytes += message.bytes.length;
        if (errorBytes > maximumErrorBytes) throw new ProtocolError('the error channel is too long');
      }
      way.output.push(message.bytes);
    },
    upstreamEnded(flushed) {
      onFlushed = flushed;
      for (const way of ways.values()) endWay(way);
      settle();
    },
    farewell(status) {
      const text = protocol.exit === 'Status' ? JSON.stringify(status) : status.message;
      return [writeMessage(protocol, errorChannel, Buffer.from(text))];
    },
  });
  return pair;
}
