import {isDeepStrictEqual} from 'node:util';
import {Gauge, type Registry} from 'prom-client';
import type {Logger} from 'winston';
import {backoffMilliseconds} from '../kube/backoff.ts';
import type {KubeClient} from '../kube/client.ts';
import {type Clock, sleep} from '../kube/clock.ts';
import {KubeError} from '../kube/error.ts';
import {Reflector} from '../kube/reflector.ts';
import {type AdmissionKind, admissionName, admissionResources, type ShippedAdmission} from './shipped.ts';
import type {AdmissionStanding, Standing} from './standing.ts';

export interface AdmissionGuardOptions {
  readonly client: KubeClient;
  readonly shipped: readonly ShippedAdmission[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly registry: Registry;
}

export interface AdmissionGuard extends AdmissionStanding {
  /** Follows the live objects until the signal aborts. Needed on every replica: grants are spent on each. */
  run(signal: AbortSignal): Promise<void>;
}

/** What is known of one live object. `Unserved`: the cluster has no such resource. */
type Live =
  | {readonly kind: 'Unread'}
  | {readonly kind: 'Unserved'}
  | {readonly kind: 'Missing'}
  | {readonly kind: 'Present'; readonly spec: unknown};

const probeBackoff = {baseMilliseconds: 200, maximumMilliseconds: 30_000};

/**
 * Compares the live admission objects with the shipped ones. Clusters before 1.36 have no MutatingAdmissionPolicy in
 * v1; there approvers name themselves, the ValidatingAdmissionPolicy checks the name, and the mutating pair is not asked for.
 */
export function createAdmissionGuard(options: AdmissionGuardOptions): AdmissionGuard {
  const {shipped, log, registry} = options;
  const live = new Map<AdmissionKind, Live>();
  const listeners = new Set<() => void>();
  let standing = standingOf(shipped, live);
  new Gauge({
    name: 'lockkeeper_admission_policies_standing',
    help: 'Whether the admission policies that guard decisions stand as shipped (1) or decisions are not honoured (0)',
    registers: [registry],
    collect() {
      this.set(standing.ok ? 1 : 0);
    },
  });

  function learn(kind: AdmissionKind, what: Live): void {
    live.set(kind, what);
    const before = standing;
    standing = standingOf(shipped, live);
    if (isDeepStrictEqual(before, standing)) {
      return;
    }
    if (standing.ok) {
      log.info('admission policies stand as shipped: decisions are honoured');
    } else {
      log.warn('decisions are not honoured', {reason: standing.reason});
    }
    for (const listener of listeners) {
      listener();
    }
  }

  return {
    standing: () => standing,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async run(signal) {
      await Promise.all(shipped.map(({kind}) => follow(kind, (what) => learn(kind, what), options, signal)));
    },
  };
}

async function follow(
  kind: AdmissionKind,
  learn: (live: Live) => void,
  {client, clock, random, log}: AdmissionGuardOptions,
  signal: AbortSignal,
): Promise<void> {
  const selector = encodeURIComponent(`metadata.name=${admissionName}`);
  const path = `/apis/admissionregistration.k8s.io/v1/${admissionResources[kind]}?fieldSelector=${selector}`;
  if (isMutating(kind) && !(await isServed(path, client, {clock, random, log}, signal))) {
    learn({kind: 'Unserved'});
    return;
  }
  const reflector = new Reflector({client: client, path, parse: (object) => object, clock, random, log});
  const look = () => {
    const object = reflector.get(admissionName);
    learn(
      object === undefined
        ? {kind: 'Missing'}
        : {kind: 'Present', spec: typeof object === 'object' && object && 'spec' in object ? object.spec : undefined},
    );
  };
  reflector.onChange(look);
  // A list without the object changes nothing, and still is an answer.
  void reflector.untilSynced().then(look);
  await reflector.run(signal);
}

/** Asks until the API server says yes or no. Any other answer, such as a missing permission, is no "no". */
async function isServed(
  path: string,
  client: KubeClient,
  {clock, random, log}: Pick<AdmissionGuardOptions, 'clock' | 'random' | 'log'>,
  signal: AbortSignal,
): Promise<boolean> {
  for (let failures = 1; ; failures++) {
    try {
      await client.get(path, signal);
      return true;
    } catch (error) {
      if (KubeError.hasCode(error, 404)) {
        return false;
      }
      if (signal.aborted) {
        return true;
      }
      log.warn('admission resource not probed', {path, error: error instanceof Error ? error.message : String(error)});
      await sleep(clock, backoffMilliseconds(failures, probeBackoff, random), signal);
    }
  }
}

function standingOf(shipped: readonly ShippedAdmission[], live: ReadonlyMap<AdmissionKind, Live>): Standing {
  for (const {kind, spec} of shipped) {
    const fault = faultOf(live.get(kind) ?? {kind: 'Unread'}, spec);
    if (fault !== undefined) {
      return {ok: false, reason: `${kind} ${admissionName} ${fault}`};
    }
  }
  return {ok: true};
}

function faultOf(live: Live, shippedSpec: unknown): string | undefined {
  switch (live.kind) {
    case 'Unread':
      return 'has not been read yet.';
    case 'Missing':
      return 'does not exist; apply config/admission.';
    case 'Unserved':
      return undefined;
    case 'Present':
      return isDeepStrictEqual(live.spec, shippedSpec)
        ? undefined
        : 'is not as shipped; apply config/admission of this version.';
  }
}

function isMutating(kind: AdmissionKind): boolean {
  return kind === 'MutatingAdmissionPolicy' || kind === 'MutatingAdmissionPolicyBinding';
}
