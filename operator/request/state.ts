import type {AccessRequest} from '../../core/api/accessrequest.ts';
import type {AccessRequestState} from '../../core/control/messages.ts';
import type {Standing} from '../admission/standing.ts';
import {advance, countedDecisions, phaseOf} from './lifecycle.ts';

const group = '/apis/lockkeeper.dev/v1alpha1';

/** API path of the AccessRequests of a namespace. Both parts of a path were checked to be DNS names when they were read. */
export function accessRequestsPath(namespace: string): string {
  return `${group}/namespaces/${namespace}/accessrequests`;
}

/** API path of one AccessRequest. */
export function accessRequestPath(namespace: string, name: string): string {
  return `${accessRequestsPath(namespace)}/${name}`;
}

/**
 * The object as it will stand once the leader has taken the decision out of the approver's slot: that counts already, on
 * every replica and whatever is asked of it.
 * @param nowMilliseconds the operator's clock, milliseconds since the epoch
 */
export function drained(request: AccessRequest, standing: Standing, nowMilliseconds: number): AccessRequest {
  const {spec, status, metadata} = request;
  const generation = metadata?.generation ?? 0;
  return {...request, status: advance({spec, status, generation, nowMilliseconds, standing}).status};
}

/**
 * What a proxy is told about an AccessRequest: the phase as counted from the record at this moment, not as written.
 * @param nowMilliseconds the operator's clock, milliseconds since the epoch
 */
export function stateOf(request: AccessRequest, nowMilliseconds: number): AccessRequestState {
  const {spec, metadata, status = {}} = request;
  const phase = phaseOf(spec, status, nowMilliseconds);
  const counted = countedDecisions(spec, status);
  const revokedBy = phase === 'Revoked' ? status.revokedBy : undefined;
  const deciding =
    revokedBy ??
    (phase === 'Denied'
      ? counted.find(({outcome}) => outcome === 'Denied')
      : counted.findLast(({outcome}) => outcome === 'Approved'));
  return {
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    digest: spec.digest,
    phase,
    reason: deciding?.reason ?? '',
    approvers: counted.map(({username}) => username),
    ...(revokedBy && {revokedBy: revokedBy.username}),
    expiresAt: spec.expiresAt,
    expiresInMilliseconds: Math.max(0, Date.parse(spec.expiresAt) - nowMilliseconds),
  };
}
