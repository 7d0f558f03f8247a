import type {Agent} from '../../core/request/agent.ts';
import type {Authenticator} from '../authenticate/authenticator.ts';
import {bearerToken} from '../authenticate/bearer.ts';
import type {Next} from './call.ts';

/** Who calls: the bearer token's agent, or 401. */
export function withIdentity(authenticator: Authenticator, next: Next<Agent>): Next<void> {
  return (call) => {
    const go = (agent: Agent) => {
      call.record.identified(agent);
      return next(call, agent);
    };
    const verdict = authenticator.authenticate(bearerToken(call.request.headers));
    return verdict instanceof Promise ? verdict.then(go) : go(verdict);
  };
}
