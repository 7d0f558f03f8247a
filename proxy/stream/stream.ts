import type {IncomingMessage} from 'node:http';
import type {Socket} from 'node:net';
import type {WebSocket} from 'ws';
import type {Operation} from '../../core/request/operation.ts';
import type {LiveCalls} from '../authorize/live.ts';
import type {Credential} from '../forward/credential.ts';
import type {Dispatchable} from '../forward/forward.ts';
import {type IdentityHeaders, upstreamHeaders} from '../forward/headers.ts';
import {OutboxBuffers} from '../forward/outbox.ts';
import {ClientGone, Relay, upstreamRefusal} from '../forward/relay.ts';
import type {UpstreamTarget} from '../forward/transport.ts';
import type {Call, Next} from '../path/call.ts';
import type {OpenRecording} from '../path/recording.ts';
import {Refusal, StreamEnded} from '../path/refusal.ts';
import {deliver} from './answer.ts';
import type {StreamRequest} from './request.ts';
import type {StreamEnd, StreamRelay} from './session.ts';
import {type CommandStream, relayCommandOverSpdy} from './spdy/commandrelay.ts';
import {relayPortForwardOverSpdy} from './spdy/portforwardrelay.ts';
import {offeredProtocols, openSpdyUpstream} from './spdyupgrade.ts';
import {acceptWebSocket} from './websocket/accept.ts';
import {relayCommandOverWebSocket} from './websocket/commandrelay.ts';
import {webSocketDuplex} from './websocket/duplex.ts';
import {relayPortForwardOverWebSocket} from './websocket/portforwardrelay.ts';
import {forwardedPorts} from './websocket/ports.ts';
import {commandProtocols, portForwardProtocols, relayableSubprotocols, tunnelProtocol} from './websocket/protocols.ts';
import {openWebSocketUpstream} from './websocket/upstream.ts';

/** Load balancers cut connections on which nothing passes, the impatient ones after a minute. */
const pingMilliseconds = 25_000;

export interface StreamDependencies {
  readonly target: UpstreamTarget;
  readonly identity: IdentityHeaders;
  readonly credential: Credential;
  /** Ends streams when they are permitted no longer. */
  readonly live: Pick<LiveCalls, 'admit'>;
  /** Streams under way, so that draining can end them. */
  readonly open: Set<StreamRelay>;
}

/** What goes upstream for one call. */
interface Handshake {
  readonly headers: readonly string[];
  readonly signal: AbortSignal;
}

/** The API server's answer: a stream to be begun once the agent has its 101, or anything else to be passed on. */
type Opened =
  | {readonly kind: 'Open'; readonly begin: () => StreamRelay; readonly abandon: () => void}
  | {readonly kind: 'Refused'; readonly response: IncomingMessage};

/**
 * Carries exec, attach and port-forward: upstream is asked first, so that what it refuses comes to the agent as its
 * Status; then the agent's connection is upgraded, and a relay parses what passes. Every other call goes on to `next`.
 */
export function withStreams(deps: StreamDependencies, next: Next<Dispatchable>): Next<Dispatchable> {
  const buffers = new OutboxBuffers();
  return (call, dispatchable) => {
    const {stream, recording} = call;
    if (stream === undefined) return next(call, dispatchable);
    // Nothing passes unrecorded.
    if (recording === undefined) throw new TypeError('a stream without a recording');
    return carry(call, stream, recording, dispatchable);
  };

  async function carry(
    call: Call,
    stream: StreamRequest,
    recording: OpenRecording,
    dispatchable: Dispatchable,
  ): Promise<void> {
    const {agent, operation} = dispatchable.permitted;
    const {response} = call;
    const cancel = new AbortController();
    const onGone = () => cancel.abort(new ClientGone('the agent went away'));
    if (response.destroyed) onGone();
    response.once('close', onGone);
    let ended: Refusal | undefined;
    let relay: StreamRelay | undefined;
    const end = (refusal: Refusal) => {
      ended ??= refusal;
      if (relay === undefined) cancel.abort(refusal);
      else relay.end(ended.status());
    };
    void recording.failed.then((error) => {
      const message = 'the stream ends, because it cannot be recorded any more';
      end(new Refusal('RecordingUnavailable', 503, message, {cause: error}));
    });
    const release = deps.live.admit(dispatchable, end);
    try {
      const headers = upstreamHeaders(call.request.headers, deps.identity(agent), {
        authorization: deps.credential.authorization,
        accept: undefined,
        auditID: call.record.auditID,
      });
      const opened = await open(call, stream, recording, operation, {headers, signal: cancel.signal}).catch((error) => {
        if (cancel.signal.aborted) throw cancel.signal.reason;
        throw upstreamRefusal(error, operation.method);
      });
      if (opened.kind === 'Refused') {
        const answer = new Relay(response, dispatchable.openBody, buffers);
        deliver(opened.response, answer);
        return await answer.done;
      }
      if (cancel.signal.aborted) {
        opened.abandon();
        throw cancel.signal.reason;
      }
      response.removeListener('close', onGone);
      call.upgraded = true;
      call.record.responseStarted(101);
      relay = opened.begin();
      deps.open.add(relay);
      const streamEnd = await relay.done;
      if (ended !== undefined) throw new StreamEnded(ended);
      throwBroken(streamEnd);
    } finally {
      release();
      if (relay !== undefined) deps.open.delete(relay);
    }
  }

  function open(
    call: Call,
    stream: StreamRequest,
    recording: OpenRecording,
    operation: Operation,
    handshake: Handshake,
  ): Promise<Opened> {
    return stream.transport === 'SPDY'
      ? openSpdy(call, stream, recording, operation, handshake)
      : openWebSocket(call, stream, recording, operation, handshake);
  }

  async function openSpdy(
    call: Call,
    stream: StreamRequest,
    recording: OpenRecording,
    operation: Operation,
    handshake: Handshake,
  ): Promise<Opened> {
    const {method, requestURI: path} = operation;
    const protocols = offeredProtocols(call.request);
    const answer = await openSpdyUpstream(deps.target, {method, path, protocols, ...handshake});
    if (answer.kind === 'Refused') return answer;
    const {socket: upstream, head: upstreamHead, protocol} = answer;
    return {
      kind: 'Open',
      abandon: () => upstream.destroy(),
      begin() {
        const {socket: agent, head: agentHead} = stream.agent.take();
        const version = protocol === '' ? [] : ['X-Stream-Protocol-Version', protocol];
        call.response.writeHead(101, ['Connection', 'Upgrade', 'Upgrade', 'SPDY/3.1', ...version]);
        call.response.flushHeaders();
        call.response.detachSocket(agent);
        const sides = {agent, agentHead, upstream, upstreamHead, pingIntervalMilliseconds: pingMilliseconds};
        if (recording.kind === 'PortForward') return relayPortForwardOverSpdy({...sides, session: recording.session});
        return relayCommandOverSpdy({
          ...sides,
          session: recording.session,
          streams: commandStreams(operation),
          protocol: protocol === '' ? undefined : protocol,
        });
      },
    };
  }

  async function openWebSocket(
    call: Call,
    stream: StreamRequest,
    recording: OpenRecording,
    operation: Operation,
    handshake: Handshake,
  ): Promise<Opened> {
    const known =
      recording.kind === 'Command' ? commandProtocols : new Set([...portForwardProtocols.keys(), tunnelProtocol]);
    const subprotocols = relayableSubprotocols(call.request.headers['sec-websocket-protocol'], known);
    if (subprotocols === undefined) {
      const names = [...known.keys()].filter((name) => name !== '').join(', ');
      throw new Refusal(
        'Ambiguous',
        400,
        `none of the WebSocket subprotocols that the request offers is known: ${names}`,
      );
    }
    const answer = await openWebSocketUpstream(deps.target, {path: operation.requestURI, subprotocols, ...handshake});
    if (answer.kind === 'Refused') return answer;
    const {socket: upstream, protocol} = answer;
    return {
      kind: 'Open',
      abandon: () => upstream.terminate(),
      begin() {
        const {socket, head} = stream.agent.take();
        call.response.detachSocket(socket as Socket);
        let agent: WebSocket;
        try {
          agent = acceptWebSocket(call.request, socket, head, protocol);
        } catch (error) {
          upstream.terminate();
          throw error;
        }
        const sides = {agent, upstream, pingMilliseconds};
        if (recording.kind === 'Command') {
          const spoken = commandProtocols.get(protocol);
          if (spoken === undefined) throw new TypeError(`no command protocol ${protocol}`);
          return relayCommandOverWebSocket({
            ...sides,
            protocol: spoken,
            session: recording.session,
            stdin: operation.stdin,
          });
        }
        if (protocol === tunnelProtocol) {
          return relayPortForwardOverSpdy({
            agent: webSocketDuplex(agent, pingMilliseconds),
            agentHead: Buffer.alloc(0),
            upstream: webSocketDuplex(upstream, pingMilliseconds),
            upstreamHead: Buffer.alloc(0),
            pingIntervalMilliseconds: pingMilliseconds,
            session: recording.session,
          });
        }
        const spoken = portForwardProtocols.get(protocol);
        if (spoken === undefined) throw new TypeError(`no port-forward protocol ${protocol}`);
        return relayPortForwardOverWebSocket({
          ...sides,
          protocol: spoken,
          session: recording.session,
          ports: forwardedPorts(operation.requestURI) ?? [],
        });
      },
    };
  }
}

/** The streams of a command that policy knows of; those that only bring output to the agent are always among them. */
function commandStreams({stdin, tty}: Operation): ReadonlySet<CommandStream> {
  return new Set<CommandStream>([
    'error',
    'stdout',
    'stderr',
    ...(stdin ? ['stdin' as const] : []),
    ...(tty ? ['resize' as const] : []),
  ]);
}

function throwBroken({by, error}: StreamEnd): void {
  if (error === undefined) return;
  throw by === 'Agent' ? new ClientGone(error) : new Error(error);
}
