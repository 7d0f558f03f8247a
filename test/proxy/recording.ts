import {EventEncoder} from '../../core/audit/event.ts';
import {AuditUnavailable} from '../../proxy/audit/errors.ts';
import type {RecorderDependencies} from '../../proxy/audit/recorder.ts';

/** What a test reads of an audit event. */
export interface RecordedEvent {
  readonly stage: string;
  readonly auditID: string;
  readonly level: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: {readonly username?: string};
  readonly responseStatus?: {readonly code: number; readonly message?: string};
  readonly requestObject?: unknown;
  readonly responseObject?: unknown;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An audit log in memory. `down` makes it refuse, as one that cannot be written. */
export class MemoryLog {
  readonly events: RecordedEvent[] = [];
  down = false;

  append(record: string): Promise<void> {
    if (this.down) return Promise.reject(new AuditUnavailable('the audit log cannot be written: no space'));
    this.record(record);
    return Promise.resolve();
  }

  record(record: string): void {
    this.events.push(JSON.parse(`${record}}}`) as RecordedEvent);
  }

  /** `stage` of each event, in order. */
  get stages(): string[] {
    return this.events.map(({stage}) => stage);
  }

  get last(): RecordedEvent {
    const event = this.events.at(-1);
    if (event === undefined) throw new Error('nothing is on record');
    return event;
  }

  recorder(): RecorderDependencies {
    let now = 1_760_000_000_000_000;
    return {encoder: new EventEncoder((text) => text), log: this, now: () => ++now};
  }
}
