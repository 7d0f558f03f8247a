import type {AgentAccessPolicyStatus, StatusCondition} from '../../core/api/agentaccesspolicy.ts';
import type {ConnectedProxy} from './connectedproxies.ts';
import type {StoredPolicy} from './parse.ts';

export interface StatusInput {
  readonly policy: StoredPolicy;
  /** What the compiler found wrong, each beginning with its field; empty where nothing is. */
  readonly problems: readonly string[];
  /** Of the newest bundle, which holds this generation. */
  readonly revision: string;
  readonly proxies: readonly ConnectedProxy[];
  /** Whether the bundle with that hash held this generation. */
  readonly holds: (hash: string) => boolean;
  /** The operator's clock, milliseconds since the epoch. */
  readonly now: number;
}

type Verdict = Pick<StatusCondition, 'type' | 'status' | 'reason' | 'message'>;

/** The compiler begins each problem with the path of its field. */
const expressionPath = /^spec\.rules\[\d+\]\.conditions\[\d+\]\.expression: /;

/** Longer lists of problems or proxies end in a count. */
const listed = 10;

/**
 * The status that a policy should have. Follows the API conventions for conditions: each says which generation it is
 * about, and lastTransitionTime moves only with the condition's status.
 */
export function desiredStatus(input: StatusInput): AgentAccessPolicyStatus & {conditions: StatusCondition[]} {
  const {policy, proxies} = input;
  const {generation} = policy.metadata;
  const before = policy.status;
  const applied = proxies.filter(
    ({acknowledged}) => acknowledged?.result === 'Applied' && input.holds(acknowledged.hash),
  );
  const rejected = proxies.filter(
    ({acknowledged}) => acknowledged?.result === 'Rejected' && input.holds(acknowledged.hash),
  );
  const known = before?.observedGeneration === generation ? before.revision : undefined;
  const revision = known ?? input.revision;
  return {
    observedGeneration: generation,
    conditions: [condition(input, accepted(input.problems)), condition(input, programmed(proxies, applied, rejected))],
    ...(revision !== undefined && {revision}),
    proxies: {applied: applied.length, rejected: rejected.length, connected: proxies.length},
  };
}

function accepted(problems: readonly string[]): Verdict {
  if (problems.length === 0) {
    return {type: 'Accepted', status: 'True', reason: 'Compiled', message: 'The policy compiles.'};
  }
  const reason = problems.some((problem) => expressionPath.test(problem)) ? 'InvalidExpression' : 'InvalidField';
  const message = `The policy fails closed until this is mended. ${shortList(problems)}`;
  return {type: 'Accepted', status: 'False', reason, message};
}

function programmed(
  proxies: readonly ConnectedProxy[],
  applied: readonly ConnectedProxy[],
  rejected: readonly ConnectedProxy[],
): Verdict {
  const type = 'Programmed';
  const count = `${applied.length} of ${proxies.length} connected proxies`;
  if (rejected.length > 0) {
    const reasons = rejected.map(({proxy, acknowledged}) =>
      acknowledged?.result === 'Rejected' ? `${proxy}: ${acknowledged.reason}` : proxy,
    );
    const message = `${count} applied it; ${rejected.length} rejected it. ${shortList(reasons)}`;
    return {type, status: 'False', reason: 'RejectedByProxy', message};
  }
  if (proxies.length === 0) {
    return {type, status: 'Unknown', reason: 'NoProxies', message: 'No proxy is connected to the operator.'};
  }
  if (applied.length < proxies.length) {
    return {type, status: 'False', reason: 'WaitingForProxies', message: `${count} applied it.`};
  }
  return {type, status: 'True', reason: 'Applied', message: 'Every connected proxy applied it.'};
}

function condition({policy, now}: StatusInput, verdict: Verdict): StatusCondition {
  const before = policy.status?.conditions?.find(({type}) => type === verdict.type);
  return {
    ...verdict,
    observedGeneration: policy.metadata.generation,
    lastTransitionTime:
      before?.status === verdict.status ? before.lastTransitionTime : `${new Date(now).toISOString().slice(0, 19)}Z`,
  };
}

function shortList(items: readonly string[]): string {
  const shown = items.slice(0, listed).map((item) => item.slice(0, 1024));
  const more = items.length - shown.length;
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
}
