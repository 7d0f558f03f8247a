import type {AccessRequest, AccessRequestSpec} from '../../core/api/accessrequest.ts';
import type {AccessRequestState, OpenRequest} from '../../core/control/messages.ts';
import type {Bundle} from '../../core/policy/bundle.ts';
import type {AdmissionStanding} from '../admission/standing.ts';
import {Refusal} from '../control/refusal.ts';
import type {KubeClient, Store} from '../kube/client.ts';
import {KubeError} from '../kube/error.ts';
import {isPastExpiry, phaseOf, timestamp} from './lifecycle.ts';
import {parseAccessRequest} from './parse.ts';
import {accessRequestPath, accessRequestsPath, drained, stateOf} from './state.ts';
import {verifyOpenRequest} from './verify.ts';

const digestLabel = 'lockkeeper.dev/digest';

/** An agent that asks for ever new things must not bury its approvers, nor fill the cluster's storage. */
const maximumPendingForAgent = 100;

/** Names that others took while we looked; more than a few means that something else is wrong. */
const maximumAttempts = 20;

export interface OpenDependencies {
  readonly client: Pick<KubeClient, 'get' | 'create'>;
  readonly accessRequests: Store<AccessRequest>;
  readonly bundles: {current(): Bundle | undefined};
  readonly admission: Pick<AdmissionStanding, 'standing'>;
  /** The operator's clock, milliseconds since the epoch. */
  readonly now: () => number;
}

export interface Opened {
  readonly outcome: 'Opened' | 'Joined';
  readonly state: AccessRequestState;
}

/**
 * Opens an AccessRequest, or joins the one that already holds the same call: while it is pending, while its grant is
 * unspent, or while a denial still stands (so that the agent hears of it and its approvers are not asked again).
 *
 * The name is a function of rule, digest and how many came before. Replicas that race for it meet in the API server:
 * one creates, the other is told that it exists and joins. The cache only says where to begin looking.
 */
export async function openAccessRequest(request: OpenRequest, dependencies: OpenDependencies): Promise<Opened> {
  const {client, accessRequests, bundles, admission, now} = dependencies;
  const bundle = bundles.current();
  if (!bundle || !accessRequests.synced) {
    const message = 'The operator has not read the cluster yet; try again.';
    throw new Refusal('NoBundle', 503, message, {retryAfterSeconds: 1});
  }
  const namespace = verifyOpenRequest(request, bundle);
  const base = baseName(request.spec);
  let number = firstNumberToTry(accessRequests, namespace, base);
  for (let attempt = 0; attempt < maximumAttempts; attempt++) {
    const name = `${base}-${number}`;
    const found = await read(client, namespace, name);
    const existing = found && drained(found, admission.standing(), now());
    if (existing && isJoinable(existing, request, now())) {
      return {outcome: 'Joined', state: stateOf(existing, now())};
    }
    if (existing) {
      number++;
      continue;
    }
    refuseTooManyPending(accessRequests, namespace, request, now());
    const created = await create(client, request, {namespace, name}, now());
    if (created) {
      return {outcome: 'Opened', state: stateOf(created, now())};
    }
    // Somebody else just took the name: the next round reads what they made of it.
  }
  throw new Refusal('Conflict', 409, `No free name for an AccessRequest after ${base}-${number}; try again.`);
}

async function create(
  client: OpenDependencies['client'],
  {spec, expireAfterSeconds}: OpenRequest,
  {namespace, name}: {readonly namespace: string; readonly name: string},
  nowMilliseconds: number,
): Promise<AccessRequest | undefined> {
  const expiresAt = timestamp(nowMilliseconds + expireAfterSeconds * 1000);
  // A label value holds 63 characters, a digest has 64.
  const labels = {[digestLabel]: spec.digest.slice(0, 63)};
  const body: AccessRequest = {
    apiVersion: 'lockkeeper.dev/v1alpha1',
    kind: 'AccessRequest',
    metadata: {name, namespace, labels},
    spec: {...spec, expiresAt},
  };
  try {
    return parseAccessRequest(await client.create(accessRequestsPath(namespace), body));
  } catch (error) {
    if (KubeError.hasCode(error, 409)) {
      return undefined;
    }
    if (KubeError.hasCode(error, 404) && error.status?.details?.kind === 'namespaces') {
      const message = `Namespace ${namespace} does not exist, so an AccessRequest for it cannot be opened.`;
      throw new Refusal('NamespaceNotFound', 404, message, {field: 'namespace', cause: error});
    }
    throw error;
  }
}

/** Undefined where it does not exist. Never from the cache: a join must not answer with what was spent long ago. */
async function read(
  client: OpenDependencies['client'],
  namespace: string,
  name: string,
): Promise<AccessRequest | undefined> {
  try {
    return parseAccessRequest(await client.get(accessRequestPath(namespace, name)));
  } catch (error) {
    if (KubeError.hasCode(error, 404)) {
      return undefined;
    }
    throw error;
  }
}

function isJoinable(existing: AccessRequest, {spec}: OpenRequest, nowMilliseconds: number): boolean {
  // The terms may have changed since it was opened: fewer approvers than the rule now asks for are not enough.
  const sameTerms =
    existing.spec.digest === spec.digest &&
    existing.spec.agent.username === spec.agent.username &&
    existing.spec.count === spec.count &&
    existing.spec.grant === spec.grant &&
    sameNames(existing.spec.approvers?.groups, spec.approvers?.groups) &&
    sameNames(existing.spec.approvers?.users, spec.approvers?.users);
  if (!sameTerms || existing.metadata?.deletionTimestamp || isPastExpiry(existing.spec, nowMilliseconds)) {
    return false;
  }
  const phase = phaseOf(existing.spec, existing.status ?? {}, nowMilliseconds);
  switch (phase) {
    case 'Pending':
    case 'Approved':
    case 'Denied':
      return true;
    case 'Expired':
    case 'Consumed':
    case 'Revoked':
      return false;
  }
}

function sameNames(left: readonly string[] = [], right: readonly string[] = []): boolean {
  return left.length === right.length && new Set([...left, ...right]).size === new Set(left).size;
}

function refuseTooManyPending(
  store: Store<AccessRequest>,
  namespace: string,
  request: OpenRequest,
  nowMilliseconds: number,
): void {
  const {username} = request.spec.agent;
  const pending = store
    .list()
    .filter(({metadata, spec}) => metadata?.namespace === namespace && spec.agent.username === username)
    .filter(({spec, status}) => phaseOf(spec, status ?? {}, nowMilliseconds) === 'Pending').length;
  if (pending >= maximumPendingForAgent) {
    const message = `${username} already has ${pending} AccessRequests pending in ${namespace}; no more are opened until some are decided or expire.`;
    throw new Refusal('TooManyPending', 429, message, {retryAfterSeconds: 30});
  }
}

/** The newest that the cache knows of, which may still be joinable. */
function firstNumberToTry(store: Store<AccessRequest>, namespace: string, base: string): number {
  const numbers = store
    .list()
    .filter(({metadata}) => metadata?.namespace === namespace && metadata.name?.startsWith(`${base}-`))
    .map(({metadata}) => Number(metadata?.name?.slice(base.length + 1)))
    .filter((number) => Number.isSafeInteger(number) && number > 0);
  return Math.max(1, ...numbers);
}

/** `<rule>-<digest prefix>`, a DNS label of at most 57 characters. */
function baseName(spec: Omit<AccessRequestSpec, 'expiresAt'>): string {
  const rule = spec.policy.rule
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  return `${rule || 'request'}-${spec.digest.slice(0, 16)}`;
}
