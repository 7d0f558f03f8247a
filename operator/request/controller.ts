import {isDeepStrictEqual} from 'node:util';
import type {AccessRequest} from '../../core/api/accessrequest.ts';
import type {AdmissionStanding} from '../admission/standing.ts';
import type {KubeClient, Store} from '../kube/client.ts';
import type {Clock} from '../kube/clock.ts';
import {KubeError} from '../kube/error.ts';
import {KeyedQueue, type QueueOptions} from '../kube/queue.ts';
import type {Announce} from './announce.ts';
import {advance, type Phase} from './lifecycle.ts';
import {accessRequestPath} from './state.ts';

/** How long a finished request stays for people to look at. The audit log is the lasting record. */
const retentionMilliseconds = 30 * 24 * 60 * 60 * 1000;

/** `setTimeout` fires at once past 2^31-1 ms (24.8 days), so nothing is put off for longer than this. */
const longestRequeueMilliseconds = 24 * 60 * 60 * 1000;

export interface RequestControllerOptions extends Pick<QueueOptions, 'random' | 'log' | 'metrics'> {
  readonly client: Pick<KubeClient, 'update' | 'delete'>;
  readonly accessRequests: Store<AccessRequest>;
  readonly admission: AdmissionStanding;
  readonly announce: Announce;
  readonly clock: Clock;
}

export interface RequestController {
  /** Keeps every AccessRequest's status true until the signal aborts. For the leader alone. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Drains approvers' decisions into the record, expires, and deletes what is long finished. Each visit reads the object,
 * computes what should stand there and writes the difference, preconditioned on the resourceVersion that it read: a
 * decision that arrives in between makes the write fail and is seen on the next visit.
 */
export function createRequestController(options: RequestControllerOptions): RequestController {
  const {accessRequests, admission, clock, log, metrics, random} = options;
  return {
    async run(signal) {
      const queue = new KeyedQueue({
        name: 'accessrequest',
        reconcile: (key) => reconcile(key, options),
        workers: 4,
        clock,
        random,
        log,
        metrics,
      });
      const addAll = () => {
        for (const {metadata} of accessRequests.list()) {
          queue.add(`${metadata?.namespace}/${metadata?.name}`);
        }
      };
      const stops = [accessRequests.onChange((key) => queue.add(key)), admission.onChange(addAll)];
      addAll();
      try {
        await queue.run(signal);
      } finally {
        for (const stop of stops) {
          stop();
        }
      }
    },
  };
}

/** One visit to one AccessRequest; gives when the next is due though nothing changes. */
async function reconcile(
  key: string,
  {accessRequests, admission, announce, clock, client}: RequestControllerOptions,
): Promise<{requeueAfterMilliseconds: number} | undefined> {
  const request = accessRequests.get(key);
  const {namespace, name, uid, resourceVersion, deletionTimestamp} = request?.metadata ?? {};
  if (!request || !namespace || !name || deletionTimestamp) {
    return undefined;
  }
  const path = accessRequestPath(namespace, name);
  const nowMilliseconds = clock.now();
  const {phase, status, slot} = advance({
    spec: request.spec,
    status: request.status,
    generation: request.metadata?.generation ?? 0,
    nowMilliseconds,
    standing: admission.standing(),
  });
  if (!isDeepStrictEqual(status, request.status)) {
    try {
      await client.update(`${path}/status`, {...request, status});
    } catch (error) {
      // Changed or gone since it was cached: the cache will say so, and this key comes again.
      if (KubeError.hasCode(error, 409) || KubeError.hasCode(error, 404)) {
        return {requeueAfterMilliseconds: 1000};
      }
      throw error;
    }
    announce(request, status, slot);
  }
  const dueMilliseconds = dueAt(request, phase, nowMilliseconds);
  if (isFinished(phase) && dueMilliseconds <= nowMilliseconds) {
    await remove(client, path, {...(uid && {uid}), ...(resourceVersion && {resourceVersion})});
    return undefined;
  }
  return {requeueAfterMilliseconds: Math.min(dueMilliseconds - nowMilliseconds, longestRequeueMilliseconds)};
}

/** When time alone changes something next: expiry while it is open, deletion once it is finished. */
function dueAt({spec, status}: AccessRequest, phase: Phase, nowMilliseconds: number): number {
  if (!isFinished(phase)) {
    return Date.parse(spec.expiresAt);
  }
  const finished = status?.conditions?.find(({type, status: held}) => type === phase && held === 'True');
  const finishedAt = finished ? Date.parse(finished.lastTransitionTime) : nowMilliseconds;
  return finishedAt + retentionMilliseconds;
}

function isFinished(phase: Phase): boolean {
  switch (phase) {
    case 'Pending':
    case 'Approved':
      return false;
    case 'Denied':
    case 'Expired':
    case 'Consumed':
    case 'Revoked':
      return true;
  }
}

async function remove(
  client: RequestControllerOptions['client'],
  path: string,
  preconditions: {uid?: string; resourceVersion?: string},
): Promise<void> {
  try {
    await client.delete(path, preconditions);
  } catch (error) {
    if (!KubeError.hasCode(error, 404) && !KubeError.hasCode(error, 409)) {
      throw error;
    }
  }
}
