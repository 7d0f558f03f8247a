/** Why a request is turned away before anybody asks for policy. */
export interface Refusal {
  /** 400: the API server could read the request differently from us. 403: the agent tried to be somebody else. */
  readonly status: 400 | 403;
  /** Stable, for metrics and the audit record. */
  readonly code: RefusalCode;
  /** For the agent: what is wrong and what would be right. */
  readonly reason: string;
}

export type RefusalCode =
  | 'MethodNotKnown'
  | 'TargetNotOriginForm'
  | 'PathNotCanonical'
  | 'QueryNotCanonical'
  | 'DuplicateParameter'
  | 'ContradictoryParameter'
  | 'ProtocolNotKnown'
  | 'DuplicateHeader'
  | 'FramingNotClear'
  | 'ExpectationNotKnown'
  | 'UpgradeNotKnown'
  | 'HandshakeNotClear'
  | 'Impersonation';

export function refuse(code: RefusalCode, reason: string): Refusal {
  return {status: code === 'Impersonation' ? 403 : 400, code, reason};
}
