import type {IncomingMessage} from 'node:http';
import type {RecordingKind} from '../../core/audit/recording.ts';
import type {Operation} from '../../core/request/operation.ts';
import {webSocketRefusal} from '../../core/request/websocket.ts';
import {Refusal} from '../path/refusal.ts';
import type {AgentConnection} from './agentconnection.ts';

/** A call that upgrades its connection to a stream which can be decided on, masked and recorded. */
export interface StreamRequest {
  readonly kind: RecordingKind;
  readonly transport: 'WebSocket' | 'SPDY';
  readonly agent: AgentConnection;
}

const kinds: Readonly<Record<string, RecordingKind>> = {
  exec: 'Command',
  attach: 'Command',
  portforward: 'PortForward',
};

/**
 * What stream a call asks for; undefined where it asks for none.
 *
 * @param agent undefined where Node saw no upgrade in the request
 * @throws {Refusal} where it is one that cannot be masked and recorded: what leads to a pod by another door
 */
export function streamRequest(
  request: IncomingMessage,
  agent: AgentConnection | undefined,
  operation: Operation,
): StreamRequest | undefined {
  const {upgrade} = request.headers;
  if (upgrade === undefined) return undefined;
  const {apiGroup, resource, subresource, path} = operation;
  const kind = apiGroup === '' && resource === 'pods' ? kinds[subresource] : undefined;
  if (kind === undefined) {
    const what = subresource === '' ? path : `${resource}/${subresource}`;
    const message = `${what} would become a stream that cannot be recorded and masked; only exec, attach and port-forward of pods can`;
    throw new Refusal('UpgradeUnsupported', 501, message);
  }
  const transport = transports.get(upgrade.toLowerCase());
  if (transport === undefined || agent === undefined) {
    const message = `${resource}/${subresource} upgrades to websocket or SPDY/3.1, with "Connection: Upgrade"; the request says "Upgrade: ${upgrade}"`;
    throw new Refusal('UpgradeUnsupported', 501, message);
  }
  const unclear = transport === 'WebSocket' ? webSocketRefusal(operation.method, request.headers) : undefined;
  if (unclear !== undefined) throw new Refusal('Ambiguous', unclear.status, unclear.reason);
  return {kind, transport, agent};
}

const transports: ReadonlyMap<string, StreamRequest['transport']> = new Map([
  ['websocket', 'WebSocket'],
  ['spdy/3.1', 'SPDY'],
]);
