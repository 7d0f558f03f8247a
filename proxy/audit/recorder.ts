import type {AuditedDecision} from '../../core/audit/decision.ts';
import {
  type AuditedOutcome,
  compact,
  type EncodedCall,
  type EventEncoder,
  type UnresolvedRequest,
} from '../../core/audit/event.ts';
import type {AuditLevel} from '../../core/policy/decision.ts';
import type {Agent} from '../../core/request/agent.ts';
import type {Operation} from '../../core/request/operation.ts';
import type {AuditLog} from './log.ts';

export interface RecorderDependencies {
  readonly encoder: EventEncoder;
  readonly log: Pick<AuditLog, 'append' | 'record'>;
  /** Microseconds since the epoch. */
  readonly now: () => number;
}

export interface ReceivedCall {
  /** Made by the proxy for this call, a UUID. */
  readonly auditID: string;
  readonly request: UnresolvedRequest;
  readonly receivedAtMicroseconds: number;
}

/** What the decision says of the record. */
export interface RecordedDecision {
  readonly decision: AuditedDecision;
  readonly level: AuditLevel;
  /** Body of the request, already masked; written from level Request. */
  readonly requestObject?: string;
  /** Name of the recording of a stream. */
  readonly recording?: string;
}

/**
 * The record of one call, which learns who and what as the filters find out. Every call has one line for each stage:
 * a call that is forwarded has an intent (RequestReceived), ResponseStarted if it is long-running, and an outcome
 * (ResponseComplete); a call that is refused has ResponseComplete alone.
 */
export class CallRecord {
  readonly #dependencies: RecorderDependencies;
  readonly #received: ReceivedCall;
  #agent: Agent | undefined;
  #operation: Operation | undefined;
  #encoded: EncodedCall | undefined;
  #state: 'Received' | 'Forwarded' | 'Started' | 'Complete' = 'Received';

  constructor(dependencies: RecorderDependencies, received: ReceivedCall) {
    this.#dependencies = dependencies;
    this.#received = received;
  }

  get auditID(): string {
    return this.#received.auditID;
  }

  identified(agent: Agent): void {
    this.#agent = agent;
  }

  resolved(operation: Operation): void {
    this.#operation = operation;
  }

  /**
   * Puts on record that the call is about to be forwarded.
   *
   * @returns resolved once that is durable; rejected with AuditUnavailable, and then the call must not be forwarded.
   */
  async intent(decided: RecordedDecision): Promise<void> {
    if (this.#state !== 'Received') throw new Error(`a call has one intent, and this one is ${this.#state}`);
    const {encoder, log, now} = this.#dependencies;
    const encoded = this.#prepare(decided);
    await log.append(encoder.encode(encoded, {stage: 'RequestReceived', atMicroseconds: now()}));
    this.#encoded = encoded;
    this.#state = 'Forwarded';
  }

  /**
   * The response of a long-running call has begun.
   *
   * @param code HTTP status that the agent got.
   */
  responseStarted(code: number): void {
    if (this.#encoded === undefined || this.#state !== 'Forwarded') return;
    this.#state = 'Started';
    const {encoder, log, now} = this.#dependencies;
    this.#encoded = compact(this.#encoded);
    log.record(encoder.encode(this.#encoded, {stage: 'ResponseStarted', atMicroseconds: now(), code}));
  }

  /** The end of a call whose intent is on record, however it ended. The first end counts, and none before an intent. */
  outcome(outcome: AuditedOutcome): void {
    if (this.#encoded === undefined || this.#state === 'Complete') return;
    this.#state = 'Complete';
    const {encoder, log, now} = this.#dependencies;
    log.record(encoder.encode(this.#encoded, {stage: 'ResponseComplete', atMicroseconds: now(), outcome}));
  }

  /**
   * The one line of a call that is not forwarded.
   *
   * @returns resolved once it is durable; rejected with AuditUnavailable.
   */
  async refused(decided: RecordedDecision, outcome: AuditedOutcome): Promise<void> {
    if (this.#state !== 'Received') throw new Error(`a call is refused once, and this one is ${this.#state}`);
    this.#state = 'Complete';
    const {encoder, log, now} = this.#dependencies;
    const encoded = this.#prepare(decided);
    await log.append(encoder.encode(encoded, {stage: 'ResponseComplete', atMicroseconds: now(), outcome}));
  }

  #prepare({decision, level, requestObject, recording}: RecordedDecision): EncodedCall {
    const {auditID, request, receivedAtMicroseconds} = this.#received;
    return this.#dependencies.encoder.prepare({
      auditID,
      level,
      agent: this.#agent,
      request: this.#operation ?? request,
      receivedAtMicroseconds,
      decision,
      ...(requestObject !== undefined && {requestObject}),
      ...(recording !== undefined && {recording}),
    });
  }
}
