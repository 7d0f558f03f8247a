import {failure, type Status} from '../../core/status.ts';
import {KubeConnectionError, KubeError} from '../kube/error.ts';

/** Why the control API did not do what a proxy asked; stable, and the `reason` of the Status's cause. */
export type RefusalCode =
  | 'Unauthenticated'
  | 'AuthenticationUnavailable'
  | 'NotServiceAccount'
  | 'OtherAgent'
  | 'RouteUnknown'
  | 'MethodUnknown'
  | 'BodyTooLarge'
  | 'FieldInvalid'
  | 'NamespaceMismatch'
  | 'NamespaceNotFound'
  | 'RequestNotFound'
  | 'NoBundle'
  | 'PolicyMismatch'
  | 'TooManyPending'
  | 'TooManyStreams'
  | 'DigestMismatch'
  | 'Pending'
  | 'Denied'
  | 'Expired'
  | 'Consumed'
  | 'Revoked'
  | 'AdmissionPolicyMissing'
  | 'AuditChainRegressed'
  | 'Overloaded'
  | 'Conflict'
  | 'Rejected'
  | 'KubernetesUnavailable'
  | 'Internal';

interface RefusalOptions {
  /** Dotted path of the field at fault. */
  readonly field?: string;
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** What a proxy asked for and does not get. It becomes a Kubernetes Status in `answer.ts` and nowhere else. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly httpStatus: number;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  /** `message` is for the operator of the proxy: what was refused, why, and what would be right. */
  constructor(code: RefusalCode, httpStatus: number, message: string, options: RefusalOptions = {}) {
    super(message, options.cause === undefined ? undefined : {cause: options.cause});
    this.code = code;
    this.httpStatus = httpStatus;
    this.field = options.field;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** The Kubernetes Status of this refusal. */
  status(): Status {
    const cause = {reason: this.code, message: this.message, ...(this.field !== undefined && {field: this.field})};
    return failure(this.httpStatus, this.message, {
      causes: [cause],
      ...(this.retryAfterSeconds !== undefined && {retryAfterSeconds: this.retryAfterSeconds}),
    });
  }
}

/**
 * The refusal that a fault on the way to the API server amounts to. What the API server itself rejects about the object
 * (400, 422) is the caller's to know; everything else is the operator's trouble and worth another try.
 */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) {
    return error;
  }
  if (error instanceof KubeError) {
    if (error.code === 400 || error.code === 422) {
      return new Refusal('Rejected', error.code, `The API server rejected the object: ${error.message}`, {
        cause: error,
      });
    }
    if (error.code === 409) {
      const message = 'The object kept changing while it was written; try again.';
      return new Refusal('Conflict', 409, message, {retryAfterSeconds: 1, cause: error});
    }
  }
  if (error instanceof KubeError || error instanceof KubeConnectionError) {
    const message = `The operator could not get this done at the API server: ${error.message}`;
    return new Refusal('KubernetesUnavailable', 503, message, {retryAfterSeconds: 1, cause: error});
  }
  return new Refusal('Internal', 500, 'The operator failed to answer; its log says why.', {cause: error});
}
