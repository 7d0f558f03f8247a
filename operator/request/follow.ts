import type {AccessRequest} from '../../core/api/accessrequest.ts';
import type {AccessRequestState} from '../../core/control/messages.ts';
import type {Store} from '../kube/client.ts';
import type {Clock} from '../kube/clock.ts';
import {stateOf} from './state.ts';

export interface FollowDependencies {
  readonly accessRequests: Store<AccessRequest>;
  readonly clock: Clock;
}

/**
 * Waits until an AccessRequest is no longer pending, the time is up, or the caller has gone.
 * @param key `namespace/name`
 * @param read a fresh read of the object, for a replica whose cache does not hold it yet; rejects where it is gone
 * @param waitSeconds 0 answers at once
 * @param gone aborts when nobody waits for the answer any more
 */
export async function followAccessRequest(
  key: string,
  read: () => Promise<AccessRequest>,
  waitSeconds: number,
  gone: AbortSignal,
  {accessRequests, clock}: FollowDependencies,
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
      const state = stateOf(request, clock.now());
      const left = Math.min(deadline - clock.monotonic(), Date.parse(state.expiresAt) - clock.now());
      if (state.phase !== 'Pending' || deadline <= clock.monotonic() || gone.aborted) {
        return state;
      }
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
