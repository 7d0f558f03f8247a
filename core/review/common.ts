import type {OperationPattern} from '../api/agentaccesspolicy.ts';

/*
 * What a rule of RBAC and a pattern of a policy have in common, field by field. "*" is all; RBAC writes a subresource as
 * `pods/log`, any resource's as "*\/scale", and its "*" has the subresources in it.
 */

/** The values in both lists, where "*" in one stands for all of the other. */
export function common(granted: readonly string[], pattern: readonly string[]): readonly string[] {
  if (granted.includes('*')) return pattern;
  return pattern.includes('*') ? granted : granted.filter((value) => pattern.includes(value));
}

/** Of lists of names, where an empty one is any; undefined where they have none in common. */
export function commonNames(granted: readonly string[], pattern: readonly string[]): readonly string[] | undefined {
  if (granted.length === 0) return pattern;
  if (pattern.length === 0) return granted;
  const both = granted.filter((name) => pattern.includes(name));
  return both.length === 0 ? undefined : both;
}

/** In RBAC's notation, and `pods/*` for every subresource of one. */
export function commonResources(
  granted: readonly string[],
  {resources = [], subresources = []}: OperationPattern,
): readonly string[] {
  const subs = subresources.length === 0 ? [''] : subresources;
  return granted.flatMap((each) => {
    const slash = each.indexOf('/');
    const [grantedResource, grantedSub] =
      slash === -1 ? [each, each === '*' ? '*' : ''] : [each.slice(0, slash), each.slice(slash + 1)];
    const resourcesInBoth = common([grantedResource], resources);
    const subsInBoth = grantedSub === '*' ? subs : subs.includes('*') || subs.includes(grantedSub) ? [grantedSub] : [];
    return resourcesInBoth.flatMap((resource) => subsInBoth.flatMap((sub) => notation(resource, sub)));
  });
}

function notation(resource: string, sub: string): readonly string[] {
  if (sub === '') return [resource];
  if (sub === '*') return resource === '*' ? ['*'] : [resource, `${resource}/*`];
  return [`${resource}/${sub}`];
}

/** Paths or prefixes in both lists: of two that overlap the narrower. */
export function commonPaths(granted: readonly string[], pattern: readonly string[]): readonly string[] {
  return granted.flatMap((a) => pattern.flatMap((b) => (covers(a, b) ? [b] : covers(b, a) ? [a] : [])));
}

/** Whether two paths or prefixes have a path in common. */
export function overlap(a: string, b: string): boolean {
  return covers(a, b) || covers(b, a);
}

function covers(wide: string, narrow: string): boolean {
  return wide.endsWith('*') ? narrow.startsWith(wide.slice(0, -1)) : wide === narrow;
}

const podStreams = ['attach', 'exec', 'portforward'];

/**
 * A pattern, and what it is of streams into pods: to open one get and create are one verb, so that a pattern of either
 * may have something in common with a grant of the other.
 */
export function withPodStreams(pattern: OperationPattern): readonly OperationPattern[] {
  const {verbs, apiGroups = [], resources = [], subresources = []} = pattern;
  const opens = podStreams.filter((sub) => common([sub], subresources).length > 0);
  const ofPods = common([''], apiGroups).length > 0 && common(['pods'], resources).length > 0;
  if (!ofPods || opens.length === 0 || !(verbs.includes('get') || verbs.includes('create'))) return [pattern];
  const streams = {...pattern, verbs: ['get', 'create'], apiGroups: [''], resources: ['pods'], subresources: opens};
  return [pattern, streams as OperationPattern];
}
