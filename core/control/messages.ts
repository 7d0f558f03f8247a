import type {AccessRequestSpec, AccessRequestStatus} from '../api/accessrequest.ts';
import type {Bundle} from '../policy/bundle.ts';

/*
 * What proxy and operator say to each other, JSON over HTTPS. The proxy sends a ServiceAccount token of audience
 * `lockkeeper-operator` as its bearer token with each call.
 *
 * GET  /v1/bundle?proxy=ID                       stream of BundleMessage, one JSON object a line
 * POST /v1/acknowledgements                      Acknowledgement → 204
 * POST /v1/accessrequests                        OpenRequest → AccessRequestState (201 opened, 200 joined)
 * GET  /v1/accessrequests/{namespace}/{name}?waitSeconds=N&phase=P   AccessRequestState once its phase is not P (Pending
 *                                                where none is given), or when N seconds passed; 404 once it is deleted
 * POST /v1/accessrequests/{namespace}/{name}/consume         ConsumeRequest → AccessRequestState (200), 409 where it cannot be spent
 * POST /v1/checkpoints                           Checkpoint → 204
 *
 * Every refusal is a Kubernetes Status.
 */
export const controlAudience = 'lockkeeper-operator';

/** A heartbeat is sent every `heartbeatSeconds` so that a proxy can tell a quiet operator from a lost one. */
export const heartbeatSeconds = 5;

export type BundleMessage = {readonly type: 'Bundle'; readonly bundle: Bundle} | {readonly type: 'Heartbeat'};

export interface Acknowledgement {
  /** Stable for the life of the proxy process. */
  readonly proxy: string;
  readonly revision: string;
  readonly hash: string;
  readonly result: 'Applied' | 'Rejected';
  /** Why it was rejected. */
  readonly reason?: string;
}

/** `spec` without what the operator decides itself: it fills in expiresAt from its own clock. */
export interface OpenRequest {
  /** Where the AccessRequest is to live. */
  readonly namespace: string;
  readonly spec: Omit<AccessRequestSpec, 'expiresAt'>;
  readonly expireAfterSeconds: number;
}

export type AccessRequestPhase = NonNullable<AccessRequestStatus['phase']>;

export interface AccessRequestState {
  readonly namespace: string;
  readonly name: string;
  readonly digest: string;
  readonly phase: AccessRequestPhase;
  /** The deciding approver's reason, where there is one. */
  readonly reason: string;
  /** Who decided, in order. */
  readonly approvers: readonly string[];
  /** Who revoked it, where somebody did. */
  readonly revokedBy?: string;
  readonly expiresAt: string;
  /** The time left until then by the operator's clock, so that no other clock has to agree with it; 0 once it has passed. */
  readonly expiresInMilliseconds: number;
}

export interface ConsumeRequest {
  readonly digest: string;
  readonly proxy: string;
  /** The call that spends the grant. */
  readonly auditID: string;
}

/** Head of a proxy's audit chain at one moment. */
export interface Checkpoint {
  readonly origin: string;
  readonly sequence: number;
  /** Lower-case hex sha256 of the line with that sequence. */
  readonly hash: string;
}
