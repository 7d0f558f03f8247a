import {StringDecoder} from 'node:string_decoder';
import type {SealedRecording} from '../../core/audit/event.ts';
import {maskText} from '../../core/mask/createmasker.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import type {ForwardedConnection, Output, OutputSink, PortForwardSession} from '../stream/session.ts';
import {ElapsedTime} from './asciicast.ts';
import {MaskedChannel, ShownCounts} from './channel.ts';
import {recordingDetails} from './details.ts';
import {beginRecording, type Recording, type RecordingOptions} from './recording.ts';
import type {RecordingWriter} from './writer.ts';

/**
 * Begins the connection log of a port-forward, before its intent goes on record: one line of JSON for the header, then
 * one for each connection that opens and for each that ends, with byte counts. No payload is kept. Where a policy masks,
 * what comes from the pod is masked as text on its way to the agent; inside of TLS nothing can be seen.
 *
 * @throws {RecordingFailed}
 */
export async function openPortForwardRecording(options: RecordingOptions): Promise<Recording<PortForwardSession>> {
  const {agent, auditID, operation, now} = options;
  const startedAt = now();
  const {command: _, container: __, tty: ___, ...details} = recordingDetails(auditID, agent, operation);
  const header = {version: 1, kind: 'PortForward', timestamp: Math.floor(startedAt / 1e6), lockkeeper: details};
  const {name, writer} = await beginRecording(options, 'PortForward', startedAt, `${JSON.stringify(header)}\n`);
  const session = new RecordedPortForward(writer, new ElapsedTime(startedAt, now), options.obligations);
  return {
    session,
    name,
    masked: session.masked,
    finish: () => session.finish(),
    discard: () => writer.discard(),
  };
}

class RecordedPortForward implements PortForwardSession {
  readonly #writer: RecordingWriter;
  readonly #time: ElapsedTime;
  readonly #obligations: RecordingOptions['obligations'];
  readonly #connections = new Set<RecordedConnection>();
  readonly masked = new ShownCounts();
  #opened = 0;

  constructor(writer: RecordingWriter, time: ElapsedTime, obligations: RecordingOptions['obligations']) {
    this.#writer = writer;
    this.#time = time;
    this.#obligations = obligations;
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

  /** @throws {RecordingFailed} where it cannot be recorded. */
  connection(port: number): ForwardedConnection {
    this.#opened += 1;
    const id = this.#opened;
    this.#append('Opened', {connection: id, port});
    const connection: RecordedConnection = new RecordedConnection({
      writer: this.#writer,
      obligations: this.#obligations,
      counts: this.masked,
      closed: (summary) => {
        if (!this.#connections.delete(connection)) return;
        this.#append('Closed', {connection: id, port, ...summary});
      },
    });
    this.#connections.add(connection);
    return connection;
  }

  finish(): Promise<SealedRecording> {
    for (const connection of this.#connections) connection.closed('the port-forward ended first');
    return this.#writer.finish();
  }

  #append(event: 'Opened' | 'Closed', members: object): void {
    // The time as a number that keeps its six decimals.
    this.#writer.append(`{"time":${this.#time.seconds()},"event":"${event}",${JSON.stringify(members).slice(1)}\n`);
  }
}

interface ConnectionContext {
  readonly writer: RecordingWriter;
  readonly obligations: RecordingOptions['obligations'];
  readonly counts: ShownCounts;
  closed(summary: ConnectionSummary): void;
}

interface ConnectionSummary {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly error?: string;
}

/** Of what the API server says of a connection that failed. */
const errorMaximumCharacters = 1024;

class RecordedConnection implements ForwardedConnection {
  readonly #context: ConnectionContext;
  readonly #channels: MaskedChannel[] = [];
  #sentBytes = 0;
  #receivedBytes = 0;
  #error = '';

  constructor(context: ConnectionContext) {
    this.#context = context;
  }

  output(channel: 'data' | 'error', sink: OutputSink): Output {
    const {writer, obligations} = this.#context;
    const {masking, recordMasking} = obligations;
    const note = channel === 'data' ? this.#count() : this.#quote();
    const put = (bytes: Buffer, shown: Buffer): void => {
      note(bytes);
      // Behind what is queued: no byte is shown before its connection is on record.
      writer.append('', () => sink.emit(shown), shown.length);
    };
    // No byte of data is recorded: what no policy masks is not kept back.
    const recorded = channel === 'error' ? recordMasking : masking;
    const masked = recorded && this.#masked(recorded, put);
    return {
      push: (chunk) => {
        writer.check();
        if (masked === undefined) put(chunk, chunk);
        else masked.push(chunk);
      },
      end: () => {
        writer.check();
        masked?.end();
        writer.append('', () => sink.ended());
      },
    };
  }

  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  /** Never throws: what cannot be recorded ends the session. */
  closed(error = ''): void {
    const {writer, counts, closed} = this.#context;
    for (const channel of this.#channels) {
      channel.close();
      counts.closed(channel);
    }
    const reasons = [maskText(error), this.#error].filter((text) => text !== '').join(': ');
    try {
      closed({
        sentBytes: this.#sentBytes,
        receivedBytes: this.#receivedBytes,
        ...(reasons !== '' && {error: reasons}),
      });
    } catch (failure) {
      writer.fail(failure);
    }
  }

  #masked(recorded: MaskPlan, put: (recorded: Buffer, shown: Buffer) => void): MaskedChannel {
    const {writer, obligations, counts} = this.#context;
    const failed = (error: unknown) => writer.fail(error);
    const channel = new MaskedChannel({shown: obligations.masking, recorded, put, failed});
    this.#channels.push(channel);
    counts.opened(channel);
    return channel;
  }

  #count(): (bytes: Buffer) => void {
    return ({length}) => {
      this.#receivedBytes += length;
    };
  }

  #quote(): (bytes: Buffer) => void {
    const decoder = new StringDecoder('utf8');
    return (bytes) => {
      if (this.#error.length < errorMaximumCharacters) {
        this.#error = (this.#error + decoder.write(bytes)).slice(0, errorMaximumCharacters);
      }
    };
  }
}
