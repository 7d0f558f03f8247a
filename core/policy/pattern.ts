import type {OperationPattern, Subject} from '../api/agentaccesspolicy.ts';
import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import {opensPodStream} from '../request/podstream.ts';
import type {BundleRule} from './bundle.ts';

/** Says whether one value of an operation is among those that a pattern names. */
export type Matcher = (value: string) => boolean;

/**
 * Prepares a pattern once so that matching costs a few set look-ups. Inside one pattern every field given must match.
 * As in RBAC, a pattern of resources never matches a non-resource request, nor the reverse, and `resourceNames` never
 * match a request without a name (list, create, deletecollection).
 */
export function compilePattern(
  pattern: OperationPattern,
  effect: BundleRule['effect'],
): (operation: Operation) => boolean {
  const verb = oneOf(pattern.verbs);
  if (isGiven(pattern.nonResourceURLs)) {
    const path = oneOfPrefixes(pattern.nonResourceURLs);
    return (operation) => !operation.isResourceRequest && verb(operation.verb) && path(operation.path);
  }
  const apiGroup = oneOf(pattern.apiGroups ?? []);
  const resource = oneOf(pattern.resources ?? []);
  const subresource = isGiven(pattern.subresources) ? oneOf(pattern.subresources) : isEmpty;
  const name = isGiven(pattern.resourceNames) ? oneOfExactly(pattern.resourceNames) : any;
  const namespace = isGiven(pattern.namespaces) ? oneOfPrefixes(pattern.namespaces) : any;
  const stream = streamMatcher(pattern, effect);
  return (operation) =>
    operation.isResourceRequest &&
    (opensPodStream(operation) ? stream(operation.subresource) : verb(operation.verb)) &&
    resource(operation.resource) &&
    apiGroup(operation.apiGroup) &&
    subresource(operation.subresource) &&
    namespace(operation.namespace) &&
    name(operation.name);
}

/**
 * For requests that open a stream into a pod, get and create are one verb. An Allow of reading everything, get on the
 * subresources "*", is not one of running commands: that takes create, as in RBAC since Kubernetes 1.35, or the name of
 * the subresource.
 */
function streamMatcher({verbs, subresources = []}: OperationPattern, effect: BundleRule['effect']): Matcher {
  if (verbs.includes('*') || verbs.includes('create')) return any;
  if (!verbs.includes('get')) return none;
  return effect === 'Allow' ? oneOfExactly(subresources) : any;
}

/** Whether the agent is one of the subjects. `*` as a name stands for any, also as the namespace of a ServiceAccount. */
export function matchesSubjects(subjects: readonly Subject[], agent: Agent): boolean {
  return subjects.some((subject) => matchesSubject(subject, agent));
}

function matchesSubject(subject: Subject, agent: Agent): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === '*' || subject.name === agent.username;
    case 'Group':
      return subject.name === '*' ? agent.groups.length > 0 : agent.groups.includes(subject.name);
    case 'ServiceAccount':
      return (
        agent.serviceAccount !== undefined &&
        (subject.name === '*' || subject.name === agent.serviceAccount.name) &&
        (subject.namespace === '*' || subject.namespace === agent.serviceAccount.namespace)
      );
    default:
      throw new TypeError(`unknown subject kind ${JSON.stringify(subject.kind satisfies never)}`);
  }
}

/** An empty list means what an absent one does: serialisers with `omitempty` cannot tell them apart. */
export function isGiven<T>(values: readonly T[] | undefined): values is readonly T[] {
  return values !== undefined && values.length > 0;
}

function any(): boolean {
  return true;
}

function none(): boolean {
  return false;
}

function isEmpty(value: string): boolean {
  return value === '';
}

export function oneOf(values: readonly string[]): Matcher {
  return values.includes('*') ? any : oneOfExactly(values);
}

function oneOfExactly(values: readonly string[]): Matcher {
  const [only] = values;
  if (values.length === 1) {
    return (value) => value === only;
  }
  const set = new Set(values);
  return (value) => set.has(value);
}

/** Exact values, or prefixes that end in `*`. */
export function oneOfPrefixes(values: readonly string[]): Matcher {
  const prefixes = values.filter((value) => value.endsWith('*')).map((value) => value.slice(0, -1));
  const exact = oneOfExactly(values.filter((value) => !value.endsWith('*')));
  return prefixes.length === 0 ? exact : (value) => exact(value) || prefixes.some((prefix) => value.startsWith(prefix));
}
