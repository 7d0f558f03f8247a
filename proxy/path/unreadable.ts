import {randomUUID} from 'node:crypto';
import {CallRecord} from '../audit/recorder.ts';
import {refusalOf} from './answer.ts';
import type {AuditDependencies} from './audit.ts';
import type {Refusal} from './refusal.ts';

/** Puts a request that could not be read on record, and gives what its sender is told. */
export type RecordUnreadable = (refusal: Refusal, sourceIP: string) => Promise<Refusal>;

/** For requests that no filter sees, since nothing of them is known but where they came from. */
export function recordUnreadable({
  recorder,
  metrics,
}: Pick<AuditDependencies, 'recorder' | 'metrics'>): RecordUnreadable {
  return async (refusal, sourceIP) => {
    const record = new CallRecord(recorder, {
      auditID: randomUUID(),
      receivedAtMicroseconds: recorder.now(),
      request: {isResourceRequest: false, verb: '', requestURI: '', userAgent: '', sourceIP},
    });
    let told = refusal;
    try {
      await record.refused(
        {decision: {outcome: 'Refused', reason: refusal.message}, level: 'Metadata'},
        {code: refusal.httpStatus, status: refusal.status(), refusal: refusal.code},
      );
    } catch (error) {
      told = refusalOf(error);
    }
    metrics.finished('', told.httpStatus, told.code, 0, {});
    return told;
  };
}
