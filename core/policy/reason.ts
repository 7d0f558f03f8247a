import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import {opensPodStream} from '../request/podstream.ts';
import type {RuleReference} from './decision.ts';

/** Stands for a policy in references to rules that come before any. */
export const builtinPolicy = 'builtin';

/** What a rule that denied says to the agent. */
export function denialReason(by: RuleReference, agent: Agent, operation: Operation): string {
  const message = by.message === '' ? `${agent.username} may not ${describeOperation(operation)}` : by.message;
  const error = by.error === undefined ? '' : ` (it counts as matched, because ${by.error})`;
  const where = by.policy === builtinPolicy ? 'built-in' : `policy ${by.policy},`;
  return `${where} rule ${by.rule}${error}: ${message}`;
}

/**
 * What is said when no rule allowed.
 *
 * @param failed Allow rules whose patterns matched but whose conditions failed.
 */
export function defaultDenialReason(failed: readonly RuleReference[], agent: Agent, operation: Operation): string {
  const causes = failed.map(
    ({policy, rule, error}) => `; policy ${policy}, rule ${rule} does not count, because ${error}`,
  );
  return `no policy allows ${agent.username} to ${describeOperation(operation)}${causes.join('')}`;
}

/** `list secrets in namespace payments`, `create pods/exec "web" in namespace payments`, `get path "/metrics"`. */
export function describeOperation(operation: Operation): string {
  if (!operation.isResourceRequest) {
    return `${operation.verb} path ${JSON.stringify(operation.path)}`;
  }
  const {resource, subresource, apiGroup, namespace, name} = operation;
  // What a rule would have to name, whichever method the client chose.
  const verb = opensPodStream(operation) ? 'create' : operation.verb;
  const group = apiGroup === '' ? '' : `.${apiGroup}`;
  const sub = subresource === '' ? '' : `/${subresource}`;
  const named = name === '' ? '' : ` ${JSON.stringify(name)}`;
  const place = namespace === '' ? 'at the cluster scope' : `in namespace ${namespace}`;
  return `${verb} ${resource}${group}${sub}${named} ${place}`;
}
