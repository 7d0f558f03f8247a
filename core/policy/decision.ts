import type {MaskPlan} from '../mask/plan.ts';
import type {BundleApproval} from './bundle.ts';
import type {PendingApproval, Permitted} from './permitted.ts';

export type AuditLevel = 'Metadata' | 'Request' | 'RequestResponse';

/** Which rule spoke, and why. */
export interface RuleReference {
  /** `namespace/name` of the policy; `builtin` for the rules that stand before any policy. */
  readonly policy: string;
  readonly rule: string;
  /** The rule's message; "" where it has none. */
  readonly message: string;
  /** Set where the rule counted as a match because its CEL failed. */
  readonly error?: string;
}

/** A rule of a DryRun policy that matched: what it would have done. */
export interface DryRunMatch extends RuleReference {
  readonly effect: 'Allow' | 'Deny' | 'RequireApproval';
}

/** What the response must pass through and how the call is recorded, whatever the outcome. */
export interface Obligations {
  /** What is hidden from the agent; undefined where nothing is. */
  readonly masking: MaskPlan | undefined;
  /** Set where a masking entry that applies cannot be honoured: the response is refused with this reason. */
  readonly maskingRefusal: string | undefined;
  /** What is hidden from the record: card numbers always, and what policies mask, also where a rule lifts that. */
  readonly recordMasking: MaskPlan;
  /** The rule that permits the call lifts masking: all of it, or that of its namespace. */
  readonly unmasked: boolean;
  /** A card number that is masked in the answer is where policy expects none. */
  readonly panUnexpected: boolean;
  readonly auditLevel: AuditLevel;
  /** The recording of a remote command also holds what is sent to it. */
  readonly recordInput: boolean;
  /** What DryRun policies would have done. */
  readonly dryRun: readonly DryRunMatch[];
  readonly revision: string;
}

/** One RequireApproval rule that matched. */
export interface ApprovalRequirement extends RuleReference {
  readonly policyUID: string;
  readonly policyNamespace: string;
  readonly policyName: string;
  readonly policyGeneration: number;
  readonly approval: BundleApproval;
  /** Approved, the call is answered unmasked. */
  readonly unmasked: boolean;
}

export type Decision = Allowed | Denied | NeedsApproval;

export interface Allowed extends Obligations {
  readonly outcome: 'Allowed';
  readonly by: RuleReference;
  readonly permitted: Permitted;
}

export interface Denied extends Obligations {
  readonly outcome: 'Denied';
  /** The rule that denied; undefined where no rule allowed (the default). */
  readonly by: RuleReference | undefined;
  /** For the agent and the record. */
  readonly reason: string;
}

export interface NeedsApproval extends Obligations {
  readonly outcome: 'NeedsApproval';
  readonly requirements: readonly ApprovalRequirement[];
  /** What `approve` makes a Permitted of; only `decide` can construct it. */
  readonly pending: PendingApproval;
}
