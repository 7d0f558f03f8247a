// Generated from crds/accessrequests.yaml by `npm run generate`. Do not edit.
import type {ObjectMeta, StatusCondition} from './meta.ts';

export type {ObjectMeta, StatusCondition} from './meta.ts';

/**
 * AccessRequest is one call of an AI agent that a policy holds until people decide. The operator
 * creates it in the namespace that the call targets (calls about no namespace: in the root namespace,
 * lockkeeper-system). Who holds the RBAC verb approve on accessrequests there decides by setting
 * status.decision, for example kubectl patch accessrequest NAME --subresource=status --type=merge -p
 * '{"status":{"decision":{"outcome":"Approved","reason":"change 4711"}}}'. The decision counts for
 * exactly the call that spec describes.
 */
export interface AccessRequest {
  /**
   * lockkeeper.dev/v1alpha1.
   */
  apiVersion?: string;
  /**
   * AccessRequest.
   */
  kind?: string;
  metadata?: ObjectMeta;
  spec: AccessRequestSpec;
  status?: AccessRequestStatus;
}
/**
 * The held call. Written once by the operator and never changed.
 */
export interface AccessRequestSpec {
  /**
   * Who made the call.
   */
  agent: {
    /**
     * The agent's name as the API server sees it, prefix included.
     */
    username: string;
    /**
     * The agent's unique id, from its token.
     */
    uid?: string;
    /**
     * The agent's groups as the API server sees them.
     */
    groups?: string[];
    /**
     * Who issued the agent's token (its iss claim).
     */
    issuer?: string;
  };
  /**
   * What the call would do, as Kubernetes RBAC names it.
   */
  operation: {
    /**
     * For example get, create or delete; an HTTP method in lower case where path is given.
     */
    verb: string;
    /**
     * The API group; absent or empty for the core group.
     */
    apiGroup?: string;
    /**
     * The version within the API group, such as v1.
     */
    apiVersion?: string;
    /**
     * The plural resource name, such as secrets.
     */
    resource?: string;
    /**
     * The subresource, such as exec.
     */
    subresource?: string;
    /**
     * Absent or empty for cluster scope and for all namespaces.
     */
    namespace?: string;
    /**
     * The name of the object, where the call gives one in its path.
     */
    name?: string;
    /**
     * The path of a call that is about no resource.
     */
    path?: string;
    /**
     * The agent would see the answer unmasked, card numbers included, as far as the policy's namespace may
     * lift masking. Part of the digest.
     */
    unmasked?: boolean;
  };
  /**
   * The HTTP request that is held, exactly.
   */
  request: {
    /**
     * The HTTP method, in upper case.
     */
    method: string;
    /**
     * The path as received, not decoded.
     */
    path: string;
    /**
     * The query as received, not decoded, without "?".
     */
    query?: string;
    /**
     * The media type of the body.
     */
    contentType?: string;
    /**
     * SHA-256 of the canonical body, in lower-case hex; absent where there is no body.
     */
    bodySHA256?: string;
    /**
     * The beginning of the body, masked, at most 8 KiB.
     */
    bodyPreview?: string;
    /**
     * The command of an exec, one argument an entry.
     */
    command?: string[];
    /**
     * The container of an exec or attach; absent for the pod's default.
     */
    container?: string;
  };
  /**
   * SHA-256, in lower-case hex, over what the approval is good for: agent, rule and exact request (grant
   * Once), or agent, rule and object (grant Window).
   */
  digest: string;
  /**
   * The rule that asks for the approval.
   */
  policy: {
    /**
     * The namespace of the AgentAccessPolicy.
     */
    namespace: string;
    /**
     * The name of the AgentAccessPolicy.
     */
    name: string;
    /**
     * The uid of the AgentAccessPolicy.
     */
    uid?: string;
    /**
     * The name of the rule.
     */
    rule: string;
    /**
     * The generation of the AgentAccessPolicy that was in force when the call was held.
     */
    generation?: number;
  };
  /**
   * Only these groups and users may decide. Absent or empty: whoever holds the RBAC verb approve on
   * accessrequests in this namespace; that verb is needed in either case.
   */
  approvers?: {
    /**
     * Members of any one of these groups may decide.
     */
    groups?: string[];
    /**
     * These users may decide.
     */
    users?: string[];
  };
  /**
   * How many different people must approve. One denial is enough to deny.
   */
  count: number;
  /**
   * Once: the approval lets this very call through one time. Window: the agent may repeat the same
   * operation on the same object until expiresAt.
   */
  grant: 'Once' | 'Window';
  /**
   * When the request can no longer be approved nor its grant used (RFC 3339), by the operator's clock.
   */
  expiresAt: string;
}
/**
 * The decision and what became of it. Approvers set decision; everything else is written by the
 * operator alone.
 */
export interface AccessRequestStatus {
  /**
   * The generation of the AccessRequest that this status is about.
   */
  observedGeneration?: number;
  decision?: DecisionSlot;
  /**
   * The operator's record of the decisions, one for each person, oldest first. Only ever added to.
   */
  decisions?: RecordedDecision[];
  /**
   * Where the request stands, derived from the conditions. Pending: waits for approvers. Approved: the
   * agent may repeat its call. Consumed: the grant was used. Revoked: the grant was taken back.
   */
  phase?: 'Pending' | 'Approved' | 'Denied' | 'Expired' | 'Consumed' | 'Revoked';
  /**
   * Approved: enough people approved. Denied: someone denied. Expired: expiresAt has passed. Consumed:
   * the grant was used. Revoked: someone took the grant back.
   */
  conditions?: StatusCondition[];
  /**
   * The call that used the grant.
   */
  consumedBy?: {
    /**
     * The proxy that let the call through.
     */
    proxy: string;
    /**
     * The call's id in the audit logs of Lockkeeper and of the API server.
     */
    auditID: string;
    /**
     * When the grant was used, by the operator's clock.
     */
    time: string;
  };
  revokedBy?: Revocation;
}
/**
 * The approver's slot. The operator moves what is set here to decisions and empties the slot for the
 * next approver.
 */
export interface DecisionSlot {
  /**
   * Whether the call may go ahead. Revoked takes an approval back, also one that is in use: streams that
   * live on it end.
   */
  outcome: 'Approved' | 'Denied' | 'Revoked';
  /**
   * Why, for the agent and the record.
   */
  reason?: string;
  /**
   * Who decides. From Kubernetes 1.36 on leave it out: the API server fills in who you are. On older
   * clusters give your own username, as kubectl auth whoami shows it.
   */
  username?: string;
}
/**
 * One person's decision.
 */
export interface RecordedDecision {
  /**
   * What was decided.
   */
  outcome: 'Approved' | 'Denied';
  /**
   * Why.
   */
  reason?: string;
  /**
   * Who decided.
   */
  username: string;
  /**
   * When the operator recorded it, by the operator's clock.
   */
  time: string;
}
/**
 * Who took the grant back. Apart from decisions, because whoever approved may do so too.
 */
export interface Revocation {
  /**
   * Who revoked.
   */
  username: string;
  /**
   * Why.
   */
  reason?: string;
  /**
   * When the operator recorded it, by the operator's clock.
   */
  time: string;
}
