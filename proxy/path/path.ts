import {type ForwardDependencies, forward} from '../forward/forward.ts';
import {type StreamDependencies, withStreams} from '../stream/stream.ts';
import {withAccessReview} from './accessreview.ts';
import {withApproval} from './approval.ts';
import {type AuditDependencies, type Serve, withAudit} from './audit.ts';
import {withCapacity} from './capacity.ts';
import {withCompression} from './compression.ts';
import {withDecision} from './decision.ts';
import {withIdentity} from './identity.ts';
import {withIntent} from './intent.ts';
import {withMasking} from './masking.ts';
import {withOperation} from './operation.ts';
import {type RecordingDependencies, withRecording} from './recording.ts';
import {withWriteBack} from './writeback.ts';

export interface PathDependencies {
  readonly audit: AuditDependencies;
  readonly authenticator: Parameters<typeof withIdentity>[0];
  readonly capacity: Parameters<typeof withCapacity>[0];
  readonly decision: Parameters<typeof withDecision>[0];
  readonly approval: Parameters<typeof withApproval>[0];
  readonly recording: RecordingDependencies;
  readonly compressResponses: boolean;
  readonly streams: StreamDependencies;
  readonly forward: ForwardDependencies;
}

/** What happens to a call, in the order in which it happens. */
export function requestPath(deps: PathDependencies): Serve {
  // biome-ignore format: it reads top to bottom, one filter a line
  return withAudit(deps.audit,            // opens first, closes last, whatever happens inside
    withIdentity(deps.authenticator,      // who: token → agent, or 401
      withOperation(                      // what: method, path, query → operation, or 400
        withCapacity(deps.capacity,       // is there room, or 429
          withDecision(deps.decision,     // may they: bundle → allowed, needs approval, or 403
            withWriteBack(deps.decision,  // does it write what was masked, or 422
              withApproval(deps.approval,   // who says so: AccessRequest → permitted, or 403
                withRecording(deps.recording, // what is seen of a stream, or 503
                  withIntent(               // on record before anything leaves, or 503
                    withMasking(            // what comes back, or 406 and 502
                      withCompression(deps.compressResponses, // how much of it travels
                        withStreams(deps.streams, // exec, attach and port-forward
                          withAccessReview(deps.decision, // what an agent is told that it may
                            forward(deps.forward))))))))))))));
}
