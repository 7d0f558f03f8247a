import type {Approval, OperationPattern, RuleCondition, Subject} from '../api/agentaccesspolicy.ts';

export const bundleSchemaVersion = 1;

/** Every policy of the cluster, compiled: plain immutable data, sent by the operator to each proxy. */
export interface Bundle {
  readonly schemaVersion: typeof bundleSchemaVersion;
  /** resourceVersion of the policy list. */
  readonly revision: string;
  /** Lower-case hex sha256 over the canonical JSON of `rootNamespace` and `policies`. */
  readonly hash: string;
  readonly rootNamespace: string;
  /** Sorted by namespace, then name. */
  readonly policies: readonly BundlePolicy[];
}

export interface BundlePolicy {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly enforcementMode: 'Enforce' | 'DryRun';
  readonly subjects: readonly Subject[];
  readonly rules: readonly BundleRule[];
  readonly masking: readonly BundleMasking[];
  readonly auditLevel: 'Metadata' | 'Request' | 'RequestResponse';
  readonly recordInput: boolean;
}

export interface BundleRule {
  readonly name: string;
  readonly effect: 'Allow' | 'Deny' | 'RequireApproval';
  readonly operations: readonly OperationPattern[];
  readonly conditions: readonly RuleCondition[];
  readonly message: string;
  /** Only for RequireApproval; defaults filled in, durations in seconds. */
  readonly approval?: BundleApproval;
}

export interface BundleApproval {
  readonly approvers: {readonly groups: readonly string[]; readonly users: readonly string[]};
  readonly count: number;
  readonly expireAfterSeconds: number;
  readonly grant: NonNullable<Approval['grant']>;
  readonly waitSeconds: number;
}

/** A detector that the proxy does not know makes the responses it would cover refused, not the bundle rejected. */
export interface BundleMasking {
  readonly name: string;
  readonly detector: string;
}
