// Hand-written stand-in; replaced by the types generated from crds/.
import type {ObjectMeta, StatusCondition} from './agentaccesspolicy.ts';

/** One held operation. Lives in the namespace that the operation targets; cluster-scoped: the root namespace. */
export interface AccessRequest {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
  spec: AccessRequestSpec;
  status?: AccessRequestStatus;
}

/** Immutable, written by the operator alone. */
export interface AccessRequestSpec {
  agent: {username: string; uid?: string; groups?: string[]; issuer?: string};
  operation: {
    verb: string;
    apiGroup?: string;
    apiVersion?: string;
    resource?: string;
    subresource?: string;
    namespace?: string;
    name?: string;
    /** For non-resource requests. */
    path?: string;
  };
  request: {
    method: string;
    path: string;
    query?: string;
    contentType?: string;
    /** Lower-case hex sha256 of the canonical body; absent where there is none. */
    bodySHA256?: string;
    /** Masked, at most 8 KiB. */
    bodyPreview?: string;
    command?: string[];
    container?: string;
  };
  /** Lower-case hex sha256 over agent, rule and request (grant Once), or agent, rule and object (grant Window). */
  digest: string;
  policy: {namespace: string; name: string; uid?: string; rule: string; generation?: number};
  approvers?: {groups?: string[]; users?: string[]};
  /** Default 1. */
  count: number;
  grant: 'Once' | 'Window';
  /** RFC 3339. */
  expiresAt: string;
}

export interface AccessRequestStatus {
  observedGeneration?: number;
  /** The approver's slot. */
  decision?: {
    outcome: 'Approved' | 'Denied';
    reason?: string;
    /** Stamped by the MutatingAdmissionPolicy on Kubernetes 1.36+, else given by the approver. */
    username?: string;
  };
  /** The operator's record, by its own clock. */
  decisions?: {outcome: 'Approved' | 'Denied'; reason?: string; username: string; time: string}[];
  /** Pending | Approved | Denied | Expired | Consumed: derived from the conditions, for the printer column. */
  phase?: 'Pending' | 'Approved' | 'Denied' | 'Expired' | 'Consumed';
  conditions?: StatusCondition[];
  /** Which proxy spent the grant, and on which call. */
  consumedBy?: {proxy: string; auditID: string; time: string};
}
