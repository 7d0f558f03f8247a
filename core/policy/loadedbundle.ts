import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import {type Bundle, type BundlePolicy, type BundleRule, policyKey} from './bundle.ts';
import type {RuleReference} from './decision.ts';
import {type Expression, ExpressionEnvironment, type ExpressionError} from './expression.ts';
import {loadMasking} from './masking.ts';
import {ObligationsOfPlace, type ObligingPolicy} from './obligations.ts';
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
  /** The namespace whose policies' masking it lifts from what it permits; the root namespace: all. */
  readonly lifts: string | undefined;
  /** Whether the patterns match; the conditions are another matter. */
  matches(operation: Operation): boolean;
}

/** What the policies that apply to an agent in one place say, apart from conditions. */
export interface ApplicableRules {
  readonly deny: readonly LoadedRule[];
  readonly requireApproval: readonly LoadedRule[];
  readonly allow: readonly LoadedRule[];
  readonly dryRun: readonly LoadedRule[];
  readonly obligations: ObligationsOfPlace;
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
        this,
      );
      this.#agents.set(agent, index);
    }
    return index.applicable(operation);
  }
}

interface LoadedPolicy extends ObligingPolicy {
  readonly rules: readonly LoadedRule[];
}

type BundleHead = Pick<LoadedBundle, 'rootNamespace' | 'revision'>;

/** The policies whose subjects match one agent, by the place that a request targets. */
class AgentIndex {
  readonly #elsewhere: ApplicableRules;
  readonly #acrossNamespaces: ApplicableRules;
  readonly #byNamespace = new Map<string, ApplicableRules>();

  constructor(policies: readonly LoadedPolicy[], head: BundleHead) {
    const {rootNamespace} = head;
    const byNamespace = Map.groupBy(policies, ({policy}) => policy.namespace);
    const root = byNamespace.get(rootNamespace) ?? [];
    this.#elsewhere = applicableRules(root, root, head);
    // An answer that spans namespaces carries objects of each of them: their masking and audit level hold for it too,
    // or an agent that may list everything would read around them. RequestInfo does not tell such a request from one on
    // a cluster-scoped resource, so that is treated alike.
    this.#acrossNamespaces = applicableRules(root, policies, head);
    for (const [namespace, own] of byNamespace) {
      const both = namespace === rootNamespace ? root : [...root, ...own];
      this.#byNamespace.set(namespace, applicableRules(both, both, head));
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
  {rootNamespace, revision}: BundleHead,
): ApplicableRules {
  const rules = deciding.filter(({policy}) => policy.enforcementMode === 'Enforce').flatMap((policy) => policy.rules);
  return {
    deny: rules.filter(({rule}) => rule.effect === 'Deny'),
    requireApproval: rules.filter(({rule}) => rule.effect === 'RequireApproval'),
    allow: rules
      .filter(({rule}) => rule.effect === 'Allow')
      .sort((a, b) => liftRank(a, rootNamespace) - liftRank(b, rootNamespace)),
    dryRun: deciding.filter(({policy}) => policy.enforcementMode === 'DryRun').flatMap((policy) => policy.rules),
    obligations: new ObligationsOfPlace(
      obliging.filter(({policy}) => policy.enforcementMode === 'Enforce'),
      rootNamespace,
      revision,
    ),
  };
}

/** The first Allow that holds permits. Those that lift more come first, since the order of rules means nothing. */
function liftRank({lifts}: LoadedRule, rootNamespace: string): number {
  return lifts === rootNamespace ? 0 : lifts === undefined ? 2 : 1;
}

function loadPolicy(policy: BundlePolicy, environment: ExpressionEnvironment): LoadedPolicy {
  return {
    policy,
    rules: policy.rules.map((rule) => loadRule(policy, rule, environment)),
    masking: policy.masking.map(loadMasking),
  };
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
    lifts: rule.unmasked === true ? policy.namespace : undefined,
    readsBody: conditions.some(({expression}) => 'readsBody' in expression && expression.readsBody),
    matches: (operation) => patterns.some((matches) => matches(operation)),
  };
}
