import type {PermittedCall} from './approval.ts';
import type {Next} from './call.ts';

/** On record before anything leaves: the call goes on once its intent is durable, and not at all if it cannot be. */
export function withIntent(next: Next<PermittedCall>): Next<PermittedCall> {
  return async (call, permitted) => {
    await call.record.intent(call.recorded());
    call.intended = true;
    return next(call, permitted);
  };
}
