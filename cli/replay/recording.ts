import {type Line, LineSplitter} from '../../core/audit/lines.ts';
import {ReplayError} from './errors.ts';

/** What the first line of a recording says of the others. */
export type RecordingHeader =
  | {readonly kind: 'Command'}
  | {readonly kind: 'PortForward'; readonly startedAtMilliseconds: number};

/** An event of asciicast v2. */
export interface RecordedEvent {
  /** Since the start. */
  readonly seconds: number;
  /** `o` was shown, `i` was sent, `r` and `m` are of no matter here; players leave alone what they do not know. */
  readonly code: string;
  readonly data: string;
}

/** A line of a connection log. */
export type ConnectionEvent = {
  readonly seconds: number;
  readonly connection: number;
  readonly port: number;
} & (
  | {readonly event: 'Opened'}
  | {
      readonly event: 'Closed';
      readonly sentBytes: number;
      readonly receivedBytes: number;
      readonly error: string | undefined;
    }
);

/** Lines of ours are shorter by far; those of other recorders may not be. */
const lineMaximumBytes = 8 * 1024 * 1024;

/** A place in a file, for messages. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A whole line as text, or the beginning of one at the end of the file: its recorder was killed, or is not done. */
export type RecordedLine = {readonly place: Place} & ({readonly text: string} | {readonly torn: true});

/**
 * Cuts a recording into lines, holding one of them; blank ones are left out.
 *
 * @throws {ReplayError} for a line that no recorder writes.
 */
export async function* linesOf(file: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<RecordedLine> {
  const splitter = new LineSplitter(lineMaximumBytes);
  let line = 0;
  const read = (found: Line): RecordedLine | undefined => {
    line += 1;
    const place = {file, line};
    switch (found.kind) {
      case 'Whole':
        return found.bytes.length === 0 ? undefined : {place, text: found.bytes.toString()};
      case 'Torn':
        return {place, torn: true};
      case 'TooLong':
        throw invalid(place, `is longer than ${lineMaximumBytes} bytes`);
    }
  };
  for await (const chunk of bytes) {
    for (const found of splitter.push(chunk)) {
      const whole = read(found);
      if (whole !== undefined) yield whole;
    }
  }
  for (const found of splitter.end()) {
    const rest = read(found);
    if (rest !== undefined) yield rest;
  }
}

/** @throws {ReplayError} where the line is no header of a recording that can be replayed. */
export function parseHeader(text: string, place: Place): RecordingHeader {
  const header = parseJSON(text);
  if (!isObject(header)) throw notARecording(place);
  const {version, kind, timestamp} = header;
  if (kind === 'PortForward') {
    if (version !== 1 || typeof timestamp !== 'number') throw notARecording(place);
    return {kind, startedAtMilliseconds: timestamp * 1000};
  }
  if (version === 2) return {kind: 'Command'};
  if (typeof version !== 'number') throw notARecording(place);
  throw new ReplayError(`${place.file} is an asciicast of version ${version}, and only version 2 can be replayed`);
}

function notARecording({file}: Place): ReplayError {
  return new ReplayError(
    `${file} is no recording: it does not begin with the header of an asciicast (version 2) or of a connection log`,
  );
}

/** @throws {ReplayError} */
export function parseEvent(text: string, place: Place): RecordedEvent {
  const event = parseJSON(text);
  if (Array.isArray(event)) {
    const [seconds, code, data] = event;
    if (isTime(seconds) && typeof code === 'string' && typeof data === 'string') return {seconds, code, data};
  }
  throw invalid(place, 'is no event: it must be a list of a time in seconds, a code and a text');
}

/** @throws {ReplayError} */
export function parseConnectionEvent(text: string, place: Place): ConnectionEvent {
  const value = parseJSON(text);
  if (isObject(value)) {
    const {time: seconds, event, connection, port, sentBytes, receivedBytes, error} = value;
    if (isTime(seconds) && isCount(connection) && isCount(port)) {
      if (event === 'Opened') return {event, seconds, connection, port};
      if (
        event === 'Closed' &&
        isCount(sentBytes) &&
        isCount(receivedBytes) &&
        (error === undefined || isText(error))
      ) {
        return {event, seconds, connection, port, sentBytes, receivedBytes, error};
      }
    }
  }
  throw invalid(place, 'is no event of a connection log');
}

function invalid({file, line}: Place, what: string): ReplayError {
  return new ReplayError(`line ${line} of ${file} ${what}`);
}

function parseJSON(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
