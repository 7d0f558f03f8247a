import {isLongRunning} from '../forward/longrunning.ts';
import type {Metrics} from '../serve/metrics.ts';
import type {Next} from './call.ts';
import type {Resolved} from './operation.ts';
import {Refusal} from './refusal.ts';

/** Whether there is room: calls that end soon are bounded, or 429. Source: kube-apiserver's max-in-flight filter. */
export function withCapacity(
  deps: {readonly maximumRequestsInFlight: number; readonly metrics: Metrics},
  next: Next<Resolved>,
): Next<Resolved> {
  const short = deps.metrics.inFlight.labels('short');
  const long = deps.metrics.inFlight.labels('long');
  let inFlight = 0;
  return async (call, resolved) => {
    if (isLongRunning(resolved.operation) || call.connection !== undefined) {
      long.inc();
      try {
        return await next(call, resolved);
      } finally {
        long.dec();
      }
    }
    if (inFlight >= deps.maximumRequestsInFlight) {
      throw new Refusal('Overloaded', 429, `${inFlight} calls are under way; try again`, {retryAfterSeconds: 1});
    }
    short.set(++inFlight);
    try {
      return await next(call, resolved);
    } finally {
      short.set(--inFlight);
    }
  };
}
