import {failure, type Status} from '../../core/status.ts';

/** Why a call was not carried out; the `code` label of metrics and the `lockkeeper.dev/refusal` annotation of the record. */
export type RefusalCode =
  /** 400, 408, 431: what arrived is no HTTP request, came too slowly, or has headers that are too long. */
  | 'Unreadable'
  /** 401: the token is missing or not accepted; a call that lasts ends with its token. */
  | 'Unauthenticated'
  /** 503: the issuer that could check the token cannot be asked. */
  | 'AuthenticationUnavailable'
  /** 400: the API server could read the request differently. */
  | 'Ambiguous'
  /** 403: agents may not impersonate. */
  | 'ImpersonationRefused'
  /** 403: a rule denies, or none allows. A call that lasts ends when a policy that denies it comes into force. */
  | 'PolicyDenied'
  /** 403: an AccessRequest waits for approval. */
  | 'ApprovalPending'
  /** 403: an approver denied, or the operator opens no AccessRequest for the call. */
  | 'ApprovalDenied'
  /** 403: the grant went to another call, or is over. */
  | 'ApprovalSpent'
  /** 403: a call that lasts, and by now needs an approval that it does not have. */
  | 'ApprovalRequired'
  /** 403: a call that lasts, and whose grant has run out. */
  | 'ApprovalExpired'
  /** 403: a call that lasts, and whose grant was taken back: revoked, denied, or its AccessRequest deleted. */
  | 'ApprovalRevoked'
  /** 503: no policy has reached the proxy yet. */
  | 'NoBundle'
  /** 503: the operator was not heard for too long: nothing is written, and no call lives on a grant. */
  | 'StaleBundle'
  /** 503: the operator cannot be asked for an approval, or whether one still stands. */
  | 'ControlUnavailable'
  /** 413: policy, approval or masking has to read the body, and it is too large. */
  | 'BodyTooLarge'
  /** 400, 415: policy, approval or masking has to read the body, and it cannot be read. */
  | 'BodyUnreadable'
  /** 422: what would be written holds masked values, or would delete what masking left out. */
  | 'MaskedWriteBack'
  /** 406: the client takes no format that can be masked. */
  | 'NotAcceptable'
  /** 501: an upgrade that the proxy cannot record and mask. */
  | 'UpgradeUnsupported'
  /** 403, 502: the answer cannot be masked as policy asks. */
  | 'MaskingImpossible'
  /** 503: a call that lasts, and by now is to be masked or recorded as it was not when it began. */
  | 'ObligationsChanged'
  /** 503: the stream cannot be recorded. */
  | 'RecordingUnavailable'
  /** 429: too many calls are under way, or too many AccessRequests wait. */
  | 'Overloaded'
  /** 503: the proxy is going down. */
  | 'Draining'
  /** 503: the call cannot be put on record. */
  | 'AuditUnavailable'
  /** 429, 502, 503: the API server cannot be reached, did not take the call, or its answer cannot be read. */
  | 'UpstreamUnavailable'
  /** 504: the API server did not answer in time. */
  | 'UpstreamTimeout'
  /** 500: a fault of the proxy's own. */
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
