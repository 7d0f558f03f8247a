import type {Approval, OperationPattern, RuleCondition, Subject} from '../api/agentaccesspolicy.ts';
import type {MaskingSource} from '../mask/compileplan.ts';

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
  /** What the rule permits is shown unmasked. Never with Deny. */
  readonly unmasked?: boolean;
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

/** An entry that the proxy cannot honour makes the responses it would cover refused, not the bundle rejected. */
export interface BundleMasking extends MaskingSource {
  readonly name: string;
  readonly field?: MaskingSource['field'] & {readonly resources: readonly BundleResources[]};
  readonly exemptions?: readonly BundleExemption[];
}

export interface BundleResources {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
}

/** What is given must match; what is left out, or empty, matches all. */
export interface BundleExemption {
  readonly namespaces?: readonly string[];
  readonly resources?: readonly (BundleResources & {readonly subresources?: readonly string[]})[];
  readonly fields?: readonly string[];
}

/** `namespace/name`. */
export function policyKey(policy: {readonly namespace: string; readonly name: string}): string {
  return `${policy.namespace}/${policy.name}`;
}
