import type {OpenRequest} from '../../core/control/messages.ts';
import type {Bundle, BundleApproval} from '../../core/policy/bundle.ts';
import {Refusal} from '../control/refusal.ts';

/**
 * Checks what the operator can tell about a request without believing the proxy: that it goes where its approvers are,
 * and that its terms are those of a rule in force. A proxy can so neither pick its own approvers nor weaken the terms.
 *
 * Gives the namespace that the AccessRequest is to live in: the one that the operation targets, or the root namespace
 * where it targets none. Throws a Refusal that names the field at fault.
 */
export function verifyOpenRequest(request: OpenRequest, bundle: Bundle): string {
  const namespace = verifyNamespace(request, bundle.rootNamespace);
  verifyTerms(request, ruleInForce(request, bundle));
  return namespace;
}

type RuleTerms = BundleApproval & {readonly unmasked: boolean};

function verifyNamespace({namespace, spec}: OpenRequest, rootNamespace: string): string {
  const target = spec.operation.namespace || rootNamespace;
  // A proxy may leave it to the operator to say where requests of cluster scope live.
  if (namespace !== target && namespace !== (spec.operation.namespace ?? '')) {
    const why = spec.operation.namespace
      ? 'the namespace that the operation targets'
      : 'the root namespace, as the operation targets no namespace';
    const message = `namespace must be ${target}, ${why}; it is ${namespace}.`;
    throw new Refusal('NamespaceMismatch', 400, message, {field: 'namespace'});
  }
  if (spec.policy.namespace !== rootNamespace && spec.policy.namespace !== target) {
    const message = `spec.policy.namespace is ${spec.policy.namespace}, whose policies do not apply in ${target}.`;
    throw new Refusal('NamespaceMismatch', 400, message, {field: 'spec.policy.namespace'});
  }
  return target;
}

function ruleInForce({spec}: OpenRequest, bundle: Bundle): RuleTerms {
  const {namespace, name, uid, rule: ruleName} = spec.policy;
  const policy = bundle.policies.find((candidate) => candidate.namespace === namespace && candidate.name === name);
  if (!policy || (uid !== undefined && uid !== policy.uid)) {
    throw mismatch('spec.policy', `policy ${namespace}/${name} is not in revision ${bundle.revision}`);
  }
  const rule = policy.rules.find((candidate) => candidate.name === ruleName);
  if (rule?.effect !== 'RequireApproval' || !rule.approval) {
    throw mismatch(
      'spec.policy.rule',
      `policy ${namespace}/${name} has no RequireApproval rule ${ruleName} in revision ${bundle.revision}`,
    );
  }
  if (policy.enforcementMode !== 'Enforce') {
    throw mismatch('spec.policy', `policy ${namespace}/${name} is in DryRun and asks for no approval`);
  }
  return {...rule.approval, unmasked: rule.unmasked === true};
}

function verifyTerms({spec, expireAfterSeconds}: OpenRequest, terms: RuleTerms): void {
  const {approvers, count, grant, unmasked} = terms;
  const wanted: readonly (readonly [field: string, given: unknown, inForce: unknown])[] = [
    ['spec.approvers.groups', sorted(spec.approvers?.groups), sorted(approvers.groups)],
    ['spec.approvers.users', sorted(spec.approvers?.users), sorted(approvers.users)],
    ['spec.count', spec.count, count],
    ['spec.grant', spec.grant, grant],
    ['expireAfterSeconds', expireAfterSeconds, terms.expireAfterSeconds],
    // Else a proxy could keep from approvers what they let the agent see.
    ['spec.operation.unmasked', spec.operation.unmasked === true, unmasked],
  ];
  for (const [field, given, inForce] of wanted) {
    if (JSON.stringify(given) !== JSON.stringify(inForce)) {
      throw mismatch(field, `${field} is ${JSON.stringify(given)}, the rule says ${JSON.stringify(inForce)}`);
    }
  }
}

function sorted(names: readonly string[] | undefined): readonly string[] {
  return [...new Set(names)].sort();
}

/** Proxy and operator may be a moment apart in policy, so this is a conflict that another try may resolve. */
function mismatch(field: string, what: string): Refusal {
  const message = `The request does not follow the policy in force: ${what}.`;
  return new Refusal('PolicyMismatch', 409, message, {field, retryAfterSeconds: 1});
}
