import {openCommandRecording} from '../record/command.ts';
import type {RecordingFailed} from '../record/errors.ts';
import {openPortForwardRecording} from '../record/portforward.ts';
import type {Recording, RecordingOptions} from '../record/recording.ts';
import type {CommandSession, PortForwardSession} from '../stream/session.ts';
import type {PermittedCall} from './approval.ts';
import type {Call, MaskedSoFar, Next} from './call.ts';
import {Refusal} from './refusal.ts';

export interface RecordingDependencies {
  readonly directory: string;
  /** Microseconds since the epoch. */
  readonly now: () => number;
}

/** The recording of a stream under way. */
export type OpenRecording = {
  /** Relative to the recording directory. */
  readonly name: string;
  readonly masked: MaskedSoFar;
  /** Resolved when something cannot be recorded; what was not yet on record is never shown. */
  readonly failed: Promise<RecordingFailed>;
} & (
  | {readonly kind: 'Command'; readonly session: CommandSession}
  | {readonly kind: 'PortForward'; readonly session: PortForwardSession}
);

/**
 * What is seen of it: a stream has its recording open before its intent goes on record, and sealed before its outcome
 * does. Where it cannot be recorded it does not begin.
 */
export function withRecording(deps: RecordingDependencies, next: Next<PermittedCall>): Next<PermittedCall> {
  return (call, permittedCall) => {
    if (call.stream === undefined) return next(call, permittedCall);
    return call.stream.kind === 'Command'
      ? recorded(call, permittedCall, openCommandRecording, (session) => ({kind: 'Command', session}))
      : recorded(call, permittedCall, openPortForwardRecording, (session) => ({kind: 'PortForward', session}));
  };

  async function recorded<Session>(
    call: Call,
    permittedCall: PermittedCall,
    open: (options: RecordingOptions) => Promise<Recording<Session>>,
    as: (session: Session) => Pick<OpenRecording, 'kind' | 'session'>,
  ): Promise<void> {
    const {agent, operation, obligations} = permittedCall.permitted;
    const failed = Promise.withResolvers<RecordingFailed>();
    const {directory, now} = deps;
    const {auditID} = call.record;
    const recording = await open({
      directory,
      auditID,
      agent,
      operation,
      obligations,
      now,
      onFailure: failed.resolve,
    }).catch((error) => {
      const message = 'the stream cannot be recorded, so it does not begin';
      throw new Refusal('RecordingUnavailable', 503, message, {retryAfterSeconds: 5, cause: error});
    });
    const {name, masked} = recording;
    call.recording = {name, masked, failed: failed.promise, ...as(recording.session)} as OpenRecording;
    call.masked.push(masked);
    try {
      await next(call, permittedCall);
    } finally {
      if (call.intended) call.sealed = await recording.finish().catch(() => undefined);
      else await recording.discard();
    }
  }
}
