import {isDeepStrictEqual} from 'node:util';
import type {Logger} from 'winston';
import type {AgentAccessPolicyStatus, StatusCondition} from '../../core/api/agentaccesspolicy.ts';
import type {KubeClient, Store} from '../kube/client.ts';
import type {Clock} from '../kube/clock.ts';
import {KubeError} from '../kube/error.ts';
import type {EventRecorder} from '../kube/events.ts';
import type {ControllerMetrics} from '../kube/metrics.ts';
import {KeyedQueue} from '../kube/queue.ts';
import {ConnectedProxies} from './connectedproxies.ts';
import type {PolicyController} from './controller.ts';
import {policyAPIVersion, policyKind, policyStatusPath, type StoredPolicy} from './parse.ts';
import {desiredStatus} from './status.ts';

export interface PolicyStatusOptions {
  readonly client: KubeClient;
  readonly store: Store<StoredPolicy>;
  readonly policies: PolicyController;
  readonly events: EventRecorder;
  readonly rootNamespace: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: ControllerMetrics;
}

/** Keeps every policy's status true until the signal aborts. For the leader alone. */
export async function runPolicyStatus(options: PolicyStatusOptions, signal: AbortSignal): Promise<void> {
  const {client, store, policies, rootNamespace, clock, random, log, metrics} = options;
  const written: Written = new Map();
  const queue = new KeyedQueue({
    name: 'agentaccesspolicy',
    reconcile: (key, reconcileSignal) => reconcile(key, options, proxies, written, reconcileSignal),
    workers: 4,
    clock,
    random,
    log,
    metrics,
  });
  const addAll = () => {
    for (const key of policies.compiled()?.policies.keys() ?? []) queue.add(key);
  };
  const proxies = new ConnectedProxies({client, rootNamespace, changed: addAll, clock, random, log});
  const stops = [policies.onCompiled(addAll), store.onChange((key) => queue.add(key))];
  addAll();
  await Promise.all([queue.run(signal), proxies.run(signal)]);
  for (const stop of stops) stop();
}

/** By policy, the resourceVersion that the last write replaced. */
type Written = Map<string, string | undefined>;

/** Until the cache has caught up with the last write it would be written again, with another lastTransitionTime. */
const catchUpMilliseconds = 200;

async function reconcile(
  key: string,
  {client, store, policies, events, clock}: PolicyStatusOptions,
  proxies: ConnectedProxies,
  written: Written,
  signal: AbortSignal,
): Promise<{requeueAfterMilliseconds: number} | undefined> {
  const compiled = policies.compiled();
  const policy = store.get(key);
  if (!policy) written.delete(key);
  const {uid, generation} = compiled?.policies.get(key)?.metadata ?? {};
  // What is not compiled yet, or not listed yet, comes again when it is.
  if (!compiled || !policy || policy.metadata.uid !== uid || policy.metadata.generation !== generation)
    return undefined;
  if (!proxies.synced || policy.metadata.deletionTimestamp) return undefined;
  const {resourceVersion} = policy.metadata;
  if (written.has(key) && written.get(key) === resourceVersion) {
    return {requeueAfterMilliseconds: catchUpMilliseconds};
  }
  written.delete(key);
  const status = desiredStatus({
    policy,
    problems: compiled.problems.get(key) ?? [],
    revision: compiled.bundle.revision,
    proxies: proxies.list(),
    holds: (hash) => policies.history.holds(hash, policy),
    now: clock.now(),
  });
  if (isDeepStrictEqual(ownPart(policy.status), ownPart(status))) return undefined;
  const body = {
    apiVersion: policyAPIVersion,
    kind: policyKind,
    // The uid: a policy made anew under the same name is not given the status of the old one.
    metadata: {namespace: policy.metadata.namespace, name: policy.metadata.name, uid},
    status,
  };
  try {
    const after = await client.apply<StoredPolicy>(policyStatusPath(policy), body, signal);
    if (after.metadata.resourceVersion !== resourceVersion) written.set(key, resourceVersion);
  } catch (error) {
    // Gone, or another object under the same name: the cache will say so.
    if (KubeError.hasCode(error, 404) || KubeError.hasCode(error, 409)) return undefined;
    throw error;
  }
  announce(events, policy, status.conditions);
  return undefined;
}

/** What the operator writes, without what others may have added to the status. */
function ownPart(status: AgentAccessPolicyStatus | undefined): unknown {
  const conditions = ['Accepted', 'Programmed'].map((type) => status?.conditions?.find((each) => each.type === type));
  return {
    observedGeneration: status?.observedGeneration,
    conditions: conditions.map((each) => each && {...each}),
    revision: status?.revision,
    proxies: status?.proxies && {...status.proxies},
  };
}

/** One Event for each condition whose status or reason is another than before. */
function announce(events: EventRecorder, policy: StoredPolicy, conditions: readonly StatusCondition[]): void {
  const {namespace, name, uid, resourceVersion} = policy.metadata;
  for (const {type, status, reason, message} of conditions) {
    const before = policy.status?.conditions?.find((each) => each.type === type);
    if (before?.status === status && before.reason === reason) continue;
    events.record(
      {
        apiVersion: policyAPIVersion,
        kind: policyKind,
        namespace,
        name,
        uid,
        ...(resourceVersion !== undefined && {resourceVersion}),
      },
      {
        type: status === 'False' && reason !== 'WaitingForProxies' ? 'Warning' : 'Normal',
        reason: status === 'True' ? type : reason,
        action: type === 'Accepted' ? 'Compile' : 'Program',
        note: message,
      },
    );
  }
}
