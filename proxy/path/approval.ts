import type {AccessRequestSpec} from '../../core/api/accessrequest.ts';
import type {AccessRequestState} from '../../core/control/messages.ts';
import type {ApprovalRequirement} from '../../core/policy/decision.ts';
import {approve, type Permitted} from '../../core/policy/permitted.ts';
import {bodySHA256, callDigest, objectDigest} from '../../core/request/digest.ts';
import {type HeldRequirement, obtainApprovals} from '../authorize/hold.ts';
import type {ControlClient} from '../control/client.ts';
import type {Call, Next} from './call.ts';
import type {Decided} from './decision.ts';
import {previewOf} from './preview.ts';

export interface PermittedCall {
  readonly permitted: Permitted;
  readonly body: Buffer | undefined;
}

/** Who says so: what a rule lets only a person allow waits for their AccessRequest, and spends it. */
export function withApproval(
  deps: {
    readonly control: ControlClient;
    /** Identifies this proxy in the record of a spent grant. */
    readonly proxy: string;
    readonly maskText: (text: string) => string;
  },
  next: Next<PermittedCall>,
): Next<Decided> {
  return async (call, decided) => {
    const {decision, body} = decided;
    if (decision.outcome === 'Allowed') return next(call, {permitted: decision.permitted, body: body?.bytes});
    const held = decision.requirements.map((requirement) => hold(requirement, decided, deps.maskText));
    const grants = await obtainApprovals(deps.control, held, {
      auditID: call.record.auditID,
      proxy: deps.proxy,
      signal: untilGone(call),
      onState: (states) => {
        call.approval = {...approvalOf(states), granted: false};
      },
    });
    if (call.approval !== undefined) call.approval = {...call.approval, granted: true};
    const digests = new Map(held.map(({requirement, open}) => [requirement, open.spec.digest]));
    const permitted = approve(decision, (requirement) => digests.get(requirement) ?? '', grants);
    return next(call, {permitted, body: body?.bytes});
  };
}

function approvalOf(states: readonly AccessRequestState[]) {
  return {
    accessRequests: states.map(({namespace, name}) => `${namespace}/${name}`),
    approvers: states.flatMap(({approvers}) => approvers),
  };
}

function hold(requirement: ApprovalRequirement, decided: Decided, maskText: (text: string) => string): HeldRequirement {
  const {agent, operation, body} = decided;
  const {approval, policyNamespace, policyName, policyUID, policyGeneration, rule} = requirement;
  const bodyHash = body === undefined ? '' : bodySHA256(body.content);
  const digest =
    approval.grant === 'Once'
      ? callDigest({agent, requirement, operation, contentType: body?.contentType ?? '', bodySHA256: bodyHash})
      : objectDigest({agent, requirement, operation});
  const request: AccessRequestSpec['request'] = {
    method: operation.method,
    path: maskText(operation.path),
    ...(operation.query !== '' && {query: maskText(operation.query)}),
    ...(body !== undefined &&
      body.content.kind !== 'Empty' && {
        contentType: body.contentType,
        bodySHA256: bodyHash,
        bodyPreview: previewOf(body, operation, maskText),
      }),
    ...(operation.command.length > 0 && {command: operation.command.map(maskText)}),
    ...(operation.container !== '' && {container: operation.container}),
  };
  return {
    requirement,
    open: {
      // Cluster-scoped operations are approved where the security team approves.
      namespace: operation.namespace === '' ? decided.rootNamespace : operation.namespace,
      expireAfterSeconds: approval.expireAfterSeconds,
      spec: {
        agent: {
          username: agent.username,
          groups: [...agent.groups],
          ...(agent.uid !== '' && {uid: agent.uid}),
          ...(agent.issuer !== '' && {issuer: agent.issuer}),
        },
        operation: {
          verb: operation.verb,
          ...(operation.apiGroup !== '' && {apiGroup: operation.apiGroup}),
          ...(operation.apiVersion !== '' && {apiVersion: operation.apiVersion}),
          ...(operation.resource !== '' && {resource: operation.resource}),
          ...(operation.subresource !== '' && {subresource: operation.subresource}),
          ...(operation.namespace !== '' && {namespace: operation.namespace}),
          ...(operation.name !== '' && {name: operation.name}),
          ...(!operation.isResourceRequest && {path: maskText(operation.path)}),
        },
        request,
        digest,
        policy: {namespace: policyNamespace, name: policyName, uid: policyUID, rule, generation: policyGeneration},
        approvers: {groups: [...approval.approvers.groups], users: [...approval.approvers.users]},
        count: approval.count,
        grant: approval.grant,
      },
    },
  };
}

function untilGone({response}: Call): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}
