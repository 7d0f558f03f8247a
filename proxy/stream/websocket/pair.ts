import {WebSocket} from 'ws';
import {failure, type Status} from '../../../core/status.ts';
import type {Paced, StreamEnd, StreamRelay} from '../session.ts';
import {keepAlive} from './heartbeat.ts';
import {highWaterBytes} from './limits.ts';
import {ProtocolError} from './message.ts';

/** For the agent to close its side once it was told why. */
const farewellMilliseconds = 1000;

/** Close codes of RFC 6455, 7.4.1. */
const normalClosure = 1000;
const goingAway = 1001;
/** Never sent: the close frame had no code, or there was no close frame. */
const noCode = 1005;
const noCloseFrame = 1006;

/** Two connections on their way to be one stream; they may be paused still. */
export interface Sides {
  readonly agent: WebSocket;
  readonly upstream: WebSocket;
  /** How often each side is pinged while nothing passes. */
  readonly pingMilliseconds: number;
}

type Side = 'agent' | 'API server';

/** What a protocol makes of the messages. Whatever it throws ends the stream. */
export interface Channels {
  fromAgent(data: Buffer): void;
  fromUpstream(data: Buffer): void;
  /** Upstream has sent its last: to call `flushed` once all that is left was given to `toAgent`. */
  upstreamEnded(flushed: () => void): void;
  /** The messages that tell the agent why the proxy ends the stream. */
  farewell(status: Status): readonly (Buffer | string)[];
}

/** Strings go out as text frames, buffers as binary ones; where the other side has gone, they go nowhere. */
export interface Pair extends StreamRelay {
  toAgent(message: Buffer | string): void;
  toUpstream(message: Buffer | string): void;
  /** Ends the stream for what was thrown. */
  fail(error: unknown): void;
}

/**
 * Joins two WebSockets to one stream: reads neither side faster than the other and the session take it, keeps both
 * alive, and lets the end of one be the end of the other, with its close code but without its reason, which is text
 * that nobody has masked.
 */
export function joinWebSockets({agent, upstream, pingMilliseconds}: Sides, paced: Paced, channels: Channels): Pair {
  /** Flushing: upstream has ended, and the rest is on its way to the agent. Closing: nothing passes any more. */
  let phase: 'Open' | 'Flushing' | 'Closing' = 'Open';
  let outcome: StreamEnd | undefined;
  /** How upstream closed, once the agent was given all that it sent. */
  let closeCode: number | undefined;
  let farewellTimer: NodeJS.Timeout | undefined;
  const stopPings = [keepAlive(agent, pingMilliseconds), keepAlive(upstream, pingMilliseconds)];
  const open = new Set([agent, upstream]);
  const done = Promise.withResolvers<StreamEnd>();

  const pace = () => {
    const relaying = phase === 'Open';
    hold(upstream, relaying && (paced.congested || agent.bufferedAmount > highWaterBytes));
    hold(agent, relaying && (paced.congested || upstream.bufferedAmount > highWaterBytes));
    // The time that ws allows for closing must not run while a slow agent still reads.
    if (phase === 'Flushing' && closeCode !== undefined && agent.bufferedAmount === 0) {
      phase = 'Closing';
      close(agent, closeCode);
    }
  };

  const toAgent = (message: Buffer | string) => {
    if (phase !== 'Closing' && agent.readyState === WebSocket.OPEN) agent.send(message, pace);
  };
  const toUpstream = (message: Buffer | string) => {
    if (phase === 'Open' && upstream.readyState === WebSocket.OPEN) upstream.send(message, pace);
  };

  const ended = (by: StreamEnd['by'], error: string | undefined) => {
    outcome ??= error === undefined ? {by} : {by, error};
  };

  const end = (status: Status) => {
    ended('Proxy', undefined);
    if (phase !== 'Closing') {
      // Where upstream's own last words were given already, a second Status would spoil them.
      if (closeCode === undefined) for (const message of channels.farewell(status)) toAgent(message);
      phase = 'Closing';
      close(agent, closeCode ?? normalClosure);
    }
    upstream.terminate();
    farewellTimer ??= setTimeout(() => agent.terminate(), farewellMilliseconds);
    pace();
  };

  const fail = (error: unknown, side?: Side) => {
    const message = error instanceof Error ? error.message : String(error);
    ended('Proxy', side === undefined ? message : `${side}: ${message}`);
    end(statusOf(error, side));
  };

  /** What the protocol cannot take ends the stream, and the agent is told. */
  const guarded = (side: Side, act: () => void) => {
    try {
      act();
    } catch (error) {
      fail(error, side);
    }
    pace();
  };

  const agentClosed = (code: number, error: string | undefined) => {
    ended('Agent', error);
    phase = 'Closing';
    // Not destroyed: what the agent sent last is on its way. After 30 s ws does that itself.
    close(upstream, code === noCloseFrame ? goingAway : code);
    pace();
  };

  const upstreamClosed = (code: number) => {
    ended('Upstream', abnormal('API server', code));
    if (phase !== 'Open') return;
    phase = 'Flushing';
    guarded('API server', () =>
      channels.upstreamEnded(() => {
        closeCode = code;
        pace();
      }),
    );
  };

  const closed = (socket: WebSocket, code: number) => {
    open.delete(socket);
    if (socket === agent) agentClosed(code, abnormal('agent', code));
    else upstreamClosed(code);
    if (open.size > 0 || outcome === undefined) return;
    clearTimeout(farewellTimer);
    for (const stop of stopPings) stop();
    done.resolve(outcome);
  };

  agent.on('message', (data) => {
    if (phase === 'Open') guarded('agent', () => channels.fromAgent(data as Buffer));
  });
  upstream.on('message', (data) => {
    if (phase === 'Open') guarded('API server', () => channels.fromUpstream(data as Buffer));
  });
  // No frames of RFC 6455, or too large ones: ws answers with the close code for it.
  agent.on('error', (error) => agentClosed(goingAway, `agent: ${error.message}`));
  upstream.on('error', (error) => {
    ended('Upstream', `API server: ${error.message}`);
    end(failure(502, `the API server ended the stream: ${error.message}`));
  });
  for (const socket of open) {
    if (socket.readyState === WebSocket.CLOSED) setImmediate(closed, socket, noCloseFrame);
    else socket.once('close', (code) => closed(socket, code));
  }
  paced.onDrain = pace;
  pace();
  return {done: done.promise, end, toAgent, toUpstream, fail};
}

function hold(socket: WebSocket, held: boolean): void {
  if (socket.isPaused === held) return;
  if (held) socket.pause();
  else socket.resume();
}

function close(socket: WebSocket, code: number): void {
  if (code === noCloseFrame) socket.terminate();
  else if (code === noCode) socket.close();
  else socket.close(code);
}

function abnormal(side: Side, code: number): string | undefined {
  if (code === normalClosure || code === goingAway || code === noCode) return undefined;
  return code === noCloseFrame ? `${side}: broke off the connection` : `${side}: closed with code ${code}`;
}

function statusOf(error: unknown, side: Side | undefined): Status {
  if (side === undefined || !(error instanceof ProtocolError)) {
    return failure(500, 'the stream ended: it can no longer be masked or recorded');
  }
  return failure(side === 'agent' ? 400 : 502, `the stream ended: the ${side} broke its protocol: ${error.message}`);
}
