import {createHash} from 'node:crypto';
import {MaskedChannel} from '../../proxy/record/channel.ts';
import type {Recording, RecordingOptions} from '../../proxy/record/recording.ts';
import type {CommandSession} from '../../proxy/stream/session.ts';
import {cardsPlan} from '../maskplan.ts';

/** In the place of the proxy's own: masks as that does, and shows at once. */
export async function openCommandRecording({auditID}: RecordingOptions): Promise<Recording<CommandSession>> {
  const seal = {sha256: createHash('sha256').digest('hex'), bytes: 0};
  return {
    name: auditID,
    masked: {counts: {PAN: 0}},
    finish: async () => seal,
    discard: async () => {},
    session: {
      congested: false,
      onDrain() {},
      stdin() {},
      resize() {},
      output(_channel, sink) {
        const masked = new MaskedChannel({
          shown: cardsPlan,
          recorded: cardsPlan,
          put: (_masked, shown) => sink.emit(shown),
          failed: (error) => {
            throw error;
          },
        });
        return {
          push: (chunk) => masked.push(chunk),
          end() {
            masked.end();
            sink.ended();
          },
        };
      },
    },
  };
}
