import {randomUUID} from 'node:crypto';
import type {UnexpectedPAN} from '../../core/audit/event.ts';
import {maskedFields, maskedValues, nothingMasked} from '../../core/mask/counts.ts';
import {CallRecord, type RecorderDependencies} from '../audit/recorder.ts';
import {breakOff, ClientGone} from '../forward/relay.ts';
import type {Metrics} from '../serve/metrics.ts';
import type {AgentConnection} from '../stream/agentconnection.ts';
import {answer, refusalOf} from './answer.ts';
import {Call, isGone, type Next, type ServedRequest, type ServedResponse} from './call.ts';
import {type Refusal, StreamEnded} from './refusal.ts';
import {unexpectedPAN} from './unexpected.ts';

export interface AuditDependencies {
  readonly recorder: RecorderDependencies;
  readonly metrics: Metrics;
  /** Told of errors that are the proxy's own. */
  readonly onInternalError: (error: unknown) => void;
  /** Told where card numbers were found in an answer for which policy expects none. */
  readonly onUnexpectedPAN: (auditID: string, found: UnexpectedPAN) => void;
}

/** Serves one request; never rejects. `connection`: where it asks for an upgrade. */
export type Serve = (request: ServedRequest, response: ServedResponse, connection?: AgentConnection) => Promise<void>;

/** nginx's code for a client that did not wait for its answer; HTTP has none. */
const clientGoneCode = 499;

/**
 * Opens first and closes last: whatever happens inside, the call has its outcome on record and the agent has its
 * answer, or a stream that visibly broke off.
 */
export function withAudit(deps: AuditDependencies, next: Next<void>): Serve {
  const {recorder, metrics, onInternalError} = deps;
  return async (request, response, connection) => {
    const receivedAtMicroseconds = recorder.now();
    const record = new CallRecord(recorder, {
      auditID: randomUUID(),
      receivedAtMicroseconds,
      request: {
        isResourceRequest: false,
        verb: (request.method ?? '').toLowerCase(),
        requestURI: request.url ?? '',
        userAgent: request.headers['user-agent'] ?? '',
        sourceIP: request.socket?.remoteAddress ?? '',
      },
    });
    const call = new Call(request, response, record, connection);
    let outcome = 'Forwarded';
    try {
      await next(call);
      record.outcome({code: call.statusCode, ...findings(call)});
    } catch (error) {
      outcome = await conclude(call, error);
    }
    const code = outcome === 'ClientGone' && !call.answered ? clientGoneCode : call.statusCode;
    const unexpected = unexpectedPAN(call);
    if (unexpected !== undefined) deps.onUnexpectedPAN(record.auditID, unexpected);
    const masked = maskedValues(call.maskedCounts());
    metrics.finished(call.verb, code, outcome, (recorder.now() - receivedAtMicroseconds) / 1e6, masked);
  };

  /** Puts a call that did not end well on record and tells the agent; gives the outcome for metrics. */
  async function conclude(call: Call, error: unknown): Promise<string> {
    const {response} = call;
    if (error instanceof ClientGone) {
      const code = call.answered ? call.statusCode : clientGoneCode;
      await recordEnd(call, code, undefined, error.message).catch(onInternalError);
      return error.code;
    }
    if (error instanceof StreamEnded) {
      const {refusal} = error;
      if (!response.writableEnded) breakOff(response);
      await recordEnd(call, refusal.httpStatus, refusal, undefined).catch(onInternalError);
      return refusal.code;
    }
    if (call.answered) {
      // A response that ends here would look whole.
      breakOff(response);
      const reason = error instanceof Error ? error.message : String(error);
      await recordEnd(call, call.statusCode, undefined, `the response broke off: ${reason}`).catch(onInternalError);
      return 'BrokenOff';
    }
    let refusal = refusalOf(error);
    if (refusal.code === 'Internal') onInternalError(error);
    try {
      await recordEnd(call, refusal.httpStatus, refusal, causeOf(refusal));
    } catch (recordError) {
      refusal = refusalOf(recordError);
    }
    if (!isGone(response)) answer(response, refusal);
    return refusal.code;
  }

  async function recordEnd(call: Call, code: number, refusal: Refusal | undefined, error: string | undefined) {
    const outcome = {
      code,
      ...(refusal && {status: refusal.status(), refusal: refusal.code}),
      ...(error !== undefined && {error}),
      ...findings(call),
    };
    if (call.intended) call.record.outcome(outcome);
    else await call.record.refused(call.recorded(refusal), outcome);
  }
}

function findings(call: Call) {
  const {responseObject, sealed} = call;
  const panUnexpected = unexpectedPAN(call);
  return {
    ...(panUnexpected !== undefined && {panUnexpected}),
    ...maskedIn(call),
    ...(responseObject !== undefined && {responseObject}),
    ...(sealed !== undefined && {recording: sealed}),
  };
}

function maskedIn(call: Call) {
  const counts = call.maskedCounts();
  return counts === nothingMasked ? undefined : {masked: maskedValues(counts), maskedFields: maskedFields(counts)};
}

function causeOf({cause}: Refusal): string | undefined {
  return cause instanceof Error ? cause.message : undefined;
}
