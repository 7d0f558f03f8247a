import type {MaskingEntry} from '../api/agentaccesspolicy.ts';
import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import type {Bundle, BundlePolicy, BundleRule} from './bundle.ts';
import type {AuditLevel, Obligations, RuleReference} from './decision.ts';
import {type Expression, ExpressionEnvironment, type ExpressionError} from './expression.ts';
import {compilePattern, matchesSubjects} from './pattern.ts';

export interface LoadedCondition {
  readonly name: string;
  readonly expression: Expression | ExpressionError;
}

export interface LoadedRule {
  readonly policy: BundlePolicy;
  readonly rule: BundleRule;
  readonly reference: RuleReference;
  readonly conditions: readonly LoadedCondition[];
  readonly readsBody: boolean;
  /** Whether the patterns match; the conditions are another matter. */
  matches(operation: Operation): boolean;
}

/** What the policies that apply to an agent in one place say, apart from conditions. */
export interface ApplicableRules {
  readonly deny: readonly LoadedRule[];
  readonly requireApproval: readonly LoadedRule[];
  readonly allow: readonly LoadedRule[];
  readonly dryRun: readonly LoadedRule[];
  readonly obligations: Obligations;
}

/** A bundle ready for evaluation. Made by `loadBundle` alone. */
export class LoadedBundle {
  readonly revision: string;
  readonly hash: string;
  readonly rootNamespace: string;
  readonly policyCount: number;
  readonly expressions: ExpressionEnvironment;
  readonly #policies: readonly LoadedPolicy[];
  readonly #agents = new WeakMap<Agent, AgentIndex>();

  constructor(bundle: Bundle) {
    this.revision = bundle.revision;
    this.hash = bundle.hash;
    this.rootNamespace = bundle.rootNamespace;
    this.policyCount = bundle.policies.length;
    this.expressions = new ExpressionEnvironment();
    this.#policies = bundle.policies.map((policy) => loadPolicy(policy, this.expressions));
  }

  /**
   * The rules that may apply to the request: those of the root namespace, and where the request targets a namespace
   * those of that one. Worked out once for each agent and bundle.
   */
  applicable(agent: Agent, operation: Operation): ApplicableRules {
    let index = this.#agents.get(agent);
    if (index === undefined) {
      index = new AgentIndex(
        this.#policies.filter(({policy}) => matchesSubjects(policy.subjects, agent)),
        this.rootNamespace,
        this.revision,
      );
      this.#agents.set(agent, index);
    }
    return index.applicable(operation);
  }
}

interface LoadedPolicy {
  readonly policy: BundlePolicy;
  readonly rules: readonly LoadedRule[];
}

/** The policies whose subjects match one agent, by the place that a request targets. */
class AgentIndex {
  readonly #elsewhere: ApplicableRules;
  readonly #acrossNamespaces: ApplicableRules;
  readonly #byNamespace = new Map<string, ApplicableRules>();

  constructor(policies: readonly LoadedPolicy[], rootNamespace: string, revision: string) {
    const byNamespace = Map.groupBy(policies, ({policy}) => policy.namespace);
    const root = byNamespace.get(rootNamespace) ?? [];
    this.#elsewhere = applicableRules(root, root, revision);
    // An answer that spans namespaces carries objects of each of them: their masking and audit level hold for it too,
    // or an agent that may list everything would read around them. RequestInfo does not tell such a request from one on
    // a cluster-scoped resource, so that is treated alike.
    this.#acrossNamespaces = applicableRules(root, policies, revision);
    for (const [namespace, own] of byNamespace) {
      const both = namespace === rootNamespace ? root : [...root, ...own];
      this.#byNamespace.set(namespace, applicableRules(both, both, revision));
    }
  }

  applicable(operation: Operation): ApplicableRules {
    if (!operation.isResourceRequest) {
      return this.#elsewhere;
    }
    return operation.namespace === ''
      ? this.#acrossNamespaces
      : (this.#byNamespace.get(operation.namespace) ?? this.#elsewhere);
  }
}

/**
 * @param deciding the policies whose rules decide.
 * @param obliging those whose masking and audit level hold. DryRun policies are never enforced, so theirs do not.
 */
function applicableRules(
  deciding: readonly LoadedPolicy[],
  obliging: readonly LoadedPolicy[],
  revision: string,
): ApplicableRules {
  const rules = deciding.filter(({policy}) => policy.enforcementMode === 'Enforce').flatMap((policy) => policy.rules);
  return {
    deny: rules.filter(({rule}) => rule.effect === 'Deny'),
    requireApproval: rules.filter(({rule}) => rule.effect === 'RequireApproval'),
    allow: rules.filter(({rule}) => rule.effect === 'Allow'),
    dryRun: deciding.filter(({policy}) => policy.enforcementMode === 'DryRun').flatMap((policy) => policy.rules),
    obligations: obligationsOf(
      obliging.map(({policy}) => policy).filter((policy) => policy.enforcementMode === 'Enforce'),
      revision,
    ),
  };
}

const auditLevels: readonly AuditLevel[] = ['Metadata', 'Request', 'RequestResponse'];

function obligationsOf(policies: readonly BundlePolicy[], revision: string): Obligations {
  const masking = new Map<MaskingEntry['detector'], MaskingEntry>();
  let maskingRefusal: string | undefined;
  for (const policy of policies) {
    for (const {name, detector} of policy.masking) {
      if (isKnownDetector(detector)) {
        masking.set(detector, masking.get(detector) ?? {name, detector});
      } else {
        maskingRefusal ??= `policy ${policyKey(policy)}, masking ${name}: unknown detector ${JSON.stringify(detector)}`;
      }
    }
  }
  const level = Math.max(0, ...policies.map((policy) => auditLevels.indexOf(policy.auditLevel)));
  return Object.freeze({
    masking: Object.freeze([...masking.values()]),
    maskingRefusal,
    auditLevel: auditLevels[level] ?? 'RequestResponse',
    recordInput: policies.some(({recordInput}) => recordInput),
    dryRun: Object.freeze([]),
    revision,
  });
}

export function isKnownDetector(detector: string): detector is MaskingEntry['detector'] {
  return detector === 'PAN';
}

function loadPolicy(policy: BundlePolicy, environment: ExpressionEnvironment): LoadedPolicy {
  return {policy, rules: policy.rules.map((rule) => loadRule(policy, rule, environment))};
}

function loadRule(policy: BundlePolicy, rule: BundleRule, environment: ExpressionEnvironment): LoadedRule {
  const patterns = rule.operations.map((pattern) => compilePattern(pattern, rule.effect));
  const conditions = rule.conditions.map(({name, expression}) => ({
    name,
    expression: environment.compile(expression),
  }));
  return {
    policy,
    rule,
    reference: Object.freeze({policy: policyKey(policy), rule: rule.name, message: rule.message}),
    conditions,
    readsBody: conditions.some(({expression}) => 'readsBody' in expression && expression.readsBody),
    matches: (operation) => patterns.some((matches) => matches(operation)),
  };
}

export function policyKey(policy: {readonly namespace: string; readonly name: string}): string {
  return `${policy.namespace}/${policy.name}`;
}
