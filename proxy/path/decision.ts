import type {Allowed, Decision, NeedsApproval} from '../../core/policy/decision.ts';
import {type RequestBody, type Selection, select} from '../../core/policy/evaluate.ts';
import type {LoadedBundle} from '../../core/policy/loadedbundle.ts';
import {decide} from '../../core/policy/permitted.ts';
import type {Agent} from '../../core/request/agent.ts';
import type {Operation} from '../../core/request/operation.ts';
import type {Bundles} from '../authorize/bundles.ts';
import {streamRequest} from '../stream/request.ts';
import {observeBody, type ReceivedBody, receiveBody} from './body.ts';
import type {Call, Next} from './call.ts';
import type {Resolved} from './operation.ts';
import {previewOf} from './preview.ts';
import {Refusal} from './refusal.ts';

export interface Decided {
  readonly agent: Agent;
  readonly operation: Operation;
  readonly rootNamespace: string;
  readonly decision: Allowed | NeedsApproval;
  /** Read where a rule looks at it, an approval is bound to it, or the record holds it. */
  readonly body: ReceivedBody | undefined;
}

export interface DecisionDependencies {
  readonly bundles: Bundles;
  /** Of bodies that are read; larger ones get 413. */
  readonly maximumBodyBytes: number;
  readonly now: () => Date;
  readonly maskText: (text: string) => string;
}

/** May they: the bundle's verdict, or 403 with the rule that denied. */
export function withDecision(deps: DecisionDependencies, next: Next<Decided>): Next<Resolved> {
  return (call, {agent, operation}) => {
    const bundle = bundleInForce(deps.bundles, operation);
    const selection = select(bundle, agent, operation);
    const go = (body: ReceivedBody | undefined) => decided(call, {agent, operation, bundle, selection, body});
    return selection.body === 'NotNeeded' ? go(undefined) : bodyFor(call, selection.body).then(go);
  };

  function decided(
    call: Call,
    {
      agent,
      operation,
      bundle,
      selection,
      body,
    }: Resolved & Pick<Decided, 'body'> & {bundle: LoadedBundle; selection: Selection},
  ): Promise<void> {
    const decision = decide(selection, {...contentOf(operation, body), now: deps.now()});
    call.decision = decision;
    if (decision.auditLevel !== 'Metadata' && body !== undefined) {
      call.requestObject = previewOf(body, operation, deps.maskText);
    }
    if (decision.outcome === 'Denied') throw denial(decision.reason, operation);
    call.stream = streamRequest(call.request, call.connection, operation);
    return next(call, {agent, operation, rootNamespace: bundle.rootNamespace, decision, body});
  }

  function bodyFor(call: Call, need: 'Observed' | 'Required'): Promise<ReceivedBody | undefined> {
    const read = need === 'Required' ? receiveBody : observeBody;
    return read(call, deps.maximumBodyBytes);
  }
}

/**
 * The verdict of the bundle that is in force now, on a call that was decided some time ago.
 *
 * @throws {Refusal} where its token has expired, or there are no policies to ask
 */
export function redecide(
  deps: Pick<DecisionDependencies, 'bundles' | 'now'>,
  {agent, operation, body}: Decided,
): Decision {
  const now = deps.now();
  if (agent.expiresAtMilliseconds <= now.getTime()) {
    throw new Refusal('Unauthenticated', 401, 'the token with which the call was made has expired');
  }
  const selection = select(bundleInForce(deps.bundles, operation), agent, operation);
  return decide(selection, {...contentOf(operation, body), now});
}

/** Subresources that act whatever the method: a GET can be an exec. */
const connects: ReadonlySet<string> = new Set(['attach', 'exec', 'portforward', 'proxy']);

/** Refused while the bundle is stale, unlike what only reads. */
function isWrite({isResourceRequest, verb, subresource}: Operation): boolean {
  if (connects.has(subresource)) return true;
  return isResourceRequest
    ? verb !== 'get' && verb !== 'list' && verb !== 'watch'
    : verb !== 'get' && verb !== 'head' && verb !== 'options';
}

function bundleInForce(bundles: Bundles, operation: Operation): LoadedBundle {
  const bundle = bundles.current;
  if (bundle === undefined) {
    const message = 'no policy has reached this proxy yet, so everything is denied';
    throw new Refusal('NoBundle', 503, message, {retryAfterSeconds: 2});
  }
  if (bundles.stale && isWrite(operation)) {
    const seconds = Math.round(bundles.stalenessSeconds());
    const message = `the operator was last heard ${seconds} s ago; writes wait until it is back`;
    throw new Refusal('StaleBundle', 503, message, {retryAfterSeconds: 5});
  }
  return bundle;
}

/** What conditions see: null where there is no body, what of it can be read where there is, so that they fail closed. */
function contentOf(operation: Operation, body: ReceivedBody | undefined): RequestBody {
  switch (body?.content.kind) {
    case undefined:
      return {};
    case 'Empty':
      return {object: null, patch: null};
    case 'Opaque':
      return operation.verb === 'patch' ? {patch: body.content.readable} : {object: body.content.readable};
    case 'JSON':
      return operation.verb === 'patch' ? {patch: body.content.value} : {object: body.content.value};
  }
}

export function denial(reason: string, {name, apiGroup, resource}: Operation): Refusal {
  const details = {...(name !== '' && {name}), ...(apiGroup !== '' && {group: apiGroup}), kind: resource};
  return new Refusal('PolicyDenied', 403, reason, resource === '' ? {} : {details});
}
