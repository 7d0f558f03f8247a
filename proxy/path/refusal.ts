import {failure, type Status} from '../../core/status.ts';

/** Why a call was not carried out; the `code` label of metrics and the `lockkeeper.dev/refusal` annotation of the record. */
export type RefusalCode =
  | 'Unreadable'
  | 'Unauthenticated'
  | 'AuthenticationUnavailable'
  | 'Ambiguous'
  | 'ImpersonationRefused'
  | 'PolicyDenied'
  | 'ApprovalPending'
  | 'ApprovalDenied'
  | 'ApprovalSpent'
  | 'ApprovalRequired'
  | 'ApprovalExpired'
  | 'ApprovalRevoked'
  | 'NoBundle'
  | 'StaleBundle'
  | 'ControlUnavailable'
  | 'BodyTooLarge'
  | 'BodyUnreadable'
  | 'NotAcceptable'
  | 'UpgradeUnsupported'
  | 'MaskingImpossible'
  | 'MaskingChanged'
  | 'RecordingUnavailable'
  | 'Overloaded'
  | 'Draining'
  | 'AuditUnavailable'
  | 'UpstreamUnavailable'
  | 'UpstreamTimeout'
  | 'Internal';

interface RefusalOptions {
  readonly details?: Status['details'];
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** A call that was ended after its answer had begun, because it is no longer permitted. */
export class StreamEnded extends Error {
  override readonly name = 'StreamEnded';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message, {cause: refusal});
    this.refusal = refusal;
  }
}

/** A call that is not carried out. It becomes a Kubernetes Status in `answer.ts` and nowhere else. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly httpStatus: number;
  readonly details: Status['details'] | undefined;
  readonly retryAfterSeconds: number | undefined;

  /** `httpStatus` is the HTTP status code; `message` is for the agent and must name what was refused and why. */
  constructor(code: RefusalCode, httpStatus: number, message: string, options: RefusalOptions = {}) {
    super(message, options.cause === undefined ? undefined : {cause: options.cause});
    this.code = code;
    this.httpStatus = httpStatus;
    this.details = options.details;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  status(): Status {
    const details =
      this.retryAfterSeconds === undefined
        ? this.details
        : {...this.details, retryAfterSeconds: this.retryAfterSeconds};
    return failure(this.httpStatus, this.message, details);
  }
}
