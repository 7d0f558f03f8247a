import {setImmediate as otherWork} from 'node:timers/promises';
import {hidesAllOf} from '../../core/mask/compileplan.ts';
import type {Obligations} from '../../core/policy/decision.ts';
import type {Grant, Permitted} from '../../core/policy/permitted.ts';
import {refusalOf} from '../path/answer.ts';
import {type Decided, denial, redecide} from '../path/decision.ts';
import {digestFor} from '../path/held.ts';
import {Refusal} from '../path/refusal.ts';
import type {Bundles} from './bundles.ts';
import {type FollowedGrant, grantExpired, type LiveGrants} from './grants.ts';

/** How long a sweep may keep the event loop from other work at a time. */
const sliceMilliseconds = 5;

/** A call that lasts, and what it was permitted on. */
export interface LiveCall {
  readonly decided: Decided;
  readonly permitted: Permitted;
}

export interface LiveDependencies {
  readonly bundles: Bundles;
  readonly grants: Pick<LiveGrants, 'follow'>;
  readonly now: () => Date;
  /** Monotonic, in milliseconds. */
  readonly elapsed: () => number;
  /** Told of each call that was ended. */
  readonly ended: (refusal: Refusal) => void;
  /** Told where a call could not be ended as it should. */
  readonly onInternalError: (error: unknown) => void;
}

interface Admitted extends LiveCall {
  readonly end: (refusal: Refusal) => void;
  readonly grants: readonly (FollowedGrant & {readonly grant: Grant})[];
  /** Hash of the bundle under which it was last found permitted; undefined: it must be decided anew. */
  bundleHash: string | undefined;
}

/**
 * The calls that last: watches, followed logs, and what runs over an upgraded connection. What was decided when they
 * began must still hold while they go on, so `sweep`, called a few times a second, looks at each and ends what a new
 * call would no longer get: when the token has expired, when other policies are in force that deny or ask for an
 * approval that the call does not have, and when a grant that it lives on has expired, was taken back, or cannot be
 * asked about.
 */
export class LiveCalls {
  readonly #deps: LiveDependencies;
  readonly #calls = new Set<Admitted>();
  #sweeping = false;

  constructor(deps: LiveDependencies) {
    this.#deps = deps;
  }

  /**
   * Watches over a call from now on.
   *
   * @param end ends the call; called once at most, and never before `admit` has returned
   * @returns to be called when the call is over, however it ended
   */
  admit({decided, permitted}: LiveCall, end: (refusal: Refusal) => void): () => void {
    const {bundles, grants} = this.#deps;
    const {by, obligations} = permitted;
    const admitted: Admitted = {
      decided,
      permitted,
      end,
      grants: by.kind === 'Policy' ? [] : by.grants.map((grant) => ({...grants.follow(grant.accessRequest), grant})),
      // Other policies may have come into force while the call's intent was put on record.
      bundleHash: bundles.current?.revision === obligations.revision ? bundles.current.hash : undefined,
    };
    this.#calls.add(admitted);
    return () => this.#release(admitted);
  }

  /** Ends what is no longer permitted. Lets other work go on in between; a sweep that is under way is not joined. */
  async sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    const {elapsed} = this.#deps;
    try {
      let sliceEnds = elapsed() + sliceMilliseconds;
      for (const admitted of this.#calls) {
        const refusal = this.#objection(admitted);
        if (refusal !== undefined) this.#end(admitted, refusal);
        if (elapsed() < sliceEnds) continue;
        await otherWork();
        sliceEnds = elapsed() + sliceMilliseconds;
      }
    } finally {
      this.#sweeping = false;
    }
  }

  #end(admitted: Admitted, refusal: Refusal): void {
    const {ended, onInternalError} = this.#deps;
    this.#release(admitted);
    try {
      ended(refusal);
      admitted.end(refusal);
    } catch (error) {
      onInternalError(error);
    }
  }

  #release(admitted: Admitted): void {
    if (!this.#calls.delete(admitted)) return;
    for (const grant of admitted.grants) grant.release();
  }

  /** Why the call is no longer permitted. What goes wrong on the way speaks against it. */
  #objection(admitted: Admitted): Refusal | undefined {
    const {bundles, now} = this.#deps;
    try {
      const {agent} = admitted.decided;
      const nowMilliseconds = now().getTime();
      // What is no number has expired.
      if (!(agent.expiresAtMilliseconds > nowMilliseconds)) {
        return new Refusal('Unauthenticated', 401, 'the token with which the call was made has expired');
      }
      for (const {grant, objection} of admitted.grants) {
        const refusal = grant.expiresAtMilliseconds > nowMilliseconds ? objection() : grantExpired(grant.accessRequest);
        if (refusal !== undefined) return refusal;
      }
      if (admitted.grants.length > 0 && bundles.stale) {
        const seconds = Math.round(bundles.stalenessSeconds());
        const message = `the operator was last heard ${seconds} s ago, so nobody could take the call's approval back`;
        return new Refusal('StaleBundle', 503, message, {retryAfterSeconds: 5});
      }
      if (bundles.current !== undefined && bundles.current.hash === admitted.bundleHash) return undefined;
      const refusal = policyObjection(this.#deps, admitted);
      if (refusal === undefined) admitted.bundleHash = bundles.current?.hash;
      return refusal;
    } catch (error) {
      return refusalOf(error);
    }
  }
}

/** What the policies in force now say against a call that earlier ones permitted. */
function policyObjection(
  deps: Pick<LiveDependencies, 'bundles' | 'now'>,
  {decided, permitted}: LiveCall,
): Refusal | undefined {
  const decision = redecide(deps, decided);
  if (decision.outcome === 'Denied') return denial(decision.reason, decided.operation);
  if (decision.outcome === 'NeedsApproval') {
    const held = new Set(permitted.by.kind === 'Grants' ? permitted.by.grants.map(({digest}) => digest) : []);
    const missing = decision.requirements.find((requirement) => !held.has(digestFor(requirement, decided)));
    if (missing !== undefined) {
      const message = `policy ${missing.policy}, rule ${missing.rule} now asks for an approval that this call does not have; repeat the call to ask for it`;
      return new Refusal('ApprovalRequired', 403, message);
    }
  }
  const wanted = obligationMissed(decision, permitted);
  if (wanted !== undefined) {
    const message = `the policies by now ask that ${wanted}, which began without; repeat the call`;
    return new Refusal('ObligationsChanged', 503, message, {retryAfterSeconds: 1});
  }
  return undefined;
}

/** What the policies in force now ask of a call, and those that permitted it did not. */
function obligationMissed(
  {masking, maskingRefusal, recordInput}: Obligations,
  {operation, obligations}: Permitted,
): string | undefined {
  if (maskingRefusal !== undefined || !hidesAllOf(obligations.masking, masking)) {
    return 'more is masked in the answer to this call';
  }
  const {subresource} = operation;
  if (recordInput && !obligations.recordInput && (subresource === 'exec' || subresource === 'attach')) {
    return 'what is sent to the command is recorded for this call';
  }
  return undefined;
}
