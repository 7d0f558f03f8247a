// Generated from crds/agentaccesspolicies.yaml by `npm run generate`. Do not edit.
import type {ObjectMeta, StatusCondition} from './meta.ts';

export type {ObjectMeta, StatusCondition} from './meta.ts';

/**
 * AgentAccessPolicy says what AI agents may do to the Kubernetes API through Lockkeeper. In the root
 * namespace (lockkeeper-system) it applies to every request; in any other namespace it applies only to
 * requests that target that namespace. Over all rules of all policies that apply, a matching Deny wins
 * over RequireApproval, RequireApproval wins over Allow, and what no rule allows is denied. Kubernetes
 * RBAC still applies on top.
 */
export interface AgentAccessPolicy {
  /**
   * lockkeeper.dev/v1alpha1.
   */
  apiVersion?: string;
  /**
   * AgentAccessPolicy.
   */
  kind?: string;
  metadata?: ObjectMeta;
  spec: AgentAccessPolicySpec;
  status?: AgentAccessPolicyStatus;
}
/**
 * What the policy's author wants.
 */
export interface AgentAccessPolicySpec {
  /**
   * Enforce applies the policy. DryRun evaluates it and records in the audit log what it would have
   * done, but never allows, denies, holds or masks anything.
   */
  enforcementMode?: 'Enforce' | 'DryRun';
  /**
   * The agents that the policy is about; an agent that matches any one of them is subject to it.
   */
  subjects: Subject[];
  /**
   * What is allowed, denied or held for approval. The order does not matter. A policy without rules may
   * still mask responses or raise the audit level.
   */
  rules?: Rule[];
  /**
   * What is masked in the answers that the agents get. The masking of every policy that applies is
   * combined: where entries differ, what hides more holds.
   */
  masking?: MaskingEntry[];
  /**
   * How much of each call is recorded. The highest level of the policies that apply is used; input is
   * recorded where any of them asks.
   */
  audit?: {
    /**
     * Metadata records who did what and the decision. Request adds the request's body, RequestResponse the
     * response's too, both masked.
     */
    level: 'Metadata' | 'Request' | 'RequestResponse';
    /**
     * The recording of an exec or attach also holds what is sent to the command, masked. That includes
     * passwords that are typed.
     */
    recordInput?: boolean;
  };
}
/**
 * One user, group or ServiceAccount, or all of that kind.
 */
export interface Subject {
  /**
   * What kind of identity the name is.
   */
  kind: 'User' | 'Group' | 'ServiceAccount';
  /**
   * The exact name as the API server sees it, prefix included (for example agent:build-bot), or "*" for
   * any.
   */
  name: string;
  /**
   * The namespace of a ServiceAccount, or "*" for any. Required for a ServiceAccount, not allowed
   * otherwise.
   */
  namespace?: string;
}
/**
 * One effect for the operations that it names.
 */
export interface Rule {
  /**
   * Names the rule in refusals, AccessRequests and the audit log. Unique in the policy.
   */
  name: string;
  /**
   * Allow lets the operation through to Kubernetes RBAC. Deny refuses it, whatever other rules or
   * approvals say. RequireApproval holds it until people approve that very call.
   */
  effect: 'Allow' | 'Deny' | 'RequireApproval';
  /**
   * The operations that the rule is about; any one matches.
   */
  operations: OperationPattern[];
  /**
   * CEL expressions that must all be true for the rule to match. One that cannot be evaluated counts as
   * true for Deny and RequireApproval and as false for Allow.
   */
  conditions?: RuleCondition[];
  /**
   * Shown to the agent when the rule refuses or holds its call. Say what to do instead.
   */
  message?: string;
  /**
   * What the rule permits is shown to the agent unmasked; the record of it stays masked. In the root
   * namespace that lifts the masking of all policies, in any other namespace that of its own policies
   * alone. The policy must name its subjects. Where several Allow rules match, one that lifts masking
   * counts; of several RequireApproval rules, all must.
   */
  unmasked?: boolean;
  approval?: Approval;
}
/**
 * A set of operations. Every field that is given must match. It names either Kubernetes resources
 * (apiGroups and resources) or paths that are no resource (nonResourceURLs).
 */
export interface OperationPattern {
  /**
   * For resources: get, list, watch, create, update, patch, delete, deletecollection. For
   * nonResourceURLs: get, head, post, put, patch, delete, options. Or "*" alone for all. exec, attach
   * and port-forward are the verbs get and create on a subresource of pods.
   */
  verbs: string[];
  /**
   * API groups without a version, such as apps. "" is the core group (pods, secrets, ...). "*" alone for
   * all. Required with resources.
   */
  apiGroups?: string[];
  /**
   * Plural, lower-case resource names without a subresource, such as pods. "*" alone for all. Required
   * with apiGroups.
   */
  resources?: string[];
  /**
   * Absent or empty: the resource itself only. Otherwise these subresources only, such as exec, log or
   * status; "" names the resource itself. "*" alone: the resource itself and every subresource.
   */
  subresources?: string[];
  /**
   * Exact names of objects. Absent or empty: any. An operation that carries no name in its path (create,
   * and list, watch or deletecollection without the field selector metadata.name) is matched by no name.
   */
  resourceNames?: string[];
  /**
   * Exact names, or a prefix with a trailing "*". "" is cluster scope, and requests over all namespaces.
   * Absent or empty: all. Outside the root namespace a policy sees its own namespace only, whatever this
   * says.
   */
  namespaces?: string[];
  /**
   * Exact paths that are no resource, such as /version, or a prefix with a trailing "*" such as
   * /openapi/*. They match only in policies of the root namespace.
   */
  nonResourceURLs?: string[];
}
/**
 * A named CEL expression.
 */
export interface RuleCondition {
  /**
   * Names the condition in the audit log and in errors. Unique in the rule.
   */
  name: string;
  /**
   * A CEL expression that gives a bool, over the variables request, agent, object, patch and now. For
   * example request.verb != 'list' || request.labelSelector != ''.
   */
  expression: string;
}
/**
 * Who approves, and what an approval is good for. Required with the effect RequireApproval, not
 * allowed otherwise. Write {} for the defaults.
 */
export interface Approval {
  /**
   * Only these groups and users may decide. Absent: whoever holds the RBAC verb approve on
   * accessrequests in the namespace of the request; that verb is needed in either case.
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
  count?: number;
  /**
   * How long after the request was opened it can be approved and its grant used, from 1m to 24h, for
   * example 15m or 1h30m.
   */
  expireAfter?: string;
  /**
   * Once: the approval lets that very call through one time. Window: the agent may repeat the same
   * operation on the same object until the request expires.
   */
  grant?: 'Once' | 'Window';
  /**
   * How long the agent's call is held open for the decision, from 0s to 5m. After that, and at 0s at
   * once, the agent is told which AccessRequest to wait for and repeats its call.
   */
  wait?: string;
}
/**
 * One kind of data to mask.
 */
export interface MaskingEntry {
  /**
   * Names the entry in refusals. Unique in the policy.
   */
  name: string;
  /**
   * PAN finds payment card numbers by issuer range, length and check digit. TrackData finds track 1 and
   * 2 of magnetic stripes, CardVerificationCode the codes and PIN blocks beside a name that says so;
   * both are hidden whole. Regex hides what a pattern matches. Field hides members of objects, whatever
   * they hold.
   */
  detector: 'PAN' | 'TrackData' | 'CardVerificationCode' | 'Regex' | 'Field';
  /**
   * The digits of a card number that stay readable. PAN only; absent: LastFour. FirstSixLastFour shows
   * the first six of numbers of 15 digits and more alone. Of several entries the one that shows least
   * holds.
   */
  show?: 'None' | 'LastFour' | 'FirstSixLastFour';
  /**
   * Also look for card numbers inside of digit runs that are longer than any card, of more than 19
   * digits. PAN only. Finds numbers that were written without a gap, and many more that are none.
   */
  longDigitRuns?: boolean;
  /**
   * A card number in an answer that the entry covers is unexpected: it is masked, and reported by the
   * annotation lockkeeper.dev/pan-unexpected, a metric and a log line. PAN only; exempt the namespaces
   * and resources where card numbers belong.
   */
  unexpected?: boolean;
  /**
   * Encodings to look into. Base64: in every string and every line of text, with base64 and gzip in it;
   * the data of Secrets and binaryData are decoded in any case. Not with Regex and Field. Where one
   * entry asks for it, all do.
   */
  decode?: 'Base64'[];
  /**
   * What a Regex entry hides. Required with Regex, not allowed otherwise.
   */
  regex?: {
    /**
     * A regular expression in RE2 syntax, matched within one JSON string or one line of text. Each match
     * is overwritten with asterisks.
     */
    pattern: string;
  };
  /**
   * What a Field entry hides. Required with Field, not allowed otherwise.
   */
  field?: {
    /**
     * The resources, with all of their subresources; any one matches.
     */
    resources: FieldResources[];
    /**
     * Members, by path from the root of the object, such as data.* or spec.containers[*].env[*].value. "*"
     * is any member or element; a name with other characters than letters, digits, "_" and "-" is quoted,
     * as in metadata.annotations["example.com/card"].
     */
    paths: string[];
    /**
     * Mask overwrites the value at equal length. Remove leaves the member out, so that the answer gets
     * shorter; of several entries Remove holds.
     */
    action?: 'Mask' | 'Remove';
  };
  /**
   * Where the entry does not apply. In each exemption everything that is given must match; with fields,
   * the entry applies but for those members.
   */
  exemptions?: MaskingExemption[];
}
/**
 * Resources by API group and name; both must match.
 */
export interface FieldResources {
  /**
   * API groups without a version, such as apps. "" is the core group (pods, secrets, ...). "*" alone for
   * all.
   */
  apiGroups: string[];
  /**
   * Plural, lower-case resource names without a subresource, such as pods. "*" alone for all.
   */
  resources: string[];
}
/**
 * Answers, or members of them, that the entry leaves alone.
 */
export interface MaskingExemption {
  /**
   * Namespaces that the request targets: exact names, or a prefix with a trailing "*". Never matches
   * cluster scope, nor an answer that spans namespaces.
   */
  namespaces?: string[];
  /**
   * The resources; any one matches.
   */
  resources?: ExemptResources[];
  /**
   * Members, by path from the root of the object as in field.paths, into which the detector does not
   * look. Not with Field, nor with unexpected.
   */
  fields?: string[];
}
/**
 * Resources by API group, name and subresource; all must match.
 */
export interface ExemptResources {
  /**
   * API groups without a version, such as apps. "" is the core group (pods, secrets, ...). "*" alone for
   * all.
   */
  apiGroups: string[];
  /**
   * Plural, lower-case resource names without a subresource, such as pods. "*" alone for all.
   */
  resources: string[];
  /**
   * Absent or empty: the resource itself only. Otherwise these subresources only, such as log; "" names
   * the resource itself. "*" alone: all of them.
   */
  subresources?: string[];
}
/**
 * What the operator found. Written by the operator alone.
 */
export interface AgentAccessPolicyStatus {
  /**
   * The generation of the policy that this status is about.
   */
  observedGeneration?: number;
  /**
   * Accepted: the operator could compile the policy. Programmed: every connected proxy applied it.
   */
  conditions?: StatusCondition[];
  /**
   * The bundle revision that first held this generation.
   */
  revision?: string;
  /**
   * How far the policy has got.
   */
  proxies?: {
    /**
     * Connected proxies that applied it.
     */
    applied: number;
    /**
     * Connected proxies that rejected the bundle that holds it; their reasons are in the Programmed
     * condition.
     */
    rejected: number;
    /**
     * Proxies connected to the operator.
     */
    connected: number;
  };
}
