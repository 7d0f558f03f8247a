import type {AccessRequestPhase, AccessRequestState} from '../../core/control/messages.ts';
import {type ControlClient, ControlRefused} from '../control/client.ts';
import {Refusal} from '../path/refusal.ts';
import {detailsOf} from './hold.ts';

/** The operator is asked anew so often, whatever comes: a connection that died without a word is found by that. */
const pollSeconds = 20;
/** Between two questions, so that answers that come at once are no loop. */
const pauseMilliseconds = 200;
const retryMilliseconds = 1_000;

export interface LiveGrantDependencies {
  readonly control: Pick<ControlClient, 'follow'>;
  readonly maximumStalenessSeconds: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Resolves when the time has passed or the signal has aborted. */
  readonly pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** An AccessRequest for as long as a call lives on it. */
export interface FollowedGrant {
  /** Why the grant is good no longer; undefined while nothing speaks against it. */
  objection(): Refusal | undefined;
  release(): void;
}

/**
 * Knows what becomes of the AccessRequests that calls live on: one question to the operator waits for each, however
 * many calls share it. The operator answers when the phase is no longer the one that this side knows, so nothing hangs
 * on an event that could be missed.
 */
export class LiveGrants {
  readonly #deps: LiveGrantDependencies;
  readonly #followed = new Map<string, Following>();

  constructor(deps: LiveGrantDependencies) {
    this.#deps = deps;
  }

  /** @param accessRequest `namespace/name` */
  follow(accessRequest: string): FollowedGrant {
    let following = this.#followed.get(accessRequest);
    if (following === undefined) {
      following = new Following(accessRequest, this.#deps);
      this.#followed.set(accessRequest, following);
    }
    const held = following;
    held.calls++;
    let released = false;
    return {
      objection: () => held.objection(),
      release: () => {
        if (released) return;
        released = true;
        if (--held.calls > 0) return;
        held.stop();
        if (this.#followed.get(accessRequest) === held) this.#followed.delete(accessRequest);
      },
    };
  }
}

class Following {
  calls = 0;
  readonly #accessRequest: string;
  readonly #deps: LiveGrantDependencies;
  readonly #gone = new AbortController();
  #ended: Refusal | undefined;
  #failingSinceMilliseconds: number | undefined;

  constructor(accessRequest: string, deps: LiveGrantDependencies) {
    this.#accessRequest = accessRequest;
    this.#deps = deps;
    void this.#run();
  }

  stop(): void {
    this.#gone.abort();
  }

  objection(): Refusal | undefined {
    if (this.#ended !== undefined) return this.#ended;
    if (this.#failingSinceMilliseconds === undefined) return undefined;
    const seconds = (this.#deps.now() - this.#failingSinceMilliseconds) / 1000;
    if (seconds <= this.#deps.maximumStalenessSeconds) return undefined;
    const message = `the operator has not said for ${Math.round(seconds)} s whether AccessRequest ${this.#accessRequest} still stands`;
    return new Refusal('ControlUnavailable', 503, message, {retryAfterSeconds: 5});
  }

  /** Ends once the grant is good no longer, or nobody lives on it. */
  async #run(): Promise<void> {
    const {control, pause, random} = this.#deps;
    const {signal} = this.#gone;
    const [namespace = '', name = ''] = this.#accessRequest.split('/');
    let known: AccessRequestPhase | undefined;
    while (!signal.aborted) {
      let wait = pauseMilliseconds;
      try {
        // The first answer comes at once: the grant may have ended since it was spent.
        const state = await control.follow(namespace, name, known === undefined ? 0 : pollSeconds, signal, known);
        this.#failingSinceMilliseconds = undefined;
        this.#ended = endOf(state, known);
        known = state.phase;
      } catch (error) {
        if (error instanceof ControlRefused && error.httpStatus === 404) {
          this.#ended = grantTaken(this.#accessRequest, 'was deleted');
        } else {
          this.#failingSinceMilliseconds ??= this.#deps.now();
          wait = retryMilliseconds * (0.5 + random());
        }
      }
      if (this.#ended !== undefined) return;
      await pause(wait, signal);
    }
  }
}

/** Why a grant that was good when its phase was `known` is not any more. */
function endOf(state: AccessRequestState, known: AccessRequestPhase | undefined): Refusal | undefined {
  const {phase, reason, revokedBy} = state;
  if (phase === 'Approved' || phase === 'Consumed') {
    // A spent grant that is to be had again is another one, made under the same name.
    if (known === undefined || phase === known) return undefined;
  }
  const accessRequest = `${state.namespace}/${state.name}`;
  if (phase === 'Expired') return grantExpired(accessRequest);
  const what = phase === 'Revoked' ? `was revoked by ${revokedBy ?? 'an approver'}` : `is ${phase} by now`;
  return grantTaken(accessRequest, `${what}${reason === '' ? '' : `: ${reason}`}`);
}

function grantTaken(accessRequest: string, what: string): Refusal {
  const message = `AccessRequest ${accessRequest}, which let the call through, ${what}`;
  return new Refusal('ApprovalRevoked', 403, message, {
    details: detailsOf(nameOf(accessRequest), 'AccessRequestRevoked', message),
  });
}

/** What ends a call when the time of its grant has run out. */
export function grantExpired(accessRequest: string): Refusal {
  const message = `AccessRequest ${accessRequest}, which let the call through, has expired; repeat the call to ask again`;
  return new Refusal('ApprovalExpired', 403, message, {
    details: detailsOf(nameOf(accessRequest), 'AccessRequestExpired', message),
  });
}

function nameOf(accessRequest: string): string {
  return accessRequest.slice(accessRequest.indexOf('/') + 1);
}
