import type {Allowed, NeedsApproval} from '../../core/policy/decision.ts';
import {select} from '../../core/policy/evaluate.ts';
import {decide} from '../../core/policy/permitted.ts';
import type {Agent} from '../../core/request/agent.ts';
import type {Operation} from '../../core/request/operation.ts';
import type {Bundles} from '../authorize/bundles.ts';
import {type ReceivedBody, receiveBody} from './body.ts';
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

/** Writes are refused while the bundle is stale; what these verbs name changes nothing. */
const reads: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head', 'options']);

/** May they: the bundle's verdict, or 403 with the rule that denied. */
export function withDecision(
  deps: {
    readonly bundles: Bundles;
    readonly maximumBodyBytes: number;
    readonly now: () => Date;
    readonly maskText: (text: string) => string;
  },
  next: Next<Decided>,
): Next<Resolved> {
  return async (call, {agent, operation}) => {
    const bundle = deps.bundles.current;
    if (bundle === undefined) {
      throw new Refusal('NoBundle', 503, 'no policy has reached this proxy yet, so everything is denied', {
        retryAfterSeconds: 2,
      });
    }
    if (deps.bundles.stale && !reads.has(operation.verb)) {
      const seconds = Math.round(deps.bundles.stalenessSeconds());
      throw new Refusal(
        'StaleBundle',
        503,
        `the operator was last heard ${seconds} s ago; writes wait until it is back`,
        {
          retryAfterSeconds: 5,
        },
      );
    }
    const selection = select(bundle, agent, operation);
    const body = selection.needsBody ? await receiveBody(call, deps.maximumBodyBytes) : undefined;
    const decision = decide(selection, {...contentOf(operation, body), now: deps.now()});
    call.decision = decision;
    if (decision.auditLevel !== 'Metadata' && body !== undefined) {
      call.requestObject = previewOf(body, operation, deps.maskText);
    }
    if (decision.outcome === 'Denied')
      throw new Refusal('PolicyDenied', 403, decision.reason, deniedDetails(operation));
    refuseUpgrade(call, operation);
    return next(call, {agent, operation, rootNamespace: bundle.rootNamespace, decision, body});
  };
}

function contentOf(operation: Operation, body: ReceivedBody | undefined): {object?: unknown; patch?: unknown} {
  if (body?.content.kind !== 'JSON') return {};
  const {value} = body.content;
  return operation.verb === 'patch' ? {patch: value} : {object: value};
}

/** Streams that are neither recorded nor masked do not pass. */
function refuseUpgrade({request}: Call, operation: Operation): void {
  if (request.headers.upgrade === undefined) return;
  const what = operation.subresource === '' ? operation.path : `${operation.resource}/${operation.subresource}`;
  throw new Refusal(
    'UpgradeUnsupported',
    501,
    `${what} upgrades the connection to a stream, which this proxy cannot record and mask yet`,
  );
}

function deniedDetails({name, apiGroup, resource}: Operation) {
  if (resource === '') return {};
  return {details: {...(name !== '' && {name}), ...(apiGroup !== '' && {group: apiGroup}), kind: resource}};
}
