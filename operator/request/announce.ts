import {Counter, type Registry} from 'prom-client';
import type {AccessRequest, AccessRequestStatus} from '../../core/api/accessrequest.ts';
import type {EventOptions, EventRecorder} from '../kube/events.ts';
import type {SlotOutcome} from './lifecycle.ts';

/** Tells people and monitoring what a status write that has just succeeded changed. */
export type Announce = (before: AccessRequest, after: AccessRequestStatus, slot: SlotOutcome) => void;

/** Events on the object, and `lockkeeper_accessrequests_total{phase}`: how many reached each phase. Once a registry. */
export function createAnnounce(events: EventRecorder, registry: Registry): Announce {
  const reached = new Counter({
    name: 'lockkeeper_accessrequests_total',
    help: 'AccessRequests that reached a phase',
    labelNames: ['phase'],
    registers: [registry],
  });
  return (before, after, slot) => {
    if (before.status?.phase === undefined) {
      reached.inc({phase: 'Pending'});
    }
    for (const {type} of turnedTrue(before, after)) {
      reached.inc({phase: type});
    }
    for (const event of eventsOf(before, after, slot)) {
      events.record(referenceTo(before), event);
    }
  };
}

/** The events that lie between two statuses of a request, whatever steps led from one to the other. */
function eventsOf(before: AccessRequest, after: AccessRequestStatus, slot: SlotOutcome): EventOptions[] {
  const events: EventOptions[] = [];
  const {spec} = before;
  if (before.status?.phase === undefined) {
    const {verb, resource, path, name, unmasked} = spec.operation;
    const what = [verb, resource ?? path, name, unmasked && 'unmasked'].filter(Boolean).join(' ');
    const note = `${spec.agent.username} asks to ${what} (rule ${spec.policy.namespace}/${spec.policy.name} ${spec.policy.rule}); decide before ${spec.expiresAt}.`;
    events.push({type: 'Normal', reason: 'Opened', action: 'Open', note});
  }
  if (slot.kind === 'Ignored') {
    events.push({type: 'Warning', reason: 'DecisionIgnored', action: 'Decide', note: slot.message});
  }
  if (slot.kind === 'Held') {
    events.push({type: 'Warning', reason: 'AdmissionPolicyMissing', action: 'Decide', note: slot.message});
  }
  for (const {type, message} of turnedTrue(before, after)) {
    events.push({
      type: type === 'Expired' ? 'Warning' : 'Normal',
      reason: type,
      action: actions[type] ?? type,
      note: message,
    });
  }
  return events;
}

const actions: Readonly<Record<string, string>> = {
  Approved: 'Approve',
  Denied: 'Deny',
  Expired: 'Expire',
  Consumed: 'Consume',
  Revoked: 'Revoke',
};

function turnedTrue(before: AccessRequest, after: AccessRequestStatus) {
  const held = new Set((before.status?.conditions ?? []).filter(({status}) => status === 'True').map(({type}) => type));
  return (after.conditions ?? []).filter(({type, status}) => status === 'True' && !held.has(type));
}

function referenceTo({metadata}: AccessRequest) {
  return {
    apiVersion: 'lockkeeper.dev/v1alpha1',
    kind: 'AccessRequest',
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
  };
}
