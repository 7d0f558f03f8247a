import type {Status} from '../../../core/status.ts';
import type {CommandSession, StreamRelay} from '../session.ts';
import {SpdyBridge, type SpdySides} from './bridge.ts';
import type {HeaderPairs} from './headerblock.ts';
import type {StreamPlan} from './link.ts';
import {ResizeMessages} from './resizemessages.ts';

export type CommandStream = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

export interface SpdyCommandOptions extends SpdySides {
  readonly session: CommandSession;
  /**
   * The streams that the request asked for; others are refused. The kubelet takes what the client opens: a stdin that
   * the query does not have, and that no policy saw, would reach the command.
   */
  readonly streams: ReadonlySet<CommandStream>;
  /** What was negotiated as X-Stream-Protocol-Version; undefined where nothing was, which means version 1. */
  readonly protocol: string | undefined;
}

const streamTypeHeader = 'streamtype';

/**
 * Carries one exec or attach: the agent opens one stream for each channel (client-go, tools/remotecommand), and each is
 * opened upstream.
 */
export function relayCommandOverSpdy(options: SpdyCommandOptions): StreamRelay {
  const {session, streams, protocol, ...sides} = options;
  const opened = new Set<CommandStream>();
  const resizes = new ResizeMessages();

  function plan(headers: HeaderPairs): StreamPlan | undefined {
    const type = headers.get(streamTypeHeader) as CommandStream | undefined;
    if (type === undefined || !streams.has(type) || opened.has(type)) return undefined;
    opened.add(type);
    const common = {headers: new Map([[streamTypeHeader, type]]), carriesErrors: type === 'error'};
    switch (type) {
      case 'error':
      case 'stdout':
      case 'stderr':
        return {...common, output: (sink) => session.output(type, sink)};
      case 'stdin':
        return {...common, input: (bytes) => session.stdin(bytes)};
      case 'resize':
        return {...common, input: (bytes) => resizes.push(bytes, (message) => session.resize(message))};
    }
  }

  return new SpdyBridge({
    ...sides,
    session,
    plan,
    maximumStreams: streams.size,
    endsAll: (ended) => ended.carriesErrors,
    format: (status) => formatStatus(status, protocol),
    // GOAWAY would leave a client that is still opening its streams waiting for replies (30 s).
    lastWord: 'Agents',
  });
}

/** From version 4 on the error stream carries a Status, before it the message alone. */
function formatStatus(status: Status, protocol: string | undefined): string {
  const version = Number(/^v(\d+)\.channel\.k8s\.io$/.exec(protocol ?? '')?.[1] ?? 1);
  return version >= 4 ? JSON.stringify(status) : status.message;
}
