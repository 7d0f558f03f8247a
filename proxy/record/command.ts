import {StringDecoder} from 'node:string_decoder';
import type {SealedRecording} from '../../core/audit/event.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import type {CommandSession, Output, OutputChannel, OutputSink} from '../stream/session.ts';
import {asciicastEvent, asciicastHeader, ElapsedTime, type EventCode, terminalSize} from './asciicast.ts';
import {MaskedChannel, ShownCounts} from './channel.ts';
import {recordingDetails} from './details.ts';
import {Gathering} from './gathering.ts';
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

/** Bounds the lines of a recording whatever the size of a frame: who reads it holds one line. */
const eventMaximumBytes = 64 * 1024;

/** A channel that is recorded as one kind of event. */
interface RecordedChannel {
  readonly masked: MaskedChannel;
  /** Characters are cut anywhere between chunks. */
  readonly decoder: StringDecoder;
}

class RecordedCommand implements CommandSession {
  readonly #writer: RecordingWriter;
  readonly #time: ElapsedTime;
  readonly #obligations: RecordingOptions['obligations'];
  readonly #outputs: MaskedChannel[] = [];
  readonly #input: RecordedChannel | undefined;
  /** The last to be recorded: pieces of its channel may join it until something else is recorded. */
  #latest: Gathering | undefined;
  readonly masked = new ShownCounts();
  #finished: Promise<SealedRecording> | undefined;

  constructor(writer: RecordingWriter, time: ElapsedTime, obligations: RecordingOptions['obligations']) {
    this.#writer = writer;
    this.#time = time;
    this.#obligations = obligations;
    const {recordMasking, recordInput} = obligations;
    this.#input = recordInput ? this.#channel('i', recordMasking, () => {}) : undefined;
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
    const code = codes[channel];
    const {masked, decoder} = this.#channel(code, this.#obligations.masking, (shown) => sink.emit(shown));
    this.#outputs.push(masked);
    this.masked.opened(masked);
    return {
      push: (chunk) => {
        this.#writer.check();
        masked.push(chunk);
      },
      end: () => {
        this.#writer.check();
        masked.end();
        this.#append(
          code,
          () => decoder.end(),
          () => sink.ended(),
        );
      },
    };
  }

  /** Never throws: what cannot be recorded ends the session. */
  stdin(bytes: Buffer): void {
    try {
      // A copy: it is masked in place, and the command gets what was sent.
      this.#input?.masked.push(Buffer.from(bytes));
    } catch (error) {
      this.#writer.fail(error);
    }
  }

  /** Never throws, as `stdin`. */
  resize(message: Buffer): void {
    const size = terminalSize(message);
    if (size === undefined) return;
    try {
      this.#append('r', () => size);
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
      this.#input?.masked.end();
      this.#append('i', () => this.#input?.decoder.end() ?? '');
    } catch (error) {
      this.#writer.fail(error);
    }
    return this.#writer.finish();
  }

  #channel(code: EventCode, plan: MaskPlan | undefined, show: (shown: Buffer) => void): RecordedChannel {
    const decoder = new StringDecoder('utf8');
    let gathering: Gathering | undefined;
    const put = (recorded: Buffer, shown: Buffer): void => {
      const bytes = recorded === shown ? shown.length : recorded.length + shown.length;
      if (gathering !== undefined && gathering === this.#latest && gathering.add(recorded, shown)) {
        this.#writer.append('', undefined, bytes);
        return;
      }
      const begun = new Gathering(this.#time.seconds(), decoder);
      begun.add(recorded, shown);
      gathering = begun;
      this.#latest = begun;
      this.#writer.append(
        () => eventsOf(begun, code),
        () => show(begun.shown),
        bytes,
      );
    };
    const failed = (error: unknown) => this.#writer.fail(error);
    const {recordMasking: recorded} = this.#obligations;
    return {masked: new MaskedChannel({shown: plan, recorded, put, failed}), decoder};
  }

  #append(code: EventCode, text: () => string, written?: () => void): void {
    this.#latest = undefined;
    const seconds = this.#time.seconds();
    this.#writer.append(() => eventOf(seconds, code, text()), written);
  }
}

function eventsOf(gathering: Gathering, code: EventCode): string {
  let lines = '';
  for (const text of gathering.record(eventMaximumBytes)) lines += eventOf(gathering.seconds, code, text);
  return lines;
}

/** No event where there is no text: part of a character came. */
function eventOf(seconds: string, code: EventCode, text: string): string {
  return text === '' ? '' : asciicastEvent(seconds, code, text);
}
