/** How a stream was recorded: what a command said as asciicast v2, the connections of a port-forward as JSON lines. */
export type RecordingKind = 'Command' | 'PortForward';

const extensions: Readonly<Record<RecordingKind, string>> = {Command: 'cast', PortForward: 'jsonl'};

/** The extension decides how a recording is read, and no name leads out of the directory. */
const namePattern = /^[0-9]{4}-[0-9]{2}-[0-9]{2}\/[0-9A-Za-z-]{1,64}\.(?:cast|jsonl)$/;

/**
 * Where a recording lies in the recording directory: a folder for each day (UTC), so that no folder grows for ever, and
 * in it one file for each call.
 *
 * @param startedAtMicroseconds since the epoch
 */
export function recordingName(auditID: string, startedAtMicroseconds: number, kind: RecordingKind): string {
  const day = new Date(startedAtMicroseconds / 1000).toISOString().slice(0, 10);
  return `${day}/${auditID}.${extensions[kind]}`;
}

/** Whether a proxy names recordings so; what else an audit event names is not to be opened. */
export function isRecordingName(text: string): boolean {
  return namePattern.test(text);
}
