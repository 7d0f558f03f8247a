import type {Status} from '../../core/status.ts';

/** The API server answered, and said no. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** HTTP status, also for a Status that came as a watch's ERROR event. */
  readonly code: number;
  /** `metav1.StatusReason`, such as NotFound, Conflict, AlreadyExists, Expired. */
  readonly reason: string;
  /** Undefined where the answer held no Status (a load balancer's page, for instance). */
  readonly status: Partial<Status> | undefined;

  constructor(what: string, code: number, status: Partial<Status> | undefined, options?: ErrorOptions) {
    super(`${what}: ${status?.message ?? `HTTP ${code}`}`, options);
    this.code = code;
    this.reason = status?.reason ?? '';
    this.status = status;
  }

  static hasCode(error: unknown, code: number): error is KubeError {
    return error instanceof KubeError && error.code === code;
  }
}

/** The API server could not be reached, or what came back was cut short or no JSON. */
export class KubeConnectionError extends Error {
  override readonly name = 'KubeConnectionError';
  readonly code = 'KubeConnection';
}

/** The `Status` in a body or an ERROR event; undefined where it is none. */
export function parseStatus(value: unknown): Partial<Status> | undefined {
  if (typeof value !== 'object' || value === null || !('kind' in value) || value.kind !== 'Status') return undefined;
  const {message, reason, code, details} = value as Record<string, unknown>;
  return {
    kind: 'Status',
    ...(typeof message === 'string' && {message}),
    ...(typeof reason === 'string' && {reason}),
    ...(typeof code === 'number' && {code}),
    ...(typeof details === 'object' && details !== null && {details: details as NonNullable<Status['details']>}),
  };
}
