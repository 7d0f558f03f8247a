import type {ForwardedConnection, PortForwardSession, StreamRelay} from '../session.ts';
import {SpdyBridge, type SpdySides} from './bridge.ts';
import type {HeaderPairs} from './headerblock.ts';
import type {StreamPlan} from './link.ts';

export interface SpdyPortForwardOptions extends SpdySides {
  readonly session: PortForwardSession;
}

/** Two for each forwarded connection. */
const maximumStreams = 2048;

/** A forwarded connection: its data, and an error stream that the client ends at once and only reads. */
interface Pair {
  readonly port: number;
  readonly connection: ForwardedConnection;
  /** The types that were opened. */
  readonly types: Set<string>;
  openStreams: number;
  /** The first reason that any of them broke off. */
  error: string | undefined;
}

/**
 * Carries the connections of one port-forward (client-go, tools/portforward): for each, the agent opens a stream of
 * type `error` and one of type `data` with the same `requestID` and `port`, and both are opened upstream.
 */
export function relayPortForwardOverSpdy(options: SpdyPortForwardOptions): StreamRelay {
  const {session, ...sides} = options;
  const pairs = new Map<string, Pair>();

  function plan(headers: HeaderPairs): StreamPlan | undefined {
    const type = headers.get('streamtype');
    const port = parsePort(headers.get('port'));
    const requestId = headers.get('requestid');
    if ((type !== 'data' && type !== 'error') || port === undefined || !isRequestId(requestId)) return undefined;
    const pair = pairs.get(requestId) ?? open(requestId, port);
    if (pair.port !== port || pair.types.has(type)) return undefined;
    pair.types.add(type);
    pair.openStreams += 1;
    return {
      headers: new Map([
        ['streamtype', type],
        ['port', String(port)],
        ['requestid', requestId],
      ]),
      carriesErrors: type === 'error',
      output: (sink) => pair.connection.output(type, sink),
      ...(type === 'data' && {input: (bytes: Buffer) => pair.connection.sent(bytes.length)}),
      closed: (error) => {
        pair.error ??= error;
        pair.openStreams -= 1;
        if (pair.openStreams > 0) return;
        pairs.delete(requestId);
        pair.connection.closed(pair.error);
      },
    };
  }

  function open(requestId: string, port: number): Pair {
    const pair: Pair = {
      port,
      connection: session.connection(port),
      types: new Set(),
      openStreams: 0,
      error: undefined,
    };
    pairs.set(requestId, pair);
    return pair;
  }

  return new SpdyBridge({
    ...sides,
    session,
    plan,
    maximumStreams,
    endsAll: () => false,
    format: (status) => status.message,
    lastWord: 'GoAway',
  });
}

/** Go's ParseUint in base 10, as the kubelet reads it, is laxer (leading zeros); the port goes on as it was read here. */
function parsePort(text: string | undefined): number | undefined {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** client-go counts from 0. Clients before Kubernetes 1.2 gave none. */
function isRequestId(text: string | undefined): text is string {
  return text !== undefined && /^[\w.-]{1,64}$/.test(text);
}
