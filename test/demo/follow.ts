import {open} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {annotation} from '../../core/audit/annotations.ts';

const pollMilliseconds = 200;

interface AuditLine {
  readonly stage?: string;
  readonly verb?: string;
  readonly requestURI?: string;
  readonly user?: {readonly username?: string};
  readonly responseStatus?: {readonly code?: number};
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Reads the audit log as it grows and tells each call's outcome, until the signal ends it. */
export async function followDecisions(
  file: string,
  signal: AbortSignal,
  tell: (line: string, fields: object) => void,
): Promise<void> {
  const handle = await open(file, 'r');
  try {
    let position = (await handle.stat()).size;
    let rest = '';
    while (!signal.aborted) {
      const {bytesRead, buffer} = await handle.read({position, buffer: Buffer.alloc(64 * 1024)});
      if (bytesRead === 0) {
        await sleep(pollMilliseconds, undefined, {signal}).catch(() => {});
        continue;
      }
      position += bytesRead;
      const lines = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) tellOne(JSON.parse(line) as AuditLine, tell);
    }
  } finally {
    await handle.close();
  }
}

function tellOne(event: AuditLine, tell: (line: string, fields: object) => void): void {
  if (event.stage !== 'ResponseComplete') return;
  const annotations = event.annotations ?? {};
  const fields = {
    user: event.user?.username ?? '(unknown)',
    verb: event.verb ?? '',
    uri: event.requestURI ?? '',
    code: event.responseStatus?.code ?? 0,
    decision: annotations[annotation.decision] ?? '',
    reason: annotations[annotation.reason] ?? '',
    accessRequest: annotations[annotation.accessRequest] ?? '',
    masked: annotations[annotation.masked] ?? '',
  };
  const extras = [fields.accessRequest, fields.reason, fields.masked && `masked ${fields.masked}`].filter(Boolean);
  tell(
    `${fields.decision.padEnd(13)} ${fields.code}  ${fields.user}  ${fields.verb} ${fields.uri}  ${extras.join('  ')}`.trimEnd(),
    fields,
  );
}
