import type {SealedRecording} from '../../core/audit/event.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import type {CommandSession, Output, OutputChannel, OutputSink} from '../stream/session.ts';
import {asciicastHeader, ElapsedTime, type EventCode, terminalSize} from './asciicast.ts';
import {ShownCounts} from './channel.ts';
import {recordingDetails} from './details.ts';
import {EventLog} from './eventlog.ts';
import {RecordedChannel} from './recordedchannel.ts';
import {beginRecording, type Recording, type RecordingOptions} from './recording.ts';
import type {RecordingWriter} from './writer.ts';

/**
 * Begins the recording of an exec or attach. Do that before its intent goes on record, so that each recording that the
 * audit log names is there.
 *
 * What the agent is shown is on record before it is shown. What it sends is recorded, where policy asks for that, while
 * it is passed on. Everything in the file is masked, also where the agent is shown what no policy masks.
 *
 * @throws {RecordingFailed}
 */
export async function openCommandRecording(options: RecordingOptions): Promise<Recording<CommandSession>> {
  const {agent, auditID, operation, now} = options;
  const startedAt = now();
  const details = recordingDetails(auditID, agent, operation);
  const title = `${details.subresource} ${details.namespace}/${details.pod}`;
  const header = asciicastHeader(startedAt, title, details);
  const {name, writer} = await beginRecording(options, 'Command', startedAt, header);
  const session = new RecordedCommand(writer, new ElapsedTime(startedAt, now), options.obligations);
  return {
    session,
    name,
    masked: session.masked,
    finish: () => session.finish(),
    discard: () => writer.discard(),
  };
}

const codes: Readonly<Record<OutputChannel, EventCode>> = {
  stdout: 'o',
  stderr: 'o',
  // The Status with which the command ended.
  error: 'm',
};

class RecordedCommand implements CommandSession {
  readonly #writer: RecordingWriter;
  readonly #log: EventLog;
  readonly #obligations: RecordingOptions['obligations'];
  readonly #outputs: RecordedChannel[] = [];
  readonly #input: RecordedChannel | undefined;
  readonly masked = new ShownCounts();
  #finished: Promise<SealedRecording> | undefined;

  constructor(writer: RecordingWriter, time: ElapsedTime, obligations: RecordingOptions['obligations']) {
    this.#writer = writer;
    this.#log = new EventLog(writer, time);
    this.#obligations = obligations;
    const {recordMasking, recordInput} = obligations;
    if (recordInput) this.#input = this.#channel('i', recordMasking, {emit() {}, ended() {}});
  }

  get congested(): boolean {
    return this.#writer.congested;
  }

  get onDrain(): () => void {
    return this.#writer.onDrain;
  }

  set onDrain(onDrain: () => void) {
    this.#writer.onDrain = onDrain;
  }

  output(channel: OutputChannel, sink: OutputSink): Output {
    const output = this.#channel(codes[channel], this.#obligations.masking, sink);
    this.#outputs.push(output);
    this.masked.opened(output.masked);
    return {push: (chunk) => output.push(chunk), end: () => output.end()};
  }

  /** Never throws: what cannot be recorded ends the session. */
  stdin(bytes: Buffer): void {
    try {
      // A copy: it is masked in place, and the command gets what was sent.
      this.#input?.push(Buffer.from(bytes));
    } catch (error) {
      this.#writer.fail(error);
    }
  }

  /** Never throws, as `stdin`. */
  resize(message: Buffer): void {
    const size = terminalSize(message);
    if (size === undefined) return;
    try {
      this.#log.append('r', () => [size]);
    } catch (error) {
      this.#writer.fail(error);
    }
  }

  /** What was sent to the command is on record to the last byte; what was held back from the agent, it never saw. */
  finish(): Promise<SealedRecording> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  #finish(): Promise<SealedRecording> {
    for (const output of this.#outputs) output.close();
    try {
      this.#input?.end();
    } catch (error) {
      this.#writer.fail(error);
    }
    return this.#writer.finish();
  }

  #channel(code: EventCode, shown: MaskPlan | undefined, sink: OutputSink): RecordedChannel {
    return new RecordedChannel({log: this.#log, code, shown, recorded: this.#obligations.recordMasking, sink});
  }
}
