// Hand-written stand-in; replaced by the types generated from crds/.
export interface ObjectMeta {
  name?: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** metav1.Condition. */
export interface StatusCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}

export interface AgentAccessPolicy {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
  spec: AgentAccessPolicySpec;
  status?: AgentAccessPolicyStatus;
}

export interface AgentAccessPolicySpec {
  /** Default Enforce. */
  enforcementMode?: 'Enforce' | 'DryRun';
  /** Any one matches. 1 to 64. */
  subjects: Subject[];
  /** listType=map by name. 0 to 64 (a policy may hold only masking or audit). */
  rules?: Rule[];
  masking?: MaskingEntry[];
  audit?: {level: 'Metadata' | 'Request' | 'RequestResponse'};
}

export interface Subject {
  kind: 'User' | 'Group' | 'ServiceAccount';
  /** "*" for any. */
  name: string;
  /** Required for ServiceAccount, forbidden otherwise. */
  namespace?: string;
}

export interface Rule {
  name: string;
  effect: 'Allow' | 'Deny' | 'RequireApproval';
  /** Any one matches. 1 to 64. */
  operations: OperationPattern[];
  /** CEL, all must hold. */
  conditions?: RuleCondition[];
  /** Shown to the agent. */
  message?: string;
  /** Required with RequireApproval, forbidden otherwise. */
  approval?: Approval;
}

/** Inside one pattern, every field given must match. Either nonResourceURLs or resources, never both. */
export interface OperationPattern {
  /** RequestInfo verbs, or "*". */
  verbs: string[];
  /** "" is the core group; "*" any. Required with resources. */
  apiGroups?: string[];
  /** Plural names without a subresource; "*" any. */
  resources?: string[];
  /** Absent or empty: the main resource only. "*": the main resource and every subresource. "" names the main resource. */
  subresources?: string[];
  /** Exact names. */
  resourceNames?: string[];
  /** Exact names, or a prefix with a trailing "*"; "" is cluster scope and all namespaces. Absent: all. */
  namespaces?: string[];
  /** Exact paths, or a prefix with a trailing "*". Only in the root namespace do they ever match. */
  nonResourceURLs?: string[];
}

export interface RuleCondition {
  name: string;
  /** A CEL expression that gives bool. */
  expression: string;
}

export interface Approval {
  /** Absent: whoever holds the RBAC verb "approve" on accessrequests in the namespace. */
  approvers?: {groups?: string[]; users?: string[]};
  /** Distinct approvers needed. Default 1. */
  count?: number;
  /** Duration such as 15m. Default 15m. From the opening of the request. */
  expireAfter?: string;
  /** Default Once. */
  grant?: 'Once' | 'Window';
  /** Duration for which the proxy holds the call. Default 0s. */
  wait?: string;
}

export interface MaskingEntry {
  name: string;
  detector: 'PAN';
}

export interface AgentAccessPolicyStatus {
  observedGeneration?: number;
  /** Accepted, Programmed. */
  conditions?: StatusCondition[];
  /** The bundle revision that first held this generation. */
  revision?: string;
  /** Proxies that applied it, of those connected. */
  proxies?: {applied: number; rejected: number; connected: number};
}
