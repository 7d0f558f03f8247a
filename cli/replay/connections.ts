import {type ConnectionEvent, parseConnectionEvent, type RecordedLine} from './recording.ts';

/** Columns that are filled up to a width; the last one takes what it takes. */
const columns = [
  ['CONNECTION', 10],
  ['PORT', 5],
  ['OPENED', 24],
  ['SECONDS', 12],
  ['SENT', 12],
  ['RECEIVED', 12],
  ['ERROR', 0],
] as const;

/**
 * The connections of a port-forward as a table: those that ended in the order in which they did, then those that were
 * still open where the log ends.
 *
 * @throws {ReplayError} at a line that is no event.
 */
export async function* connectionTable(
  startedAtMilliseconds: number,
  lines: AsyncIterable<RecordedLine>,
): AsyncGenerator<{readonly row: string} | {readonly torn: true}> {
  const open = new Map<number, ConnectionEvent>();
  const opened = ({seconds}: ConnectionEvent) => new Date(startedAtMilliseconds + seconds * 1000).toISOString();
  yield {row: rowOf(columns.map(([name]) => name))};
  let torn = false;
  for await (const line of lines) {
    if ('torn' in line) {
      torn = true;
      continue;
    }
    const event = parseConnectionEvent(line.text, line.place);
    if (event.event === 'Opened') {
      open.set(event.connection, event);
      continue;
    }
    const {connection, port, seconds, sentBytes, receivedBytes, error = ''} = event;
    const start = open.get(connection) ?? event;
    open.delete(connection);
    const lasted = (seconds - start.seconds).toFixed(6);
    yield {row: rowOf([connection, port, opened(start), lasted, sentBytes, receivedBytes, printable(error)])};
  }
  for (const event of open.values()) {
    yield {row: rowOf([event.connection, event.port, opened(event), 'open', '', '', ''])};
  }
  if (torn) yield {torn};
}

function rowOf(cells: readonly (string | number)[]): string {
  const row = cells.map((cell, index) => String(cell).padEnd(columns[index]?.[1] ?? 0)).join('  ');
  return `${row.trimEnd()}\n`;
}

/** A table has no use for control characters, and these come from a pod. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}
