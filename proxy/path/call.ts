import type {IncomingMessage, ServerResponse} from 'node:http';
import type {ServerHttp2Stream} from 'node:http2';
import {type AuditedApproval, auditApproved, auditDecision} from '../../core/audit/decision.ts';
import type {SealedRecording} from '../../core/audit/event.ts';
import {sumOf} from '../../core/mask/counts.ts';
import type {MaskCounts} from '../../core/mask/masker.ts';
import type {Decision} from '../../core/policy/decision.ts';
import type {Operation} from '../../core/request/operation.ts';
import type {CallRecord, RecordedDecision} from '../audit/recorder.ts';
import type {AgentConnection} from '../stream/agentconnection.ts';
import type {StreamRequest} from '../stream/request.ts';
import type {OpenRecording} from './recording.ts';
import type {Refusal} from './refusal.ts';

/** HTTP/2 requests come through Node's compatibility layer, which is an IncomingMessage with a stream. */
export type ServedRequest = IncomingMessage & {
  readonly stream?: ServerHttp2Stream & {readonly endAfterHeaders: boolean};
};
export type ServedResponse = ServerResponse & {readonly stream?: ServerHttp2Stream};

/** Whether the agent went away: for who comes after the `close` event of the response has passed. */
export function isGone(response: ServedResponse): boolean {
  return response.stream === undefined ? response.destroyed : response.stream.destroyed;
}

/** Counts what it masks while the answer passes. */
export interface MaskedSoFar {
  readonly counts: Readonly<MaskCounts>;
}

/** One request of an agent on its way through the filters, and what the filters found out for the record. */
export class Call {
  readonly request: ServedRequest;
  readonly response: ServedResponse;
  readonly record: CallRecord;
  /** Where the agent asks to upgrade its connection. */
  readonly connection: AgentConnection | undefined;
  /** For metrics: RequestInfo's verb, once it is known. */
  verb = '';
  decision: Decision | undefined;
  /** The AccessRequests behind the call; `granted` once they were spent on it. */
  approval: (AuditedApproval & {readonly granted: boolean}) | undefined;
  /** The request's body as the record holds it, masked. */
  requestObject: string | undefined;
  /** The intent is on record: from here on there is an outcome to record too. */
  intended = false;
  /** What masks the response. */
  masked: MaskedSoFar[] = [];
  /** The operation, where policy expects no card number in its answer. */
  panUnexpectedIn: Operation | undefined;
  /** The response's body as the record holds it, masked; null where it was too long to keep. */
  responseObject: string | null | undefined;

  /** The stream that the call asks for, once it is decided that it may. */
  stream: StreamRequest | undefined;
  recording: OpenRecording | undefined;
  /** What is in the recording of a stream that has ended. */
  sealed: SealedRecording | undefined;
  /** The connection carries a stream: there is no response any more to answer with. */
  upgraded = false;

  constructor(request: ServedRequest, response: ServedResponse, record: CallRecord, connection?: AgentConnection) {
    this.request = request;
    this.response = response;
    this.record = record;
    this.connection = connection;
  }

  /** The answer has begun: what goes wrong now can only break it off. */
  get answered(): boolean {
    return this.upgraded || this.response.headersSent;
  }

  /** What the agent got. */
  get statusCode(): number {
    return this.upgraded ? 101 : this.response.statusCode;
  }

  /** All that was masked so far. */
  maskedCounts(): Readonly<MaskCounts> {
    return sumOf(this.masked.map(({counts}) => counts));
  }

  /** What the record says of the decision; of a call that never came that far, why it was refused. */
  recorded(refusal?: Refusal): RecordedDecision {
    const {decision, approval, requestObject, recording} = this;
    if (decision === undefined) {
      return {decision: {outcome: 'Refused', reason: refusal?.message ?? ''}, level: 'Metadata'};
    }
    return {
      decision:
        decision.outcome === 'NeedsApproval' && approval?.granted
          ? auditApproved(decision, approval)
          : auditDecision(decision, approval),
      level: decision.auditLevel,
      ...(requestObject !== undefined && {requestObject}),
      ...(recording !== undefined && {recording: recording.name}),
    };
  }
}

/**
 * A filter's successor: takes the call and what the filters before it established. What it refuses is thrown at once or
 * rejects.
 *
 * A filter that need not wait hands on the promise that it is given, and is no async function: thousands of watches are
 * open at a time, and each would keep the frames of all filters for as long as it lasts.
 */
export type Next<T> = (call: Call, established: T) => Promise<void>;
