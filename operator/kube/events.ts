import {createHash} from 'node:crypto';
import type {Logger} from 'winston';
import type {KubeClient} from './client.ts';
import type {Clock} from './clock.ts';

/** The object that an event speaks of. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string;
}

export interface EventOptions {
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase: why, for machines. */
  readonly reason: string;
  /** UpperCamelCase: what the operator did. */
  readonly action: string;
  /** For people. */
  readonly note: string;
}

export interface EventRecorder {
  /** Records the event in the background. An event that cannot be written is logged and forgotten. */
  record(regarding: ObjectReference, event: EventOptions): void;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** The process, as `reportingInstance`. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export const reportingController = 'lockkeeper.dev/operator';

/** The same event within this time is counted in the first one's series. */
const seriesMilliseconds = 6 * 60_000;
/** A series is written again at most this often. */
const rewriteMilliseconds = 60_000;
/** As client-go's spam filter: an object may cause this many events at once, then one each five minutes. */
const burst = 25;
const refillMilliseconds = 5 * 60_000;
/** Objects and series remembered; past that the oldest are forgotten. */
const remembered = 4096;
/** Bound of the API server (`pkg/apis/core/validation/events.go`). */
const maximumNoteBytes = 1024;

interface Series {
  readonly event: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly startedAt: number;
  count: number;
  writtenAt: number;
}

/** Writes events.k8s.io/v1 Events; repeats become a series, and no object can flood the namespace. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const {client, clock, log} = options;
  const series = new Map<string, Series>();
  const tokens = new Map<string, {left: number; at: number}>();

  function allowed(uid: string): boolean {
    const now = clock.monotonic();
    const before = tokens.get(uid) ?? {left: burst, at: now};
    const left = Math.min(burst, before.left + (now - before.at) / refillMilliseconds);
    remember(tokens, uid, {left: left >= 1 ? left - 1 : left, at: now});
    return left >= 1;
  }

  function write(path: string, body: unknown): void {
    client.apply(path, body).catch((error: unknown) => {
      log.warn('event not written', {path, error: error instanceof Error ? error.message : String(error)});
    });
  }

  return {
    record(regarding, event) {
      const now = clock.monotonic();
      const key = JSON.stringify([regarding.uid, event.type, event.reason, event.action, event.note]);
      const known = series.get(key);
      if (known && now - known.startedAt < seriesMilliseconds) {
        known.count += 1;
        if (known.count > 2 && now - known.writtenAt < rewriteMilliseconds) return;
        known.writtenAt = now;
        write(known.path, {...known.event, series: {count: known.count, lastObservedTime: microTime(clock.now())}});
        return;
      }
      if (!allowed(regarding.uid)) return;
      const suffix = createHash('sha256').update(`${clock.now()}${key}`).digest('hex').slice(0, 16);
      const name = `${regarding.name.slice(0, 253 - 17).replace(/[-.]+$/, '')}.${suffix}`;
      const path = `/apis/events.k8s.io/v1/namespaces/${regarding.namespace}/events/${name}`;
      const manifest = {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: {name, namespace: regarding.namespace},
        eventTime: microTime(clock.now()),
        reportingController,
        reportingInstance: options.instance.slice(0, 128),
        action: event.action,
        reason: event.reason,
        regarding,
        note: truncated(event.note),
        type: event.type,
      };
      remember(series, key, {event: manifest, path, startedAt: now, count: 1, writtenAt: now});
      write(path, manifest);
    },
  };
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > remembered) for (const oldest of map.keys()) return void map.delete(oldest);
}

/** metav1.MicroTime. */
function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}

function truncated(note: string): string {
  const bytes = Buffer.from(note);
  if (bytes.length <= maximumNoteBytes) return note;
  // A code point cut in half decodes to U+FFFD at the end: leave it out.
  return `${bytes
    .subarray(0, maximumNoteBytes - 3)
    .toString('utf8')
    .replace(/\uFFFD$/, '')}…`;
}
