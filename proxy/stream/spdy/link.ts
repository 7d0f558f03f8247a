import type {Output, OutputSink} from '../session.ts';
import {resetStatus} from './frames.ts';
import type {HeaderPairs} from './headerblock.ts';
import type {SpdyStream} from './stream.ts';

/** What one of the agent's streams is for. */
export interface StreamPlan {
  /** To open its counterpart upstream with. */
  readonly headers: HeaderPairs;
  /** The way of what comes from upstream; without one nothing is to come, and what does is dropped. */
  readonly output?: (sink: OutputSink) => Output;
  /** Told of what the agent sends before it goes on; without one nothing is to be sent, and what is is dropped. */
  readonly input?: (bytes: Buffer) => void;
  /** The error stream: where the proxy says why it ends a connection. */
  readonly carriesErrors: boolean;
  /** Both directions have ended; with the reason where they broke off. */
  readonly closed?: (error?: string) => void;
}

export interface LinkEvents {
  /** The API server ended the stream, or reset it. */
  endedUpstream(): void;
  /** All is sent that the agent gets on this stream. */
  settled(): void;
  /** Both directions have ended. */
  closed(): void;
  /** The session threw. */
  failed(error: Error): void;
}

/** A stream of the agent and its counterpart upstream: replies, ends and resets go both ways in their order. */
export class StreamLink {
  readonly plan: StreamPlan;
  readonly #agent: SpdyStream;
  readonly #upstream: SpdyStream;
  readonly #events: LinkEvents;
  readonly #output: Output | undefined;
  /** What to do once the output has given all it had. */
  #finish: () => void = () => {};
  #outputBytes = 0;
  #outputEnds = false;
  /** Nothing of the output reaches the agent any more. */
  #cut = false;
  #settled = false;
  #inputEnded = false;
  #closed = false;
  /** Why it broke off. */
  #error: string | undefined;

  constructor(plan: StreamPlan, agent: SpdyStream, upstream: SpdyStream, events: LinkEvents) {
    this.plan = plan;
    this.#agent = agent;
    this.#upstream = upstream;
    this.#events = events;
    this.#inputEnded = agent.remoteEnded;
    this.#output = plan.output?.({
      emit: (bytes) => {
        if (this.#cut) return;
        this.#outputBytes += bytes.length;
        agent.write(bytes);
      },
      ended: () => this.#finish(),
    });
    agent.events = {
      replied() {},
      data: (bytes) => {
        if (plan.input === undefined || this.#inputEnded) return;
        plan.input(bytes);
        upstream.write(bytes);
      },
      ended: () => {
        upstream.end();
        this.#inputEnded = true;
        this.#closeIfDone();
      },
      reset: (status) => {
        upstream.reset(status);
        this.abandon('the agent reset the stream');
      },
    };
    upstream.events = {
      replied: () => agent.reply(),
      data: (bytes) => this.#output?.push(bytes),
      ended: () => {
        events.endedUpstream();
        this.#endOutput(() => agent.end());
      },
      reset: (status) => {
        events.endedUpstream();
        this.#inputEnded = true;
        // Behind all output, for whoever is reset drops what it has not read yet.
        if (this.#settled) agent.reset(status);
        else this.#endOutput(() => agent.reset(status));
        this.#closeIfDone();
      },
    };
  }

  get settled(): boolean {
    return this.#settled;
  }

  /**
   * Upstream is gone: the agent gets what was read of it, then, where upstream had not ended this stream, the text if it
   * is an error stream still empty.
   */
  upstreamGone(text: string): void {
    this.#inputEnded = true;
    if (!this.#outputEnds) this.#endOutput(() => this.#sayLast(text), text);
    this.#closeIfDone();
  }

  /** The proxy ends the stream: nothing more of the output, only the text where this is an error stream still empty. */
  cut(text: string): void {
    this.#inputEnded = true;
    this.#upstream.reset(resetStatus.cancel);
    this.#cutOutput(() => this.#sayLast(text), text);
  }

  /** The agent is gone, or has no use for the stream. */
  abandon(error: string): void {
    this.#inputEnded = true;
    this.#cutOutput(() => {}, error);
  }

  #sayLast(text: string): void {
    // Streams that were never taken upstream are taken here: client-go waits for the reply, then reads.
    this.#agent.reply();
    if (this.plan.carriesErrors && this.#outputBytes === 0) this.#agent.write(Buffer.from(text));
    this.#agent.end();
  }

  #cutOutput(finish: () => void, error: string): void {
    this.#cut = true;
    this.#settle(finish, error);
    this.#endOutput(() => {});
    this.#closeIfDone();
  }

  #endOutput(finish: () => void, error?: string): void {
    this.#finish = () => this.#settle(finish, error);
    if (this.#outputEnds) return;
    this.#outputEnds = true;
    if (this.#output === undefined) {
      this.#finish();
      return;
    }
    try {
      this.#output.end();
    } catch (cause) {
      this.#events.failed(cause as Error);
    }
  }

  #settle(finish: () => void, error: string | undefined): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#error = error;
    finish();
    this.#closeIfDone();
    this.#events.settled();
  }

  #closeIfDone(): void {
    if (this.#closed || !this.#settled || !this.#inputEnded) return;
    this.#closed = true;
    this.plan.closed?.(this.#error);
    this.#events.closed();
  }
}
