import type {AccessRequest} from '../../core/api/accessrequest.ts';
import type {AccessRequestPhase, AccessRequestState} from '../../core/control/messages.ts';
import type {AdmissionStanding} from '../admission/standing.ts';
import {Refusal} from '../control/refusal.ts';
import type {Store} from '../kube/client.ts';
import type {Clock} from '../kube/clock.ts';
import {drained, stateOf} from './state.ts';

export interface FollowDependencies {
  readonly accessRequests: Store<AccessRequest>;
  readonly admission: Pick<AdmissionStanding, 'standing'>;
  readonly clock: Clock;
}

export interface Wait {
  /** 0 answers at once. */
  readonly waitSeconds: number;
  /** The phase that the caller knows already. */
  readonly phase: AccessRequestPhase;
}

/**
 * Waits until an AccessRequest is in another phase than the caller knows, the time is up, or the caller has gone.
 *
 * A decision that still stands in the approver's slot counts already: a revocation must not wait for the leader.
 * @param key `namespace/name`
 * @param read a fresh read of the object, for a replica whose cache does not hold it yet; rejects where it is gone
 * @param gone aborts when nobody waits for the answer any more
 */
export async function followAccessRequest(
  key: string,
  read: () => Promise<AccessRequest>,
  {waitSeconds, phase}: Wait,
  gone: AbortSignal,
  {accessRequests, admission, clock}: FollowDependencies,
): Promise<AccessRequestState> {
  const deadline = clock.monotonic() + waitSeconds * 1000;
  let changed = false;
  let wake = () => {};
  // Before the read, so that no change falls between the two.
  const unsubscribe = accessRequests.onChange((changedKey) => {
    if (changedKey === key) {
      changed = true;
      wake();
    }
  });
  try {
    let request = await read();
    for (;;) {
      if (request.metadata?.deletionTimestamp) {
        throw new Refusal('RequestNotFound', 404, `AccessRequest ${key} is being deleted.`);
      }
      const now = clock.now();
      const state = stateOf(drained(request, admission.standing(), now), now);
      if (state.phase !== phase || deadline <= clock.monotonic() || gone.aborted) {
        return state;
      }
      // What has expired already changes no more by time alone.
      const untilExpiry = state.expiresInMilliseconds || Number.POSITIVE_INFINITY;
      const left = Math.min(deadline - clock.monotonic(), untilExpiry);
      if (!changed) {
        await new Promise<void>((resolve) => {
          const cancel = clock.after(Math.max(1, left), () => wake());
          wake = () => {
            cancel();
            gone.removeEventListener('abort', wake);
            resolve();
          };
          gone.addEventListener('abort', wake, {once: true});
        });
      }
      if (changed) {
        changed = false;
        const cached = accessRequests.get(key);
        // Gone from the cache or made anew: only the API server knows.
        request = cached?.metadata?.uid === request.metadata?.uid ? (cached ?? (await read())) : await read();
      }
    }
  } finally {
    unsubscribe();
  }
}
