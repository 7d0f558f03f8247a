import type {Operation} from '../request/operation.ts';
import type {RuleReference} from './decision.ts';
import {builtinPolicy} from './reason.ts';

const readVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

/**
 * First segments of the kubelet's own API that start or join a process, or connect to one.
 * Source: k8s.io/kubernetes pkg/kubelet/server/server.go; `cri` until Kubernetes 1.23.
 */
const kubeletStreams: ReadonlySet<string> = new Set(['attach', 'cri', 'exec', 'portforward', 'run']);

const noLockkeeperWrites = rule(
  'no-lockkeeper-writes',
  'agents may not write objects of lockkeeper.dev nor their status',
);

const noProxyPrefix = rule(
  'no-proxy-prefix',
  'paths that begin with the special verb proxy go round every rule on a subresource; use the subresource proxy',
);

const noKubeletStreams = rule(
  'no-kubelet-streams',
  "the kubelet's own exec, attach, portForward and run go round policy; use pods/exec, pods/attach or pods/portforward",
);

/** The rule that denies an operation before any policy; undefined where none does. */
export function builtinDenial(operation: Operation): RuleReference | undefined {
  const {isResourceRequest, apiGroup, resource, subresource, verb, parts} = operation;
  if (!isResourceRequest) return undefined;
  if (apiGroup === 'lockkeeper.dev' && !readVerbs.has(verb)) return noLockkeeperWrites;
  if (verb === 'proxy') return noProxyPrefix;
  const kubelet = apiGroup === '' && resource === 'nodes' && subresource === 'proxy';
  return kubelet && kubeletStreams.has(parts[3]?.toLowerCase() ?? '') ? noKubeletStreams : undefined;
}

/**
 * A write of pods/ephemeralcontainers starts a command in a running pod: to rules that restrict it is an exec by another
 * door (teleport#67595), and is denied or held as that exec would be. What an Allow says of exec does not allow it.
 *
 * @returns the exec that it amounts to; undefined for every other operation
 */
export function execByAnotherDoor(operation: Operation): Operation | undefined {
  const {isResourceRequest, apiGroup, resource, subresource, verb} = operation;
  return isResourceRequest &&
    subresource === 'ephemeralcontainers' &&
    resource === 'pods' &&
    apiGroup === '' &&
    !readVerbs.has(verb)
    ? {...operation, verb: 'create', subresource: 'exec'}
    : undefined;
}

/** What is not known of that exec: a rule that asks fails closed. */
export const unknownOfThatExec = {
  fields: new Set(['command', 'container', 'stdin', 'tty']),
  reason: 'not known of an ephemeral container',
} as const;

function rule(name: string, message: string): RuleReference {
  return Object.freeze({policy: builtinPolicy, rule: name, message});
}
