import type {ChannelProtocol} from './protocols.ts';

/** In place of a channel's number. */
const closeSignal = 255;
const digitZero = 0x30;
/** Of a base64 message, the channel is one ASCII character. */
const lastCharacter = 0x7f;

/** One WebSocket message of a protocol with channels. */
export type ChannelMessage =
  | {readonly kind: 'Data'; readonly channel: number; readonly bytes: Buffer}
  /** The sender is done with the channel. */
  | {readonly kind: 'Close'; readonly channel: number}
  /** Not even a channel: the API server skips these. */
  | {readonly kind: 'Nothing'};

/** A peer that does not keep to the protocol; the stream must end, for what it means cannot be known. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code = 'ProtocolError';
}

/**
 * Reads a message as k8s.io/streaming does (httpstream/wsstream/conn.go), whether it came as text or binary: clients mix
 * them. Base64 must be whole: what Go would skip (line breaks) or drop the message for is refused.
 *
 * @param data `bytes` of the result is a view of it, except for base64
 * @throws {ProtocolError}
 */
export function readMessage({base64, closesChannels}: ChannelProtocol, data: Buffer): ChannelMessage {
  const [first] = data;
  if (first === undefined) return {kind: 'Nothing'};
  if (base64) {
    if (first < digitZero || first > lastCharacter) throw new ProtocolError('a message begins with no channel');
    return {kind: 'Data', channel: first - digitZero, bytes: decodeBase64(data.toString('latin1', 1))};
  }
  if (first !== closeSignal) return {kind: 'Data', channel: first, bytes: data.subarray(1)};
  const channel = data[1];
  if (closesChannels && (channel === undefined || data.length > 2)) {
    throw new ProtocolError('a close signal names no single channel');
  }
  // client-go sends the signal in older protocols too, whose servers skip it.
  return closesChannels && channel !== undefined ? {kind: 'Close', channel} : {kind: 'Nothing'};
}

/** A message to send: a string goes out as a text frame, a buffer as a binary one. */
export function writeMessage({base64}: ChannelProtocol, channel: number, bytes: Buffer): Buffer | string {
  if (base64) return String.fromCharCode(digitZero + channel) + bytes.toString('base64');
  const message = Buffer.allocUnsafe(1 + bytes.length);
  message[0] = channel;
  message.set(bytes, 1);
  return message;
}

export function writeClose(channel: number): Buffer {
  return Buffer.of(closeSignal, channel);
}

function decodeBase64(text: string): Buffer {
  // Buffer skips what is no base64, so that another text would be the same bytes.
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new ProtocolError('the bytes of a message are not base64');
  }
  return Buffer.from(text, 'base64');
}
