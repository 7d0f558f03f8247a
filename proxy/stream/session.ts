import type {Status} from '../../core/status.ts';

/*
 * What the relays of upgraded connections, which know protocols, and sessions, which know masking and recording, say to
 * each other. A relay parses both sides, hands every byte for the agent to the session, and writes what that gives back.
 */

/** Channels of a remote command whose bytes go to the agent. A TTY has `stdout` alone; `error` carries the exit. */
export type OutputChannel = 'stdout' | 'stderr' | 'error';

/** Where a session puts what the agent may see. */
export interface OutputSink {
  /** Called in order, during `push` or later: what is recorded comes once it is on record. */
  emit(bytes: Buffer): void;
  /** All that was pushed has been emitted. */
  ended(): void;
}

/** The way of one channel's bytes to the agent: masked, recorded, then emitted. */
export interface Output {
  /**
   * The chunk is the output's from here on. Throws where it cannot be masked or recorded: the stream must then be
   * destroyed. Where that turns out later, the session's owner is told.
   */
  push(chunk: Buffer): void;
  /** The channel ends: `ended` follows once the rest was emitted. */
  end(): void;
}

/** Bounds what a session holds in memory. */
export interface Paced {
  /** What was pushed waits for the disk: read no more from either side until `onDrain` fires. */
  readonly congested: boolean;
  /** Set by the relay. */
  onDrain: () => void;
}

/** One exec or attach. */
export interface CommandSession extends Paced {
  output(channel: OutputChannel, sink: OutputSink): Output;
  /** What the agent sends to the command, before it is passed on. The bytes are only read. */
  stdin(bytes: Buffer): void;
  /** A message of the resize channel: JSON `{"Width": columns, "Height": rows}`. */
  resize(message: Buffer): void;
}

/** One port-forward: many connections, each to a port of the pod. */
export interface PortForwardSession extends Paced {
  connection(port: number): ForwardedConnection;
}

export interface ForwardedConnection {
  /** `data`: from the pod; `error`: what the API server says of the connection. */
  output(channel: 'data' | 'error', sink: OutputSink): Output;
  /** So many bytes went to the pod. */
  sent(bytes: number): void;
  /** Both directions have ended; `error` where they broke off. */
  closed(error?: string): void;
}

/** An upgraded connection on its way from side to side. */
export interface StreamRelay {
  /** Settles once both connections are closed; never rejects. */
  readonly done: Promise<StreamEnd>;
  /**
   * Ends the stream from within: the agent reads the Status on the error channel, upstream is closed at once, and the
   * agent's connection is destroyed where it has not ended within a second.
   */
  end(status: Status): void;
}

export interface StreamEnd {
  /** Who ended it. */
  readonly by: 'Agent' | 'Upstream' | 'Proxy';
  /** Why it broke off; undefined where it ended as its protocol says. */
  readonly error?: string;
}
