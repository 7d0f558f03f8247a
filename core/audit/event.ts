import type {AuditLevel} from '../policy/decision.ts';
import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import type {Status} from '../status.ts';
import {maskRequestURI} from './address.ts';
import {annotation} from './annotations.ts';
import type {AuditedDecision} from './decision.ts';
import {embed, quote, quoteList} from './json.ts';

/** What is known of a request that was refused before it was resolved. */
export interface UnresolvedRequest {
  readonly isResourceRequest: false;
  /** The HTTP method in lower case, as kube-apiserver does for what is no resource request. */
  readonly verb: string;
  readonly requestURI: string;
  readonly userAgent: string;
  readonly sourceIP: string;
}

/** One call, as far as it is the same in the lines of all its stages. */
export interface AuditedCall {
  /** Made by the proxy, a UUID: never taken from the agent, so never masked. */
  readonly auditID: string;
  readonly level: AuditLevel;
  /** undefined where the token was refused. */
  readonly agent: Agent | undefined;
  readonly request: Operation | UnresolvedRequest;
  readonly receivedAtMicroseconds: number;
  readonly decision: AuditedDecision;
  /** Body sent by the agent, already masked; written at levels Request and RequestResponse. */
  readonly requestObject?: string;
  /** Name of the recording of a stream, as `recordingName` makes it. */
  readonly recording?: string;
}

/** What one line adds. Times are microseconds since the epoch. */
export type AuditedStage =
  | {readonly stage: 'RequestReceived'; readonly atMicroseconds: number}
  | {readonly stage: 'ResponseStarted'; readonly atMicroseconds: number; readonly code: number}
  | {readonly stage: 'ResponseComplete'; readonly atMicroseconds: number; readonly outcome: AuditedOutcome};

export interface AuditedOutcome {
  /** HTTP status that the agent got. */
  readonly code: number;
  /** Set where the answer is the proxy's own. */
  readonly status?: Status;
  /** How many values each detector masked in the response. */
  readonly masked?: Readonly<Record<string, number>> | undefined;
  /** The same by member, as far as that is known. */
  readonly maskedFields?: Readonly<Record<string, Readonly<Record<string, number>>>> | undefined;
  readonly panUnexpected?: UnexpectedPAN;
  /** What became of the recording of a stream. */
  readonly recording?: SealedRecording;
  /** Body of the response, already masked, null where it is too large to be kept; written at level RequestResponse. */
  readonly responseObject?: string | null;
  /** Stable code of the refusal, where the call was not carried out. */
  readonly refusal?: string;
  /** What went wrong in the proxy or between it and the API server. */
  readonly error?: string;
}

/** Card numbers in an answer where policy expects none; what they were is nowhere. */
export interface UnexpectedPAN {
  /** `pods`, `pods/log`, `deployments.apps`; the path of what is no resource. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly count: number;
  /** Members of JSON that they stood in, as far as that is known. */
  readonly fields: readonly string[];
}

/** A recording that is closed: what the audit log vouches for. */
export interface SealedRecording {
  /** Over every byte of the file, lower-case hex. */
  readonly sha256: string;
  readonly bytes: number;
}

/** A call encoded once for all its lines. */
export interface EncodedCall {
  readonly beforeStage: string;
  readonly afterStage: string;
  readonly requestObject: string;
  readonly responseObjectWanted: boolean;
  readonly times: string;
  readonly annotations: string;
}

/** The same in strings of their own, for a call that lasts: those of `prepare` keep all the pieces that they are made of. */
export function compact(call: EncodedCall): EncodedCall {
  const copy = (text: string) => Buffer.from(text).toString();
  return {
    beforeStage: copy(call.beforeStage),
    afterStage: copy(call.afterStage),
    requestObject: copy(call.requestObject),
    responseObjectWanted: call.responseObjectWanted,
    times: copy(call.times),
    annotations: copy(call.annotations),
  };
}

/**
 * Writes events of `audit.k8s.io/v1` as text. Built by hand because it runs twice for each call: what a call, and what
 * an agent, always says is encoded once.
 */
export class EventEncoder {
  readonly #maskText: (text: string) => string;
  readonly #users = new WeakMap<Agent, string>();
  #second = -1;
  #secondText = '';

  /** @param maskText Masks what the agent or the API server chose: overwrites in place, length kept. */
  constructor(maskText: (text: string) => string) {
    this.#maskText = maskText;
  }

  prepare(call: AuditedCall): EncodedCall {
    const {agent, request, level} = call;
    const requestObject =
      level === 'Metadata' || call.requestObject === undefined ? undefined : embed(call.requestObject);
    return {
      beforeStage: `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"${level}","auditID":${quote(call.auditID)},"stage":"`,
      afterStage:
        `","requestURI":${quote(maskRequestURI(request.requestURI, this.#maskText))},"verb":${this.#text(request.verb)}` +
        `,"user":${agent === undefined ? '{}' : this.#user(agent)}` +
        (request.sourceIP === '' ? '' : `,"sourceIPs":[${quote(request.sourceIP)}]`) +
        this.#member('userAgent', request.userAgent) +
        (request.isResourceRequest ? this.#objectRef(request) : ''),
      requestObject: requestObject === undefined ? '' : `,"requestObject":${requestObject.text}`,
      responseObjectWanted: level === 'RequestResponse',
      times: `,"requestReceivedTimestamp":"${this.#time(call.receivedAtMicroseconds)}","stageTimestamp":"`,
      annotations:
        this.#decision(call.decision) +
        (call.recording === undefined ? '' : `,"${annotation.recording}":${quote(call.recording)}`) +
        (requestObject?.truncated === true ? truncatedAnnotation : ''),
    };
  }

  /**
   * The line of one stage up to its last annotation, for `seal` to close.
   *
   * @param call From `prepare`.
   */
  encode(call: EncodedCall, stage: AuditedStage): string {
    let response = '';
    let annotations = call.annotations;
    switch (stage.stage) {
      case 'RequestReceived':
        response = call.requestObject;
        break;
      case 'ResponseStarted':
        response = `,"responseStatus":{"metadata":{},"code":${stage.code}}`;
        break;
      case 'ResponseComplete': {
        const {outcome} = stage;
        response = this.#responseStatus(outcome) + call.requestObject;
        annotations += this.#counts(annotation.masked, outcome.masked);
        annotations += this.#counts(annotation.maskedFields, outcome.maskedFields);
        if (outcome.panUnexpected !== undefined) {
          annotations += this.#member(annotation.panUnexpected, JSON.stringify(outcome.panUnexpected));
        }
        if (outcome.recording !== undefined) {
          const {sha256, bytes} = outcome.recording;
          annotations += `,"${annotation.recordingSHA256}":"${sha256}","${annotation.recordingBytes}":"${bytes}"`;
        }
        annotations += this.#member(annotation.refusal, outcome.refusal ?? '');
        annotations += this.#member(annotation.error, outcome.error ?? '');
        if (call.responseObjectWanted && outcome.responseObject !== undefined) {
          const object = embed(outcome.responseObject);
          response += `,"responseObject":${object.text}`;
          if (object.truncated && !annotations.endsWith(truncatedAnnotation)) annotations += truncatedAnnotation;
        }
        break;
      }
      default:
        stage satisfies never;
    }
    return (
      call.beforeStage +
      stage.stage +
      call.afterStage +
      response +
      call.times +
      this.#time(stage.atMicroseconds) +
      `","annotations":{${annotations}`
    );
  }

  #counts(name: string, counts: object | undefined): string {
    const text = counts === undefined ? '{}' : JSON.stringify(counts);
    return text === '{}' ? '' : this.#member(name, text);
  }

  #text(text: string): string {
    return quote(this.#maskText(text));
  }

  /** `,"name":"value"`, or nothing for an empty value, as Go's omitempty. */
  #member(name: string, value: string): string {
    return value === '' ? '' : `,"${name}":${this.#text(value)}`;
  }

  #user(agent: Agent): string {
    const known = this.#users.get(agent);
    if (known !== undefined) return known;
    const extra = Object.entries(agent.extra).map(
      ([key, values]) => `${this.#text(key)}:${quoteList(values.map(this.#maskText))}`,
    );
    const user =
      `{"username":${this.#text(agent.username)}${this.#member('uid', agent.uid)}` +
      (agent.groups.length === 0 ? '' : `,"groups":${quoteList(agent.groups.map(this.#maskText))}`) +
      (extra.length === 0 ? '}' : `,"extra":{${extra.join(',')}}}`);
    this.#users.set(agent, user);
    return user;
  }

  #objectRef(operation: Operation): string {
    const members =
      this.#member('resource', operation.resource) +
      this.#member('namespace', operation.namespace) +
      this.#member('name', operation.name) +
      this.#member('apiGroup', operation.apiGroup) +
      this.#member('apiVersion', operation.apiVersion) +
      this.#member('subresource', operation.subresource);
    return `,"objectRef":{${members.slice(1)}}`;
  }

  #responseStatus({code, status}: AuditedOutcome): string {
    if (status === undefined) return `,"responseStatus":{"metadata":{},"code":${code}}`;
    return (
      `,"responseStatus":{"metadata":{},"status":${quote(status.status)}${this.#member('message', status.message)}` +
      `,"reason":${quote(status.reason)},"code":${code}}`
    );
  }

  #decision(decision: AuditedDecision): string {
    const {approvers, dryRun} = decision;
    return (
      `"${annotation.decision}":"${decision.outcome}"` +
      this.#member(annotation.policy, decision.policy ?? '') +
      this.#member(annotation.rule, decision.rule ?? '') +
      this.#member(annotation.reason, decision.reason ?? '') +
      this.#member(annotation.ruleError, decision.ruleError ?? '') +
      this.#member(annotation.bundleRevision, decision.bundleRevision ?? '') +
      this.#member(annotation.unmasked, decision.unmasked ? 'true' : '') +
      this.#member(annotation.accessRequest, decision.accessRequest ?? '') +
      (approvers === undefined || approvers.length === 0
        ? ''
        : this.#member(annotation.approvers, JSON.stringify(approvers))) +
      (dryRun === undefined || dryRun.length === 0 ? '' : this.#member(annotation.dryRun, JSON.stringify(dryRun)))
    );
  }

  /** metav1.MicroTime: RFC 3339 in UTC with six decimals. */
  #time(microseconds: number): string {
    const second = Math.floor(microseconds / 1_000_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1000).toISOString().slice(0, 20);
    }
    return `${this.#secondText}${Math.floor(microseconds - second * 1_000_000)
      .toString()
      .padStart(6, '0')}Z`;
  }
}

const truncatedAnnotation = `,"${annotation.truncated}":"true"`;
