import type {AgentAccessPolicy, Approval, MaskingEntry, Rule} from '../api/agentaccesspolicy.ts';
import {
  type Bundle,
  type BundleApproval,
  type BundleMasking,
  type BundlePolicy,
  type BundleRule,
  bundleSchemaVersion,
  policyKey,
} from './bundle.ts';
import {durationSeconds} from './duration.ts';
import {ExpressionEnvironment, ExpressionError} from './expression.ts';
import {bundleHash} from './hash.ts';
import {loadMasking} from './masking.ts';

export interface CompiledPolicies {
  readonly bundle: Bundle;
  /** By `namespace/name`; policies without a problem are absent. Each begins with the path of the field. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
}

/**
 * Compiles every policy of the cluster to one bundle. A policy with a problem stays in it and fails closed when it is
 * evaluated: leaving it out would leave out its denials.
 *
 * @param options.revision resourceVersion of the list that the policies are from.
 */
export function compilePolicies(
  policies: readonly AgentAccessPolicy[],
  options: {readonly rootNamespace: string; readonly revision: string},
): CompiledPolicies {
  const environment = new ExpressionEnvironment();
  const problems = new Map<string, readonly string[]>();
  const compiled = policies.map((policy) => {
    const found: string[] = [];
    const result = compilePolicy(policy, {
      environment,
      rootNamespace: options.rootNamespace,
      report: (path, problem) => found.push(`${path}: ${problem}`),
    });
    if (found.length > 0) {
      problems.set(policyKey(result), found);
    }
    return result;
  });
  const content = {rootNamespace: options.rootNamespace, policies: compiled.sort(byNamespaceThenName)};
  return {
    bundle: {
      schemaVersion: bundleSchemaVersion,
      revision: options.revision,
      hash: bundleHash(content),
      ...content,
    },
    problems,
  };
}

interface Context {
  readonly environment: ExpressionEnvironment;
  readonly rootNamespace: string;
  readonly report: (path: string, problem: string) => void;
}

/** Defaults of the CRD, for objects that were stored before it had them. */
const defaults = {
  enforcementMode: 'Enforce',
  auditLevel: 'Metadata',
  recordInput: false,
  count: 1,
  expireAfter: '15m',
  grant: 'Once',
  wait: '0s',
} as const;

function compilePolicy({metadata, spec}: AgentAccessPolicy, context: Context): BundlePolicy {
  const namespace = metadata?.namespace ?? '';
  const {enforcementMode, subjects, rules, masking, audit, ...unknown} = spec;
  reportUnknown(unknown, 'spec', context);
  return {
    ...unknown,
    namespace,
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    generation: metadata?.generation ?? 0,
    enforcementMode: enforcementMode ?? defaults.enforcementMode,
    subjects,
    rules: (rules ?? []).map((rule, index) => compileRule(rule, namespace, `spec.rules[${index}]`, context)),
    masking: (masking ?? []).map((entry, index) => compileEntry(entry, `spec.masking[${index}]`, context)),
    auditLevel: audit?.level ?? defaults.auditLevel,
    recordInput: audit?.recordInput ?? defaults.recordInput,
  };
}

function compileEntry(entry: MaskingEntry, path: string, context: Context): BundleMasking {
  const {name, detector, show, longDigitRuns, unexpected, decode, regex, field, exemptions, ...unknown} = entry;
  reportUnknown(unknown, path, context);
  const {problem} = loadMasking(entry);
  if (problem !== undefined) {
    context.report(`${path}.${problem.field}`, `${problem.message}; answers that the entry would cover are refused`);
  }
  return entry;
}

function compileRule(rule: Rule, namespace: string, path: string, context: Context): BundleRule {
  const {name, effect, operations, conditions = [], message, unmasked, approval, ...unknown} = rule;
  reportUnknown(unknown, path, context);
  for (const [index, {expression}] of conditions.entries()) {
    const compiled = context.environment.compile(expression);
    if (compiled instanceof ExpressionError) {
      context.report(`${path}.conditions[${index}].expression`, compiled.message);
    }
  }
  for (const [index, pattern] of operations.entries()) {
    if (pattern.nonResourceURLs?.length && namespace !== context.rootNamespace) {
      context.report(
        `${path}.operations[${index}].nonResourceURLs`,
        `can only match in the root namespace, ${context.rootNamespace}`,
      );
    }
  }
  return {
    ...unknown,
    name,
    effect,
    operations,
    conditions,
    message: message ?? '',
    // A Deny shows nothing; the API server refuses one that says so.
    ...(unmasked === true && effect !== 'Deny' && {unmasked}),
    ...(effect === 'RequireApproval' && {approval: compileApproval(approval ?? {}, `${path}.approval`, context)}),
  };
}

function compileApproval(approval: Approval, path: string, context: Context): BundleApproval {
  const {approvers, count, expireAfter: _, grant, wait: __, ...unknown} = approval;
  reportUnknown(unknown, path, context);
  const seconds = (field: 'expireAfter' | 'wait'): number => {
    const text = approval[field] ?? defaults[field];
    const read = durationSeconds(text);
    if (read === undefined) {
      context.report(
        `${path}.${field}`,
        `${JSON.stringify(text)} is no duration such as 15m or 1h30m; ${defaults[field]} is used`,
      );
    }
    return read ?? durationSeconds(defaults[field]) ?? 0;
  };
  return {
    ...unknown,
    approvers: {groups: approvers?.groups ?? [], users: approvers?.users ?? []},
    count: count ?? defaults.count,
    expireAfterSeconds: seconds('expireAfter'),
    grant: grant ?? defaults.grant,
    waitSeconds: seconds('wait'),
  };
}

/**
 * Fields that a later version of the CRD may have, which this version cannot weigh. They stay in the bundle, so that
 * proxies which do not know them reject it and keep the one before: dropped, a narrowing would be lost unseen.
 */
function reportUnknown(unknown: object, path: string, {report}: Context): void {
  for (const field of Object.keys(unknown)) {
    report(`${path}.${field}`, 'is not a field that this version knows; proxies will reject the bundle');
  }
}

function byNamespaceThenName(a: BundlePolicy, b: BundlePolicy): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
