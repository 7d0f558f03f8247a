import type {Duplex} from 'node:stream';
import type {Status} from '../../../core/status.ts';
import {failure} from '../../../core/status.ts';
import type {Paced, StreamEnd, StreamRelay} from '../session.ts';
import {SpdyConnection} from './connection.ts';
import {resetStatus} from './frames.ts';
import type {HeaderPairs} from './headerblock.ts';
import {StreamLink, type StreamPlan} from './link.ts';
import type {SpdyStream} from './stream.ts';

/** The two sides of an upgraded connection, as they are right behind the handshakes. */
export interface SpdySides {
  readonly agent: Duplex;
  /** What was read of each side behind its handshake. */
  readonly agentHead: Buffer;
  readonly upstream: Duplex;
  readonly upstreamHead: Buffer;
  /** An idle side is pinged so often, lest a load balancer cuts it. */
  readonly pingIntervalMilliseconds: number;
}

interface BridgeOptions extends SpdySides {
  readonly session: Paced;
  readonly maximumStreams: number;
  /** What a stream that the agent opens is for; undefined where it is refused. */
  readonly plan: (headers: HeaderPairs) => StreamPlan | undefined;
  /** The end of this stream is the end of the whole, as the exit of a command is. */
  readonly endsAll: (plan: StreamPlan) => boolean;
  /** A Status as the error stream has it. */
  readonly format: (status: Status) => string;
  /** Whether GOAWAY follows the last words at once, or the agent goes when it has read them. */
  readonly lastWord: 'GoAway' | 'Agents';
}

/** For the agent to read the Status and go. */
const agentGraceMilliseconds = 1000;
/** For upstream to take what the agent sent before it went. */
const upstreamGraceMilliseconds = 5000;
/** For a slow agent to read what the sockets on the way to it still hold. */
const lingerMilliseconds = 5 * 60 * 1000;

/** Two SPDY connections as one: every stream of the agent's has its counterpart upstream. */
export class SpdyBridge implements StreamRelay {
  readonly done: Promise<StreamEnd>;
  readonly #options: BridgeOptions;
  readonly #agent: SpdyConnection;
  readonly #upstream: SpdyConnection;
  readonly #links = new Set<StreamLink>();
  #end: StreamEnd | undefined;
  #agentGone = false;
  #upstreamGone = false;
  /** Said on every error stream, also those that are still to be opened, since the proxy ended the connection. */
  #lastWords: string | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: BridgeOptions) {
    this.#options = options;
    const {pingIntervalMilliseconds, maximumStreams, session} = options;
    const common = {pingIntervalMilliseconds, maximumStreams};
    const paced = () => this.#pace();
    const failed = (error: Error) => this.#fail(error);
    this.#agent = new SpdyConnection({
      ...common,
      role: 'Server',
      socket: options.agent,
      head: options.agentHead,
      events: {opened: (stream) => this.#opened(stream), ended: (error) => this.#agentEnded(error), paced, failed},
    });
    this.#upstream = new SpdyConnection({
      ...common,
      role: 'Client',
      socket: options.upstream,
      head: options.upstreamHead,
      events: {
        opened: (stream) => stream.reset(resetStatus.refusedStream),
        ended: (error) => this.#upstreamEnded(error),
        paced,
        failed,
      },
    });
    session.onDrain = paced;
    this.done = Promise.all([this.#agent.closed, this.#upstream.closed]).then(() => this.#close());
    this.#agent.start();
    this.#upstream.start();
  }

  end(status: Status): void {
    if (this.#lastWords !== undefined) return;
    this.#lastWords = this.#options.format(status);
    this.#end ??= {by: 'Proxy', error: status.message};
    this.#upstream.goAway();
    this.#upstream.destroy();
    for (const link of [...this.#links]) link.cut(this.#lastWords);
    if (this.#options.lastWord === 'GoAway') {
      this.#agent.goAway();
      this.#agent.end();
    }
    this.#pace();
    this.#after(agentGraceMilliseconds, () => this.#agent.destroy());
  }

  #opened(stream: SpdyStream): void {
    const isRefused = this.#upstreamGone ? this.#lastWords === undefined : this.#upstream.peerSaidGoAway;
    const plan = isRefused ? undefined : this.#options.plan(stream.headers);
    if (plan === undefined) {
      stream.reset(resetStatus.refusedStream);
      return;
    }
    if (this.#lastWords !== undefined) {
      // client-go opens all its streams before it reads any, so those that come too late are taken as well.
      stream.reply();
      if (plan.carriesErrors) stream.write(Buffer.from(this.#lastWords));
      stream.end();
      return;
    }
    const link = new StreamLink(plan, stream, this.#upstream.open(plan.headers, stream.remoteEnded), {
      endedUpstream: () => {
        if (this.#options.endsAll(plan)) this.#end ??= {by: 'Upstream'};
      },
      settled: () => this.#closeAgent(),
      closed: () => this.#links.delete(link),
      failed: (error) => this.#fail(error),
    });
    this.#links.add(link);
  }

  #agentEnded(error: Error | undefined): void {
    this.#agentGone = true;
    this.#end ??= {by: 'Agent', ...(error && {error: error.message})};
    for (const link of [...this.#links]) link.abandon(error?.message ?? 'the agent went away');
    this.#agent.destroy();
    this.#upstream.goAway();
    this.#upstream.end();
    this.#after(upstreamGraceMilliseconds, () => this.#upstream.destroy());
  }

  #upstreamEnded(error: Error | undefined): void {
    this.#upstreamGone = true;
    this.#end ??= {by: 'Upstream', ...(error && {error: error.message})};
    this.#upstream.destroy();
    // For the streams that upstream has not ended: client-go takes the end of a connection for the success of a command.
    const reason = error?.message ?? 'it was closed';
    const text = this.#options.format(failure(502, `the connection to the pod broke off: ${reason}`));
    for (const link of [...this.#links]) link.upstreamGone(text);
    this.#pace();
    this.#closeAgent();
  }

  /** Once upstream is gone and the agent has all that came from there. */
  #closeAgent(): void {
    if (!this.#upstreamGone || this.#agentGone || this.#lastWords !== undefined) return;
    if ([...this.#links].some((link) => !link.settled)) return;
    this.#agent.goAway();
    this.#agent.end();
    this.#after(lingerMilliseconds, () => this.#agent.destroy());
  }

  /** What came cannot be masked or recorded: nothing more goes either way. */
  #fail(error: Error): void {
    this.#end ??= {by: 'Proxy', error: error.message};
    this.#agent.destroy();
    this.#upstream.destroy();
  }

  /** Reads a side while the other one takes what comes of it, and the session too. */
  #pace(): void {
    const {congested} = this.#options.session;
    this.#agent.read(this.#upstreamGone || this.#lastWords !== undefined || !(this.#upstream.congested || congested));
    this.#upstream.read(!(this.#agent.congested || congested));
  }

  #after(milliseconds: number, act: () => void): void {
    this.#timers.add(setTimeout(act, milliseconds).unref());
  }

  #close(): StreamEnd {
    for (const timer of this.#timers) clearTimeout(timer);
    return this.#end ?? {by: 'Proxy'};
  }
}
