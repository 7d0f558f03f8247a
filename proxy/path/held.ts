import type {AccessRequestSpec} from '../../core/api/accessrequest.ts';
import type {ApprovalRequirement} from '../../core/policy/decision.ts';
import {bodySHA256, callDigest, objectDigest} from '../../core/request/digest.ts';
import {readEnvelope} from '../../core/request/envelope.ts';
import type {HeldRequirement} from '../authorize/hold.ts';
import type {Decided} from './decision.ts';
import {previewOf} from './preview.ts';

/** What the operator is asked to open for a call that one rule lets only a person allow. */
export function heldRequirement(
  requirement: ApprovalRequirement,
  decided: Decided,
  maskText: (text: string) => string,
): HeldRequirement {
  const {agent, operation, body} = decided;
  const {approval, policyNamespace, policyName, policyUID, policyGeneration, rule} = requirement;
  const request: AccessRequestSpec['request'] = {
    method: operation.method,
    path: maskText(operation.path),
    ...(operation.query !== '' && {query: maskText(operation.query)}),
    ...(body !== undefined &&
      body.content.kind !== 'Empty' && {
        contentType: maskText(body.contentType),
        bodySHA256: bodyHash(decided),
        bodyPreview: previewOf(body, operation, maskText),
      }),
    ...(operation.command.length > 0 && {command: operation.command.map(maskText)}),
    ...(operation.container !== '' && {container: operation.container}),
  };
  const name = operation.name || objectName(decided);
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
          ...(name && {name: maskText(name)}),
          ...(!operation.isResourceRequest && {path: maskText(operation.path)}),
          ...(requirement.unmasked && {unmasked: true}),
        },
        request,
        digest: digestFor(requirement, decided),
        policy: {namespace: policyNamespace, name: policyName, uid: policyUID, rule, generation: policyGeneration},
        approvers: {groups: [...approval.approvers.groups], users: [...approval.approvers.users]},
        count: approval.count,
        grant: approval.grant,
      },
    },
  };
}

/** What a grant must bear to let the call through under that rule. */
export function digestFor(requirement: ApprovalRequirement, decided: Decided): string {
  const {agent, operation, body} = decided;
  return requirement.approval.grant === 'Once'
    ? callDigest({
        agent,
        requirement,
        operation,
        contentType: body?.contentType ?? '',
        bodySHA256: bodyHash(decided),
      })
    : // An object that is made has no name in the path, and without one the grant would hold for any other.
      objectDigest({
        agent,
        requirement,
        operation,
        objectName: operation.name || (objectName(decided) ?? bodyHash(decided)),
      });
}

function bodyHash({body}: Decided): string {
  return body === undefined ? '' : bodySHA256(body.content);
}

/** `metadata.name` of an object that is being created. */
function objectName({operation, body}: Decided): string | undefined {
  if (operation.verb !== 'create' || body === undefined) return undefined;
  switch (body.content.kind) {
    case 'Empty':
      return undefined;
    case 'Opaque':
      return readEnvelope(body.bytes)?.name || undefined;
    case 'JSON': {
      const {metadata} = (body.content.value ?? {}) as {metadata?: {name?: unknown} | null};
      return typeof metadata?.name === 'string' && metadata.name !== '' ? metadata.name : undefined;
    }
  }
}
